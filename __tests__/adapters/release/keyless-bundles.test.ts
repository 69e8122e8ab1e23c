import { mkdtemp, readFile, writeFile } from 'node:fs/promises'
import { generateKeyPairSync } from 'node:crypto'
import { join } from 'node:path'
import { z } from 'zod'
import type { Digest } from '../../../src/evidence/digest.js'
import { encodeStatement, PREDICATE, signatureStatement } from '../../../src/evidence/statement.js'
import { openKeylessSignatory } from '../../../src/release/keyless.js'
import type { Signatory } from '../../../src/release/signatory.js'
import { verifyInProcess, type Trust } from '../../../src/release/trust.js'
import type { SigstoreFiles } from '../../../src/tools/cosign-keyless.js'
import { verifyBundle, type SignerCheck } from '../../../src/tools/cosign-verify.js'
import { openKeylessDesk, type KeylessDesk } from '../../support/keyless-desk.js'
import { reasonOfAsync } from '../../support/reasons.js'
import { JOB, SIGNER, type Claims } from '../../support/token-issuer.js'

interface Signed {
  readonly bundle: string
  readonly digest: Digest
  readonly signatory: Signatory
}

let place: KeylessDesk
/** One signature with an entry in the log, and one without. */
let logged: Signed
let unlogged: Signed
/** The root of the log with the authority that signed, and with another one. */
let foreignRoot: string

beforeAll(async () => {
  place = await openKeylessDesk()
  logged = await sign(place.sigstore.withLog)
  unlogged = await sign(place.sigstore.withoutLog)
  foreignRoot = await readFile(place.sigstore.foreign.trustedRoot, 'utf8')
})
afterAll(() => place.close())

async function sign(files: SigstoreFiles, claims: Claims = {}): Promise<Signed> {
  place.sigstore.issuer.claim(claims)
  const request = await place.request(files)
  const privateDir = await mkdtemp(join(place.desk.dir, 'signatory-'))
  const folders = { workDir: request.workDir, reportDir: request.reportDir, privateDir, identities: [] }
  const signatory = await openKeylessSignatory(place.services, place.signing(files), folders)
  const { digest } = request.layout.subject
  const paths = { statement: join(privateDir, 'statement.json'), bundle: join(privateDir, 'bundle.json') }
  await writeFile(paths.statement, encodeStatement(signatureStatement(request.layout.subject, true)))
  await signatory.sign(paths)
  const bundle = await readFile(paths.bundle, 'utf8')
  return { bundle, digest, signatory }
}

interface Given {
  readonly bundle: string
  readonly digest: Digest
  readonly check: SignerCheck
  readonly trust: Trust
  readonly predicateType: string
}

function asSigned(signed: Signed): Given {
  const { check, trust } = signed.signatory
  return { bundle: signed.bundle, digest: signed.digest, check, trust, predicateType: PREDICATE.signature }
}

/** The reasons of both: ours in this process, then Cosign's. */
async function judged(given: Given): Promise<readonly [string, string]> {
  const file = join(await mkdtemp(join(place.desk.dir, 'one-')), 'bundle.json')
  await writeFile(file, given.bundle)
  const cosign = { commands: place.desk.commands, program: place.services.cosign }
  const byCosign = verifyBundle(cosign, { ...given, bundle: file, signer: given.check })
  return [await reasonOfAsync(verifyInProcess(given.bundle, given)), await reasonOfAsync(byCosign)]
}

const PASSED = 'nothing was thrown'
const PUBLIC_KEY = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  .publicKey.export({ type: 'spki', format: 'pem' })
  .toString()

test.each([
  ['with log', () => logged],
  ['without log', () => unlogged],
])('a bundle %s passes with both, as exactly this run', async (_what, signed) => {
  expect(await judged(asSigned(signed()))).toEqual([PASSED, PASSED])
  const { identity, statement } = await verifyInProcess(signed().bundle, asSigned(signed()))
  expect(identity).toEqual(signed().signatory.identity)
  expect(statement.predicateType).toBe(PREDICATE.signature)
})

function expecting(signed: Signed, change: Readonly<Record<string, string>>): Given {
  const given = asSigned(signed)
  if (given.trust.kind !== 'identity' || given.check.kind !== 'identity' || given.trust.expected === null)
    throw new Error('no identity signed')
  const expected = { ...given.trust.expected, ...change }
  const { issuer, subject } = expected
  return { ...given, trust: { ...given.trust, expected }, check: { ...given.check, issuer, subject } }
}

