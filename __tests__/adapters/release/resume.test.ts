import type { Digest } from '../../../src/evidence/digest.js'
import { PREDICATE } from '../../../src/evidence/statement.js'
import { openRegistry } from '../../../src/registry/registry.js'
import { attachBundle } from '../../../src/registry/attach.js'
import { listReferrers } from '../../../src/registry/referrers.js'
import { releaseImage } from '../../../src/release/release.js'
import { planStatements, signedDigests } from '../../../src/release/plan.js'
import type { ReleaseRequest } from '../../../src/release/request.js'
import { STATEMENT_ANNOTATION, statementHash } from '../../../src/release/resume.js'
import type { SeenRequest } from '../../support/lying-registry.js'
import { openDesk, type Desk } from '../../support/release-desk.js'

let desk: Desk
beforeAll(async () => {
  desk = await openDesk()
})
afterAll(() => desk.close())
beforeEach(() => desk.registry.lie(null))

/** Every referrer of every digest of the release, `DIGEST -> how many of each predicate type`. */
async function hanging(request: ReleaseRequest): Promise<Readonly<Record<string, readonly string[]>>> {
  const { signal } = desk.services
  const registry = openRegistry({ image: request.image, credentials: null, access: 'pull', signal })
  const entries = signedDigests(request).map(async (digest): Promise<[Digest, readonly string[]]> => {
    const listed = await listReferrers(registry, digest)
    return [digest, listed.map(one => one.annotations['dev.sigstore.bundle.predicateType'] ?? '').sort()]
  })
  return Object.fromEntries(await Promise.all(entries))
}

function eachOnce(listed: Readonly<Record<string, readonly string[]>>): boolean {
  return Object.values(listed).every(types => new Set(types).size === types.length)
}

/** True once `count` requests of the kind came, and for every one after them. */
function after(count: number, kind: (seen: SeenRequest) => boolean): (seen: SeenRequest) => 'cut' | null {
  let came = 0
  return seen => {
    if (kind(seen)) came += 1
    return came > count ? 'cut' : null
  }
}

describe('a release that broke is gone on with', () => {
  const uploads = (seen: SeenRequest): boolean => seen.method === 'POST' || seen.method === 'PATCH'
  const manifests = (seen: SeenRequest): boolean => seen.method === 'PUT' && seen.path.includes('/manifests/')
  test.each([
    ['at the first upload', 0, uploads],
    ['before the image is whole', 0, manifests],
    ['before the first bundle hangs', 3, manifests],
    ['between the bundles', 6, manifests],
    ['between the bundles, later', 11, manifests],
    ['at the last bundle', 16, manifests],
  ] as const)('%s', async (_what, count, kind) => {
    const request = await desk.request(2)
    desk.registry.lie(after(count, kind))
    const broken = await releaseImage(desk.services, request)
    expect([broken.record.state, broken.record.tags]).not.toContain('released')
    expect(broken.problems.length).toBeGreaterThan(0)
    desk.registry.lie(null)
    const again = await releaseImage(desk.services, request)
    expect(again.problems).toEqual([])
    expect(again.record.state).toBe('released')
    const listed = await hanging(request)
    expect(eachOnce(listed)).toBe(true)
    expect(Object.values(listed).flat()).toHaveLength(again.record.bundles.length)
  })

  test('one that is complete is verified again, and nothing is added', async () => {
    const request = await desk.request(2)
    const first = await releaseImage(desk.services, request)
    const before = await hanging(request)
    const again = await releaseImage(desk.services, request)
    expect(again.problems).toEqual([])
    expect(again.record.bundles).toEqual(first.record.bundles)
    expect(await hanging(request)).toEqual(before)
    expect(again.record.tags.map(one => one.state)).toEqual(['kept', 'kept'])
  })

  test('what only claims to be a bundle of ours is not believed', async () => {
    const request = await desk.request()
    const { digest } = request.layout.subject
    const [planned] = await planStatements(request)
    if (planned === undefined) throw new Error('nothing is planned')
    const pushed = await releaseImage(desk.services, { ...request, signing: { kind: 'none' } })
    expect(pushed.record.state).toBe('pushed')
    await attachBundle({
      image: request.image,
      credentials: null,
      digest,
      bundle: Buffer.from('{"no": "bundle"}'),
      predicateType: PREDICATE.signature,
      created: '2026-11-22T00:00:00Z',
      annotations: { [STATEMENT_ANNOTATION]: statementHash(planned) },
      signal: desk.services.signal,
    })
    const outcome = await releaseImage(desk.services, request)
    expect(outcome.problems).toEqual([])
    expect((await hanging(request))[digest]?.filter(type => type === PREDICATE.signature)).toHaveLength(2)
    expect(outcome.record.bundles.filter(one => one.predicateType === PREDICATE.signature)).toHaveLength(1)
  })
})
