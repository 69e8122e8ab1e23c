import {
  admissionProblem,
  identityProblem,
  readIdentity,
  type AllowedIdentity,
  type CertificateExtension,
  type SignerIdentity,
} from '../../../src/evidence/identity.js'
import { reasonOf } from '../../support/reasons.js'

const ARC = '1.3.6.1.4.1.57264.1'

function der(text: string): Buffer {
  const bytes = Buffer.from(text)
  const length =
    bytes.length < 0x80
      ? [bytes.length]
      : bytes.length < 0x100
        ? [0x81, bytes.length]
        : [0x82, bytes.length >> 8, bytes.length & 0xff]
  return Buffer.concat([Buffer.from([0x0c, ...length]), bytes])
}

function extension(arc: number, text: string): CertificateExtension {
  return { oid: `${ARC}.${String(arc)}`, value: der(text) }
}

const ISSUER = extension(8, 'https://issuer')
const SUBJECT = 'https://github.com/o/r/.github/workflows/w.yml@refs/heads/main'

describe('the identity in a certificate', () => {
  test('is read field by field; what is not stated is absent', () => {
    const extensions = [
      ISSUER,
      extension(11, 'github-hosted'),
      extension(12, 'https://github.com/o/r'),
      extension(13, 'c'.repeat(40)),
      extension(14, 'refs/heads/main'),
      extension(15, '1001'),
      extension(17, '2002'),
      extension(18, SUBJECT),
      extension(20, 'push'),
      extension(21, 'https://github.com/o/r/actions/runs/3/attempts/1'),
    ]
    expect(readIdentity(SUBJECT, extensions)).toEqual({
      issuer: 'https://issuer',
      subject: SUBJECT,
      runnerEnvironment: 'github-hosted',
      repository: 'https://github.com/o/r',
      commit: 'c'.repeat(40),
      ref: 'refs/heads/main',
      repositoryId: '1001',
      ownerId: '2002',
      workflow: SUBJECT,
      trigger: 'push',
      run: 'https://github.com/o/r/actions/runs/3/attempts/1',
    })
    expect(readIdentity(SUBJECT, [ISSUER])).toEqual({ issuer: 'https://issuer', subject: SUBJECT })
  })

  test.each([1, 127, 128, 255, 256, 1024])('takes a text of %d bytes', length => {
    const { ref } = readIdentity(SUBJECT, [ISSUER, extension(14, 'r'.repeat(length))])
    expect(ref).toHaveLength(length)
  })

  const broken = (bytes: readonly number[]): CertificateExtension => ({
    oid: `${ARC}.14`,
    value: Uint8Array.from(bytes),
  })
  test.each<readonly [string, string | undefined, readonly CertificateExtension[]]>([
    ['no subject', undefined, [ISSUER]],
    ['an empty subject', '', [ISSUER]],
    ['a subject of 2 KiB', 's'.repeat(2048), [ISSUER]],
    ['no issuer', SUBJECT, []],
    ['the old issuer field alone', SUBJECT, [{ oid: `${ARC}.1`, value: Buffer.from('https://issuer') }]],
    ['two issuers', SUBJECT, [ISSUER, extension(8, 'https://other')]],
    ['two refs', SUBJECT, [ISSUER, extension(14, 'a'), extension(14, 'b')]],
    ['a text that is too long', SUBJECT, [ISSUER, extension(14, 'r'.repeat(1025))]],
    [
      'text without its frame',
      SUBJECT,
      [ISSUER, { oid: `${ARC}.14`, value: Buffer.from('refs/heads/main') }],
    ],
    ['nothing', SUBJECT, [ISSUER, broken([])]],
    ['a frame that is too short', SUBJECT, [ISSUER, broken([0x0c, 1, 97, 98])]],
    ['a frame that is too long', SUBJECT, [ISSUER, broken([0x0c, 3, 97, 98])]],
    ['a frame without end', SUBJECT, [ISSUER, broken([0x0c, 0x80, 97, 0, 0])]],
    ['bytes that are no UTF-8', SUBJECT, [ISSUER, broken([0x0c, 1, 0xff])]],
    ['another kind of text', SUBJECT, [ISSUER, broken([0x16, 1, 97])]],
  ])('with %s is unreadable', (_what, subject, extensions) => {
    expect(reasonOf(() => readIdentity(subject, extensions))).toBe('identity-unreadable')
  })
})

const FOUND: Required<SignerIdentity> = {
  issuer: 'https://issuer',
  subject: SUBJECT,
  repository: 'https://github.com/o/r',
  repositoryId: '1001',
  ownerId: '2002',
  workflow: SUBJECT,
  ref: 'refs/heads/main',
  commit: 'c'.repeat(40),
  trigger: 'push',
  runnerEnvironment: 'github-hosted',
  run: 'https://github.com/o/r/actions/runs/3/attempts/1',
}

describe('an expected identity', () => {
  test('is met by itself, and by one that states more', () => {
    expect(identityProblem(FOUND, FOUND)).toBeUndefined()
    expect(identityProblem(FOUND, { issuer: FOUND.issuer, subject: FOUND.subject })).toBeUndefined()
  })

  test.each(Object.keys(FOUND))('is not met by another %s, nor by one that does not state it', name => {
    expect(identityProblem({ ...FOUND, [name]: `${FOUND[name as keyof SignerIdentity]}2` }, FOUND)).toMatch(
      `${name} is `,
    )
    expect(identityProblem({ ...FOUND, [name]: undefined }, FOUND)).toMatch(`${name} is not stated`)
  })
})

const ALLOWED: Required<AllowedIdentity> = {
  issuer: 'https://issuer',
  subject: SUBJECT,
  repositoryId: '1001',
  ownerId: '2002',
  workflow: '.github/workflows/w.yml',
  ref: 'refs/heads/main',
  trigger: 'push',
  runnerEnvironment: 'github-hosted',
}

describe('a policy that lists identities', () => {
  test('lets everybody in when it lists none', () => {
    expect(admissionProblem(FOUND, [])).toBeUndefined()
  })

  test('lets in whom one entry describes whole', () => {
    expect(admissionProblem(FOUND, [ALLOWED])).toBeUndefined()
    expect(admissionProblem(FOUND, [{ ...ALLOWED, ref: 'refs/heads/x' }, ALLOWED])).toBeUndefined()
  })

  test('lets nobody in by halves of two entries', () => {
    const halves = [
      { ...ALLOWED, ref: 'refs/heads/x' },
      { ...ALLOWED, trigger: 'release' },
    ]
    expect(admissionProblem(FOUND, halves)).toMatch(/none of the 2 identities/)
  })

  test.each(Object.keys(ALLOWED))('compares %s exactly', name => {
    expect(admissionProblem(FOUND, [{ ...ALLOWED, [name]: '*' }])).toMatch(`${name} is `)
  })

  test.each<readonly [string, Partial<SignerIdentity>]>([
    ['at another ref than the source', { subject: `${SUBJECT}2` }],
    ['of another repository', { subject: SUBJECT.replace('/o/r/', '/o/r2/') }],
    ['whose path ends alike', { subject: SUBJECT.replace('w.yml', 'x/.github/workflows/w.yml') }],
    ['without a stated repository', { repository: '' }],
  ])('takes no workflow %s', (_what, change) => {
    const { issuer, repositoryId, workflow } = ALLOWED
    const allowed = { issuer, repositoryId, workflow }
    expect(admissionProblem(FOUND, [allowed])).toBeUndefined()
    expect(admissionProblem({ ...FOUND, ...change }, [allowed])).toMatch(/workflow is /)
  })
})
