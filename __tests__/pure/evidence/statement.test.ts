import { parseBundle } from '../../../src/evidence/bundle.js'
import type { Digest } from '../../../src/evidence/digest.js'
import {
  cyclonedxStatement,
  encodeStatement,
  isRehearsal,
  parseStatement,
  signatureStatement,
  spdxStatement,
  subjectDigests,
  summaryStatement,
  vulnerabilityStatement,
  type SummaryFacts,
} from '../../../src/evidence/statement.js'
import type { ImageSubject, PlatformImage } from '../../../src/evidence/subject.js'
import { gateError } from '../../support/gate-error.js'

function digest(character: string): Digest {
  return `sha256:${character.repeat(64)}`
}

function child(character: string, platform: string): PlatformImage {
  const config = { user: '', env: [], entrypoint: [], cmd: [], labels: {}, exposedPorts: [], history: [] }
  const manifest = {
    mediaType: 'application/vnd.oci.image.manifest.v1+json',
    digest: digest(character),
    size: 1,
  }
  return { platform, manifest, configDigest: digest('f'), configSize: 1, layers: [], config }
}

const IMAGE: ImageSubject = {
  name: 'ghcr.io/acme/app',
  digest: digest('a'),
  mediaType: 'application/vnd.oci.image.index.v1+json',
  size: 1,
  platforms: [child('b', 'linux/amd64'), child('c', 'linux/arm64')],
}
const SINGLE: ImageSubject = { ...IMAGE, digest: digest('b'), platforms: [child('b', 'linux/amd64')] }
const FACTS: SummaryFacts = {
  image: IMAGE,
  version: '1.2.3',
  repository: 'ghcr.io/acme/app',
  policy: { uri: 'working tree', sha256: 'd'.repeat(64) },
  inputs: [{ predicateType: 'https://spdx.dev/Document', bundleSha256: 'e'.repeat(64) }],
  passed: true,
  timeVerified: '2026-11-22T10:00:00.000Z',
  rehearsal: false,
}
const CHILD = { name: 'ghcr.io/acme/app', digest: digest('b') }

test('the signature is over index and children, once each, with an empty predicate', () => {
  expect(subjectDigests(signatureStatement(IMAGE, false))).toEqual([digest('a'), digest('b'), digest('c')])
  expect(subjectDigests(signatureStatement(SINGLE, false))).toEqual([digest('b')])
  expect(signatureStatement(SINGLE, false)).toEqual({
    _type: 'https://in-toto.io/Statement/v1',
    subject: [{ name: 'ghcr.io/acme/app', digest: { sha256: 'b'.repeat(64) } }],
    predicateType: 'https://sigstore.dev/cosign/sign/v1',
    predicate: {},
  })
})

test('SBOMs and vulnerability reports are over exactly one child', () => {
  const database = { sha256: '1'.repeat(64), updatedAt: '2026-11-21T00:00:00Z', origin: 'folder' }
  const statements = [
    spdxStatement(CHILD, { spdxVersion: 'SPDX-2.3' }),
    cyclonedxStatement(CHILD, { bomFormat: 'CycloneDX' }),
    vulnerabilityStatement(CHILD, {
      scan: { imageId: digest('f'), packages: [], findings: [] },
      scanner: { name: 'trivy', version: '0.74.0' },
      database,
      scannedAt: '2026-11-22T10:00:00Z',
    }),
  ]
  expect(statements.map(one => [one.predicateType, subjectDigests(one)])).toEqual([
    ['https://spdx.dev/Document', [digest('b')]],
    ['https://cyclonedx.org/bom', [digest('b')]],
    ['https://cosign.sigstore.dev/attestation/vuln/v1', [digest('b')]],
  ])
})

test.each([null, [], 'text', {}, { spdxVersion: 2 }, { bomFormat: 'CycloneDX' }])(
  '%j is not attested as SPDX document',
  document => {
    expect(() => spdxStatement(CHILD, document)).toThrow(gateError({ reason: 'sbom-malformed' }))
  },
)

test('the summary names policy, inputs and result, and claims no SLSA level', () => {
  const { predicate, subject } = summaryStatement(FACTS)
  expect(subject).toHaveLength(3)
  expect(predicate).toEqual({
    verifier: { id: 'https://github.com/OWNER/portcullis', version: { portcullis: '1.2.3' } },
    timeVerified: '2026-11-22T10:00:00.000Z',
    resourceUri: `pkg:oci/app@sha256%3A${'a'.repeat(64)}?repository_url=ghcr.io/acme/app`,
    policy: { uri: 'working tree', digest: { sha256: 'd'.repeat(64) } },
    inputAttestations: [{ uri: 'https://spdx.dev/Document', digest: { sha256: 'e'.repeat(64) } }],
    verificationResult: 'PASSED',
    verifiedLevels: ['PORTCULLIS_POLICY_MET'],
    slsaVersion: '1.2',
  })
  const failed = summaryStatement({ ...FACTS, passed: false }).predicate
  expect(failed).toMatchObject({ verificationResult: 'FAILED', verifiedLevels: ['FAILED'] })
  expect(JSON.stringify([predicate, failed])).not.toContain('SLSA_')
})