describe('another signer than the expected one', () => {
  test.each([
    ['a branch whose name begins alike', { subject: `${SIGNER}2` }],
    ['a branch whose name ends there', { subject: SIGNER.slice(0, -1) }],
    ['the same with a wildcard', { subject: SIGNER.replace('main', '.*') }],
    ['another workflow', { subject: SIGNER.replace('release', 'test') }],
    ['another repository', { subject: SIGNER.replace('octo-org/app', 'octo-org/app2') }],
    ['another issuer', { issuer: 'https://token.actions.githubusercontent.com' }],
  ])('%s is refused by both', async (_what, change) => {
    expect(await judged(expecting(logged, change))).toEqual(['identity-mismatch', 'identity-mismatch'])
  })

  // Cosign compares issuer and subject alone: the fields of the certificate are ours to compare.
  test.each([
    ['repositoryId', '11'],
    ['ownerId', '22'],
    ['repository', 'https://github.com/octo-org/other'],
    ['ref', 'refs/heads/main2'],
    ['workflow', `${SIGNER}2`],
    ['commit', 'b'.repeat(40)],
    ['trigger', 'pull_request'],
    ['runnerEnvironment', 'self-hosted'],
    ['run', 'https://github.com/octo-org/app/actions/runs/4242/attempts/2'],
  ])('another %s is refused by us', async (field, value) => {
    expect(await judged(expecting(logged, { [field]: value }))).toEqual(['identity-mismatch', PASSED])
  })

  test('nobody is trusted where nobody is named', async () => {
    const given = asSigned(logged)
    if (given.trust.kind !== 'identity') throw new Error('no identity signed')
    const trust: Trust = { ...given.trust, expected: null, allowed: [] }
    expect(await reasonOfAsync(verifyInProcess(given.bundle, { ...given, trust }))).toBe('identity-mismatch')
  })

  test('a valid signature of another workflow of the same repository is refused by both', async () => {
    const other = await sign(place.sigstore.withLog, {
      job_workflow_ref: JOB.workflow_ref.replace('release', 'test'),
    })
    const given = { ...asSigned(logged), bundle: other.bundle, digest: other.digest }
    expect(await judged(given)).toEqual(['identity-mismatch', 'identity-mismatch'])
  })
})

const bundleSchema = z.looseObject({
  verificationMaterial: z.looseObject({
    tlogEntries: z.array(z.unknown()).optional(),
    timestampVerificationData: z.unknown(),
  }),
  dsseEnvelope: z.looseObject({
    payload: z.string(),
    signatures: z.array(z.looseObject({ sig: z.string() })),
  }),
})
type Bundle = z.infer<typeof bundleSchema>

function changed(text: string, change: (bundle: Bundle) => void): string {
  const bundle = bundleSchema.parse(JSON.parse(text))
  change(bundle)
  return JSON.stringify(bundle)
}

function flip(base64: string): string {
  const bytes = Buffer.from(base64, 'base64')
  const middle = Math.floor(bytes.length / 2)
  bytes[middle] = (bytes[middle] ?? 0) ^ 1
  return bytes.toString('base64')
}

type Case = readonly [what: string, change: (bundle: Bundle) => void, reasons: readonly [string, string]]
const CHANGES: readonly Case[] = [
  [
    'another payload',
    one => (one.dsseEnvelope.payload = rehearsalTaken(one.dsseEnvelope.payload)),
    ['verify-failed', 'verify-failed'],
  ],
  [
    'a flipped signature',
    one => one.dsseEnvelope.signatures.forEach(each => (each.sig = flip(each.sig))),
    ['timestamp-missing', 'verify-failed'],
  ],
  [
    'its log entry removed',
    one => (one.verificationMaterial.tlogEntries = []),
    ['log-entry-missing', 'log-entry-missing'],
  ],
  [
    'its timestamp removed',
    one => (one.verificationMaterial.timestampVerificationData = {}),
    ['timestamp-missing', 'timestamp-missing'],
  ],
]

function rehearsalTaken(payload: string): string {
  const text = Buffer.from(payload, 'base64').toString()
  return Buffer.from(text.replace('"rehearsal":"true"', '"rehearsal":"fals"')).toString('base64')
}

describe('a bundle that was changed', () => {
  test.each(CHANGES)('%s', async (_what, change, reasons) => {
    expect(await judged({ ...asSigned(logged), bundle: changed(logged.bundle, change) })).toEqual(reasons)
  })

  test('without log: another payload', async () => {
    const bundle = changed(unlogged.bundle, CHANGES[0]?.[1] ?? (() => undefined))
    expect(await judged({ ...asSigned(unlogged), bundle })).toEqual(['verify-failed', 'verify-failed'])
  })

  test('a bundle without log entry is refused where the root knows a log', async () => {
    const given = { ...asSigned(logged), bundle: unlogged.bundle, digest: unlogged.digest }
    expect(await judged(given)).toEqual(['log-entry-missing', 'log-entry-missing'])
  })

  test('half a bundle', async () => {
    const bundle = logged.bundle.slice(0, logged.bundle.length / 2)
    expect(await judged({ ...asSigned(logged), bundle })).toEqual(['bundle-malformed', 'verify-failed'])
  })

  test('a bundle of another image', async () => {
    const given = { ...asSigned(logged), digest: unlogged.digest }
    expect(await judged(given)).toEqual(['verify-failed', 'verify-failed'])
  })

  test('a bundle of another type', async () => {
    const given = { ...asSigned(logged), predicateType: PREDICATE.summary }
    expect(await judged(given)).toEqual(['verify-failed', 'verify-failed'])
  })

  test('a root that trusts another authority', async () => {
    const given = asSigned(logged)
    if (given.trust.kind !== 'identity' || given.check.kind !== 'identity') throw new Error('no identity')
    const trust = { ...given.trust, trustedRoot: foreignRoot }
    const check = { ...given.check, trustedRootFile: place.sigstore.foreign.trustedRoot }
    expect(await judged({ ...given, trust, check })).toEqual([
      'certificate-untrusted',
      'certificate-untrusted',
    ])
  })

  test('a key where an identity signed', async () => {
    const given = asSigned(logged)
    const key = { kind: 'key', publicKey: PUBLIC_KEY } as const
    const publicKeyFile = join(place.desk.dir, 'other.pub')
    await writeFile(publicKeyFile, PUBLIC_KEY)
    const check = { kind: 'key', publicKeyFile } as const
    expect(await judged({ ...given, trust: key, check })).toEqual(['verify-failed', 'verify-failed'])
  })
})
