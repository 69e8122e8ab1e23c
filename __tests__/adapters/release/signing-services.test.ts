import type { SigningLimits } from '../../../src/release/patience.js'
import { releaseImage } from '../../../src/release/release.js'
import type { ReleaseRequest } from '../../../src/release/request.js'
import { openKeylessDesk, type KeylessDesk } from '../../support/keyless-desk.js'
import type { IssuerTrouble } from '../../support/token-issuer.js'
import type { Trouble, TroubledService } from '../../support/troubled-service.js'

let place: KeylessDesk
beforeAll(async () => {
  place = await openKeylessDesk()
})
afterAll(() => place.close())

const SERVICES = ['fulcio', 'timestamps', 'rekor'] as const
type Service = (typeof SERVICES)[number]
const WORDS = { fulcio: /Fulcio/, timestamps: /timestamp authority/, rekor: /Rekor/ }

beforeEach(async () => {
  place.sigstore.issuer.claim({})
  place.sigstore.issuer.trouble(null)
  for (const name of SERVICES) {
    place.sigstore[name].trouble(null)
    await place.sigstore[name].up()
  }
})

/** Waits as long as a test may: one short try after another. */
const PATIENT = { attemptMs: 20_000, budgetMs: 60_000, pauseMs: 50, maxPauseMs: 200 }
const BRIEF = { attemptMs: 20_000, budgetMs: 1000, pauseMs: 50, maxPauseMs: 200 }

/** A release with the log and two statements alone: signature and summary. */
async function small(waiting: Partial<SigningLimits>): Promise<ReleaseRequest> {
  const request = await place.request(place.sigstore.withLog, { waiting })
  return { ...request, evidence: { ...request.evidence, platforms: [] } }
}

async function nothingTagged(request: ReleaseRequest): Promise<void> {
  const answer = await fetch(`http://${place.desk.embedded.host}/v2/${request.image.path}/tags/list`)
  const body = (await answer.json()) as { readonly tags?: readonly string[] | null }
  expect(body.tags ?? []).toEqual([])
}

describe.each(SERVICES)('%s', name => {
  const service = (): TroubledService => place.sigstore[name]

  test.each<readonly [string, (count: number) => Trouble | null]>([
    ['answers 503 once', count => (count === 1 ? { status: 503 } : null)],
    ['cuts two connections and is slow', count => (count <= 2 ? 'cut' : { late: 300 })],
  ])('%s: waited out, released', async (_what, rule) => {
    service().trouble(rule)
    const request = await small(PATIENT)
    const outcome = await releaseImage(place.services, request)
    expect([outcome.problems, outcome.record.state]).toEqual([[], 'released'])
  })

  test('comes back while it is waited for', async () => {
    await service().down()
    const timer = setTimeout(() => void service().up(), 1500)
    const request = await small(PATIENT)
    const outcome = await releaseImage(place.services, request)
    clearTimeout(timer)
    expect([outcome.problems, outcome.record.state]).toEqual([[], 'released'])
  })

  test.each<readonly [string, Trouble | 'down', string, Partial<typeof BRIEF>]>([
    ['is down', 'down', 'signing-service-unreachable', {}],
    ['hangs', 'hang', 'signing-service-timeout', { attemptMs: 3000 }],
    ['answers 500', { status: 500 }, 'signing-service-unavailable', {}],
    ['refuses', { status: 403 }, 'signing-service-refused', {}],
  ])('%s for ever: incomplete, nothing tagged', async (_what, trouble, reason, limits) => {
    if (trouble === 'down') await service().down()
    else service().trouble(() => trouble)
    const request = await small({ ...BRIEF, ...limits })
    const outcome = await releaseImage(place.services, request)
    expect(outcome.problems.map(one => [one.stage, one.code, one.reason])).toEqual([
      ['release', 'service', reason],
    ])
    if (namesItself(name, reason)) expect(outcome.problems[0]?.message).toMatch(WORDS[name])
    expect(outcome.record).toMatchObject({ state: 'failed', bundles: [], tags: [] })
    await nothingTagged(request)
  })
})

/** Cosign keeps no word of who hung when we end it, nor of whose 5xx it tried again in vain. */
function namesItself(name: Service, reason: string): boolean {
  if (reason === 'signing-service-timeout') return false
  return reason !== 'signing-service-unavailable' || name === 'rekor'
}

test.each<readonly [string, IssuerTrouble, string, string]>([
  ['is down', 'cut', 'service', 'id-token-unavailable'],
  ['answers 503', { status: 503 }, 'service', 'id-token-unavailable'],
  ['refuses', { status: 401 }, 'config', 'id-token-refused'],
])('a token service that %s: nothing is even pushed', async (_what, trouble, code, reason) => {
  place.sigstore.issuer.trouble(() => trouble)
  const request = await small(BRIEF)
  const before = place.desk.registry.requests.length
  const outcome = await releaseImage(place.services, request)
  expect(outcome.problems.map(one => [one.code, one.reason])).toEqual([[code, reason]])
  expect(outcome.record.tags).toEqual([])
  expect(place.desk.registry.requests).toHaveLength(before)
})

test('a run that is stopped while it waits for a service ends soon, and sets no tag', async () => {
  await place.sigstore.fulcio.down()
  const stop = new AbortController()
  const request = await small(PATIENT)
  const running = releaseImage({ ...place.services, signal: stop.signal }, request)
  setTimeout(() => stop.abort('SIGINT'), 1500)
  const outcome = await running
  expect(outcome.problems.map(one => one.reason)).toEqual(['cancelled'])
  await nothingTagged(request)
})