test('a rehearsal says so, in the signature and in the summary', () => {
  expect(isRehearsal(signatureStatement(IMAGE, true))).toBe(true)
  expect(isRehearsal(summaryStatement({ ...FACTS, rehearsal: true }))).toBe(true)
  expect(isRehearsal(signatureStatement(IMAGE, false))).toBe(false)
  expect(isRehearsal(summaryStatement(FACTS))).toBe(false)
})

test('what is encoded reads back the same', () => {
  for (const statement of [signatureStatement(IMAGE, true), summaryStatement(FACTS)]) {
    expect(parseStatement(encodeStatement(statement))).toEqual(statement)
  }
})

const GOOD = {
  _type: 'https://in-toto.io/Statement/v1',
  subject: [{ name: 'x', digest: { sha256: 'a'.repeat(64) } }],
  predicateType: 'https://example.org/p',
  predicate: {},
}
test.each<[string, unknown]>([
  ['an older statement', { ...GOOD, _type: 'https://in-toto.io/Statement/v0.1' }],
  ['no subject', { ...GOOD, subject: [] }],
  ['a subject without SHA-256', { ...GOOD, subject: [{ name: 'x', digest: { sha512: 'a'.repeat(128) } }] }],
  ['a digest in capitals', { ...GOOD, subject: [{ name: 'x', digest: { sha256: 'A'.repeat(64) } }] }],
  ['a digest that is a list', { ...GOOD, subject: [{ name: 'x', digest: { sha256: ['a'.repeat(64)] } }] }],
  ['no predicate type', { ...GOOD, predicateType: '' }],
  ['a predicate that is text', { ...GOOD, predicate: 'x' }],
  ['a list', [GOOD]],
  ['nothing', null],
  ['201 subjects', { ...GOOD, subject: Array.from({ length: 201 }, () => GOOD.subject[0]) }],
])('a statement with %s is refused', (_name, value) => {
  expect(() => parseStatement(JSON.stringify(value))).toThrow(
    gateError({ code: 'integrity', reason: 'statement-malformed' }),
  )
})

test('text that is no JSON, or too deep, is refused', () => {
  for (const text of ['', '{', '[1,', '\u0000', '['.repeat(200_000)]) {
    expect(() => parseStatement(text)).toThrow(gateError({ reason: 'statement-malformed' }))
  }
})

const BUNDLE = {
  mediaType: 'application/vnd.dev.sigstore.bundle.v0.3+json',
  verificationMaterial: { publicKey: { hint: 'h' } },
  dsseEnvelope: {
    payload: Buffer.from('{"a":"é"}').toString('base64'),
    payloadType: 'application/vnd.in-toto+json',
    signatures: [{ sig: 'AAAA' }],
  },
}
test('a bundle is read without believing it', () => {
  expect(parseBundle(JSON.stringify(BUNDLE))).toEqual({
    payload: '{"a":"é"}',
    payloadType: 'application/vnd.in-toto+json',
    keyHint: 'h',
  })
})

test.each<[string, unknown]>([
  ['another version', { ...BUNDLE, mediaType: 'application/vnd.dev.sigstore.bundle.v0.2+json' }],
  ['no envelope', { ...BUNDLE, dsseEnvelope: undefined, messageSignature: {} }],
  [
    'two signatures',
    { ...BUNDLE, dsseEnvelope: { ...BUNDLE.dsseEnvelope, signatures: [{ sig: 'AA==' }, { sig: 'AA==' }] } },
  ],
  ['no signature', { ...BUNDLE, dsseEnvelope: { ...BUNDLE.dsseEnvelope, signatures: [] } }],
  ['an empty signature', { ...BUNDLE, dsseEnvelope: { ...BUNDLE.dsseEnvelope, signatures: [{ sig: '' }] } }],
  ['a payload that is no base64', { ...BUNDLE, dsseEnvelope: { ...BUNDLE.dsseEnvelope, payload: 'ä' } }],
  ['a payload that is no UTF-8', { ...BUNDLE, dsseEnvelope: { ...BUNDLE.dsseEnvelope, payload: '/w==' } }],
  ['no material', { ...BUNDLE, verificationMaterial: null }],
  ['a list', [BUNDLE]],
])('a bundle with %s is refused', (_name, value) => {
  expect(() => parseBundle(JSON.stringify(value))).toThrow(
    gateError({ code: 'integrity', reason: 'bundle-malformed' }),
  )
})
