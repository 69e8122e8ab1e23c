import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { PREDICATE } from '../../../src/evidence/statement.js'
import type { ReleaseOutcome, ReleaseRequest } from '../../../src/release/request.js'
import { releaseImage } from '../../../src/release/release.js'
import { verifyAsConsumer } from '../../../src/release/verify.js'
import { attachBundle } from '../../../src/registry/attach.js'
import { NOTHING_EARLIER } from '../../../src/release/resume.js'
import { openSigner } from '../../../src/release/sign.js'
import { openKeySignatory } from '../../../src/release/signatory.js'
import { planStatements } from '../../../src/release/plan.js'
import type { Answer, Lie, SeenRequest } from '../../support/lying-registry.js'
import { pushLayout } from '../../../src/release/push.js'
import { builtProgram } from '../../support/programs.js'
import { NOW, openDesk, type Desk } from '../../support/release-desk.js'

let desk: Desk
beforeAll(async () => {
  desk = await openDesk()
})
afterAll(() => desk.close())
beforeEach(() => desk.registry.lie(null))

async function realTags(request: ReleaseRequest): Promise<readonly string[]> {
  const { stdout } = await promisify(execFile)(
    builtProgram('crane').path,
    ['ls', `${desk.embedded.host}/${request.image.path}`],
    { env: { HOME: desk.dir } },
  ).catch((error: unknown) => {
    if (String(error).includes('NAME_UNKNOWN')) return { stdout: '' }
    throw error
  })
  return stdout.split('\n').filter(tag => tag !== '' && !tag.startsWith('sha256-'))
}

async function releaseUnder(
  lie: (request: ReleaseRequest) => (seen: SeenRequest) => Lie | null,
): Promise<{ readonly request: ReleaseRequest; readonly outcome: ReleaseOutcome }> {
  const request = await desk.request()
  desk.registry.lie(lie(request))
  const outcome = await releaseImage(desk.services, request)
  desk.registry.lie(null)
  return { request, outcome }
}

function flipped(answer: Answer): Answer {
  const body = Buffer.from(answer.body)
  body[body.length - 2] = (body.at(-2) ?? 0) ^ 1
  return { ...answer, body }
}

function layerOf(request: ReleaseRequest): string {
  return request.layout.subject.platforms[0]?.layers[0]?.digest ?? ''
}

