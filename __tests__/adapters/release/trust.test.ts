import { readFileSync } from 'node:fs'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { PREDICATE } from '../../../src/evidence/statement.js'
import { generateRehearsalKey } from '../../../src/release/key.js'
import { planStatements } from '../../../src/release/plan.js'
import { NOTHING_EARLIER } from '../../../src/release/resume.js'
import { openSigner } from '../../../src/release/sign.js'
import { openKeySignatory } from '../../../src/release/signatory.js'
import { verifyInProcess, type BundleExpectation } from '../../../src/release/trust.js'
import { NO_ROOTS, NO_SERVICES } from '../../../src/tools/cosign.js'
import { verifyBundle } from '../../../src/tools/cosign-verify.js'
import { openDesk, type Desk } from '../../support/release-desk.js'
import { reasonOfAsync } from '../../support/reasons.js'

const bundleSchema = z.looseObject({
  dsseEnvelope: z.looseObject({
    payload: z.string(),
    signatures: z.array(z.looseObject({ sig: z.string() })),
  }),
})
type Bundle = z.infer<typeof bundleSchema>

let desk: Desk
let good: { readonly bundle: string; readonly publicKey: string; readonly digest: `sha256:${string}` }
let otherKey: string
beforeAll(async () => {
  desk = await openDesk()
  const request = await desk.request()
  if (request.signing.kind !== 'key') throw new Error('the desk signs with a key')
  const folders = { ...request, privateDir: request.workDir }
  const key = await openKeySignatory(desk.services, request.signing, folders)
  if (key.trust.kind !== 'key') throw new Error('the desk signs with a key')
  const signer = await openSigner(key, request, NOTHING_EARLIER)
  const [planned] = await planStatements(request)
  if (planned === undefined) throw new Error('nothing is planned')
  const signed = await signer.sign(planned)
  good = {
    bundle: signed.bundle.toString(),
    publicKey: key.trust.publicKey,
    digest: request.layout.subject.digest,
  }
  const { commands, cosign } = desk.services
  const other = await generateRehearsalKey({ commands, program: cosign }, desk.dir, '')
  otherKey = readFileSync(`${other.slice(0, -'.key'.length)}.pub`, 'utf8')
})
afterAll(() => desk.close())

function changed(change: (bundle: Bundle) => void): string {
  const bundle = bundleSchema.parse(JSON.parse(good.bundle))
  change(bundle)
  return JSON.stringify(bundle)
}

function flip(base64: string): string {
  const bytes = Buffer.from(base64, 'base64')
  const middle = Math.floor(bytes.length / 2)
  bytes[middle] = (bytes[middle] ?? 0) ^ 1
  return bytes.toString('base64')
}

const ZERO = `sha256:${'0'.repeat(64)}` as const
type Case = readonly [
  string,
  string,
  () => { bundle?: string; publicKey?: string; digest?: typeof ZERO; predicateType?: string },
]
const REFUSED: readonly Case[] = [
  ['another key', 'verify-failed', () => ({ publicKey: otherKey })],
  ['another digest', 'verify-failed', () => ({ digest: ZERO })],
  ['another type', 'verify-failed', () => ({ predicateType: PREDICATE.spdx })],
  [
    'a flipped signature',
    'verify-failed',
    () => ({
      bundle: changed(one => one.dsseEnvelope.signatures.forEach(each => (each.sig = flip(each.sig)))),
    }),
  ],
  [
    'another payload',
    'verify-failed',
    () => ({
      bundle: changed(one => {
        const text = Buffer.from(one.dsseEnvelope.payload, 'base64')
          .toString()
          .replace('"rehearsal":"true"', '"rehearsal":"fals"')
        one.dsseEnvelope.payload = Buffer.from(text).toString('base64')
      }),
    }),
  ],
  ['half a bundle', 'bundle-malformed', () => ({ bundle: good.bundle.slice(0, good.bundle.length / 2) })],
  ['an empty bundle', 'bundle-malformed', () => ({ bundle: '' })],
]

describe('one bundle, judged alone', () => {
  test('passes in this process and by Cosign', async () => {
    const verified = await verifyInProcess(good.bundle, expectation({ ...good }))
    expect(verified.identity).toBeNull()
    expect(verified.statement.predicateType).toBe(PREDICATE.signature)
    expect(await byCosign({})).toBe('nothing was thrown')
  })

  test.each(REFUSED)('with %s fails in this process and by Cosign', async (_name, reason, change) => {
    const given = { ...good, ...change() }
    expect(await reasonOfAsync(verifyInProcess(given.bundle, expectation(given)))).toBe(reason)
    expect(await byCosign(change())).toBe('verify-failed')
  })
})

function expectation(given: typeof good & { predicateType?: string }): BundleExpectation {
  const trust = { kind: 'key', publicKey: given.publicKey } as const
  return { trust, digest: given.digest, predicateType: given.predicateType ?? PREDICATE.signature }
}

async function byCosign(change: ReturnType<Case[2]>): Promise<string> {
  const given = { ...good, predicateType: PREDICATE.signature, ...change }
  const dir = join(desk.dir, 'one')
  await mkdir(dir, { recursive: true })
  const [bundle, publicKey] = [join(dir, 'bundle.json'), join(dir, 'key.pub')]
  await writeFile(bundle, given.bundle)
  await writeFile(publicKey, given.publicKey)
  const cosign = { commands: desk.commands, program: desk.services.cosign }
  return reasonOfAsync(
    verifyBundle(cosign, { ...given, bundle, signer: { kind: 'key', publicKeyFile: publicKey } }),
  )
}

test('the configuration without services is the one Cosign itself makes', async () => {
  const program = desk.services.cosign
  for (const [command, ours] of [
    ['signing-config', NO_SERVICES],
    ['trusted-root', NO_ROOTS],
  ] as const) {
    const out = join(desk.dir, `${command}.json`)
    const args = [command, 'create', '--out', out]
    await desk.commands.run({ program, args, grant: 'signer', timeoutMs: 60_000 })
    expect(JSON.parse(await readFile(out, 'utf8'))).toEqual(JSON.parse(ours))
  }
})