type Liar = (request: ReleaseRequest) => (seen: SeenRequest) => Lie | null
const LIARS: readonly (readonly [string, string, Liar])[] = [
  ['is gone', 'registry-unreachable', () => () => 'cut'],
  ['never answers', 'registry-timeout', () => () => 'hang'],
  ['refuses the login', 'registry-refused', () => () => ({ status: 401 })],
  ['forbids the push', 'registry-refused', () => seen => (seen.method === 'POST' ? { status: 403 } : null)],
  ['is broken', 'registry-unavailable', () => () => ({ status: 503 })],
  [
    'refuses the digest',
    'digest-not-accepted',
    () => seen =>
      seen.method === 'PUT' && seen.path.includes('/manifests/sha256:')
        ? {
            status: 400,
            headers: { 'content-type': 'application/json' },
            body: '{"errors":[{"code":"DIGEST_INVALID","message":"no"}]}',
          }
        : null,
  ],
  [
    'serves another layer',
    'served-bytes-differ',
    request => seen =>
      seen.method === 'GET' && seen.path.endsWith(`/blobs/${layerOf(request)}`) ? { rewrite: flipped } : null,
  ],
  [
    'serves a shorter layer',
    'served-bytes-differ',
    request => seen =>
      seen.method === 'GET' && seen.path.endsWith(`/blobs/${layerOf(request)}`)
        ? { rewrite: answer => ({ ...answer, body: answer.body.subarray(1) }) }
        : null,
  ],
  [
    'serves another manifest',
    'served-bytes-differ',
    request => seen =>
      seen.method === 'GET' && seen.path.endsWith(`/manifests/${request.layout.subject.digest}`)
        ? { rewrite: answer => ({ ...answer, body: Buffer.concat([answer.body, Buffer.from(' ')]) }) }
        : null,
  ],
  [
    'serves the manifest under another type',
    'served-bytes-differ',
    request => seen =>
      seen.method === 'GET' && seen.path.endsWith(`/manifests/${request.layout.subject.digest}`)
        ? {
            rewrite: answer => ({
              ...answer,
              headers: { ...answer.headers, 'content-type': 'application/vnd.oci.image.index.v1+json' },
            }),
          }
        : null,
  ],
  [
    'has no configuration',
    'served-bytes-differ',
    request => seen =>
      seen.method === 'GET' &&
      seen.path.endsWith(`/blobs/${request.layout.subject.platforms[0]?.configDigest ?? ''}`)
        ? { status: 404 }
        : null,
  ],
  [
    'forgets an attestation',
    'attach-lost',
    () => seen =>
      seen.method === 'GET' && seen.path.includes('/manifests/sha256-') ? { rewrite: withoutLast } : null,
  ],
  [
    'takes no attestation',
    'registry-unavailable',
    () => seen =>
      seen.method === 'PUT' && seen.path.includes('/manifests/sha256-') ? { status: 503 } : null,
  ],
  [
    'hangs when it is given an attestation',
    'registry-timeout',
    () => seen => (seen.method === 'PUT' && seen.path.includes('/manifests/sha256-') ? 'hang' : null),
  ],
  [
    'answers HEAD with another digest than GET',
    'attach-lost',
    request => seen =>
      seen.method === 'HEAD' && seen.path.endsWith(`/manifests/${request.layout.subject.digest}`)
        ? { rewrite: answer => ({ ...answer, headers: { ...answer.headers, ...OTHER_DIGEST } }) }
        : null,
  ],
  [
    'says it has a layer that it has not',
    'served-bytes-differ',
    request => seen =>
      seen.path.endsWith(`/blobs/${layerOf(request)}`) && seen.method === 'HEAD'
        ? { status: 200, headers: { 'content-length': '1', 'docker-content-digest': layerOf(request) } }
        : null,
  ],
  [
    'takes a layer and throws it away',
    'served-bytes-differ',
    request => seen =>
      seen.method === 'PUT' && seen.path.includes(encodeURIComponent(layerOf(request)))
        ? { status: 201, headers: { 'docker-content-digest': layerOf(request) } }
        : null,
  ],
  [
    'lets the list of attestations be written once and never again (409)',
    'fallback-refused',
    () => writtenOnce(409),
  ],
  [
    'lets the list of attestations be written once and never again (403)',
    'fallback-refused',
    () => writtenOnce(403),
  ],
  [
    'never lets the list of attestations be written',
    'fallback-refused',
    () => seen =>
      seen.method === 'PUT' && seen.path.includes('/manifests/sha256-') ? { status: 400 } : null,
  ],
  [
    'answers 429 to every upload for ever',
    'registry-unavailable',
    () => seen => (seen.method === 'PATCH' || seen.method === 'PUT' ? { status: 429 } : null),
  ],
  [
    'cuts every upload',
    'registry-unreachable',
    () => seen => (seen.method === 'PATCH' || seen.method === 'PUT' ? 'cut' : null),
  ],
  [
    'is slower than it is waited for',
    'registry-timeout',
    () => seen => (seen.method === 'GET' && seen.path.includes('/blobs/') ? { afterMs: 60_000 } : null),
  ],
  [
    'points the new tag elsewhere',
    'tag-moved',
    () => {
      let put = false
      return seen => {
        if (!seen.path.endsWith('/manifests/1.0.0')) return null
        if (seen.method === 'PUT') put = true
        return put && seen.method === 'GET'
          ? { rewrite: answer => ({ ...answer, body: Buffer.concat([answer.body, Buffer.from(' ')]) }) }
          : null
      }
    },
  ],
]

const OTHER_DIGEST = { 'docker-content-digest': `sha256:${'0'.repeat(64)}` }

/** As registries with immutable tags and without the referrers interface do. */
function writtenOnce(status: number): (seen: SeenRequest) => Lie | null {
  return seen =>
    seen.method === 'PUT' && seen.path.includes('/manifests/sha256-') && seen.count > 1 ? { status } : null
}

function withoutLast(answer: Answer): Answer {
  if (answer.status !== 200) return answer
  const index = JSON.parse(answer.body.toString()) as { manifests: unknown[] }
  return {
    ...answer,
    body: Buffer.from(JSON.stringify({ ...index, manifests: index.manifests.slice(0, -1) })),
  }
}

describe('no tag is set by us when the registry', () => {
  test.each(LIARS)('%s: %s', async (_name, reason, lie) => {
    const { request, outcome } = await releaseUnder(lie)
    expect(outcome.problems.map(one => one.reason)).toEqual([reason])
    expect(outcome.record.state).toBe('failed')
    expect(outcome.record.tags).toEqual([])
    if (reason !== 'tag-moved') expect(await realTags(request)).toEqual([])
    else expect(await realTags(request)).toEqual(['1.0.0'])
  })

  test('lets someone else take the tag meanwhile: tag-moved, and it is left alone', async () => {
    const other = await desk.request()
    const { request, outcome } = await releaseUnder(
      () => seen =>
        seen.method === 'GET' && seen.path.endsWith('/manifests/1.0.0') && seen.count === 2
          ? { status: 200, headers: { 'content-type': other.layout.subject.mediaType }, body: '{}' }
          : null,
    )
    expect(outcome.problems.map(one => one.reason)).toEqual(['tag-moved'])
    expect(await realTags(request)).toEqual([])
  })
})

test('a tag that fails leaves the ones before it set and recorded, and the ones after it unset', async () => {
  const { request, outcome } = await releaseUnder(
    () => seen => (seen.method === 'PUT' && seen.path.endsWith('/manifests/latest') ? { status: 403 } : null),
  )
  expect(outcome.problems.map(one => one.reason)).toEqual(['registry-refused'])
  expect(outcome.record).toMatchObject({ state: 'failed', tags: [{ tag: '1.0.0', state: 'created' }] })
  expect(outcome.record.bundles.length).toBeGreaterThan(0)
  expect(await realTags(request)).toEqual(['1.0.0'])
})

test('a burst of 503 and 429 with retry-after passes', async () => {
  const { outcome } = await releaseUnder(() => seen => {
    if (seen.method === 'PUT' || seen.method === 'POST') return null
    return seen.count === 1 && !seen.path.endsWith('/v2/') && seen.headers['user-agent'] === 'node'
      ? { status: seen.path.includes('blobs') ? 503 : 429, headers: { 'retry-after': '0' } }
      : null
  })
  expect(outcome.problems).toEqual([])
  expect(outcome.record.state).toBe('released')
})

describe('is waited for while the registry', () => {
  const crane = (seen: SeenRequest): boolean =>
    !['GET', 'HEAD'].includes(seen.method) && seen.headers['user-agent']?.startsWith('crane') === true
  test.each<[string, () => (seen: SeenRequest) => Lie | null]>([
    ['answers 503 to four uploads in a row', () => burst(4, crane, { status: 503 })],
    ['answers 429 to two uploads in a row', () => burst(2, crane, { status: 429 })],
    ['cuts three uploads in a row', () => burst(3, crane, 'cut')],
    [
      'cuts each first answer to us',
      () => seen => (seen.method === 'GET' && seen.count === 1 ? 'cut' : null),
    ],
    ['takes its time for each blob', () => seen => (seen.path.includes('/blobs/') ? { afterMs: 200 } : null)],
  ])('%s', async (_name, lie) => {
    const { request, outcome } = await releaseUnder(lie)
    expect(outcome.problems).toEqual([])
    expect(outcome.record.state).toBe('released')
    expect(await realTags(request)).toEqual(['1.0.0', 'latest'])
  })

  function burst(
    most: number,
    kind: (seen: SeenRequest) => boolean,
    lie: Lie,
  ): (seen: SeenRequest) => Lie | null {
    let told = 0
    return seen => {
      if (!kind(seen) || told >= most) return null
      told += 1
      return lie
    }
  }
})

test.each([409, 412, 400])(
  'a tag that the registry never moves is a problem of its own (HTTP %d)',
  async status => {
    const body = JSON.stringify({ errors: [{ code: 'TAG_INVALID', message: 'the tag is immutable' }] })
    const { outcome } = await releaseUnder(
      () => seen =>
        seen.method === 'PUT' && seen.path.endsWith('/manifests/1.0.0')
          ? { status, headers: { 'content-type': 'application/json' }, body }
          : null,
    )
    expect(outcome.problems.map(one => one.reason)).toEqual(['tag-immutable'])
    expect(outcome.record.tags).toEqual([])
  },
)

test('an image that carries only an SBOM attestation is not taken as signed, though cosign verify passes', async () => {
  const request = await desk.request()
  if (request.signing.kind !== 'key') throw new Error('the desk signs with a key')
  const { commands, crane, cosign } = desk.services
  await pushLayout({ commands, program: crane }, request.image, request.layout)
  const folders = { ...request, privateDir: request.workDir }
  const key = await openKeySignatory(desk.services, request.signing, folders)
  const signer = await openSigner(key, request, NOTHING_EARLIER)
  const planned = (await planStatements(request)).find(one => one.predicateType === PREDICATE.spdx)
  if (planned === undefined) throw new Error('no SBOM is planned')
  const { bundle } = await signer.sign(planned)
  await attachBundle({
    image: request.image,
    credentials: null,
    digest: request.layout.subject.digest,
    bundle,
    predicateType: PREDICATE.spdx,
    created: NOW.toISOString(),
    signal: desk.services.signal,
  })
  const publicKeyFile = `${desk.keyFile.slice(0, -'.key'.length)}.pub`
  const reference = `${request.image.name}@${request.layout.subject.digest}`
  const args = ['verify', '--key', publicKeyFile, '--insecure-ignore-tlog', reference]
  await promisify(execFile)(builtProgram('cosign').path, args, { env: { HOME: desk.dir } })
  const subject = { image: request.image, digest: request.layout.subject.digest, signed: [] }
  await expect(
    verifyAsConsumer({ commands, program: cosign }, subject, { kind: 'key', publicKeyFile }),
  ).rejects.toMatchObject({
    reason: 'signature-absent',
  })
})

test('a run that is stopped sets no tag and says so', async () => {
  const request = await desk.request()
  const stop = new AbortController()
  desk.registry.lie(seen => {
    if (seen.method === 'PUT' && seen.path.includes('/manifests/sha256-')) stop.abort()
    return null
  })
  const outcome = await releaseImage({ ...desk.services, signal: stop.signal }, request)
  expect(outcome.problems).toMatchObject([{ code: 'cancelled', reason: 'cancelled' }])
  expect(outcome.record.state).toBe('failed')
  expect(await realTags(request)).toEqual([])
})
