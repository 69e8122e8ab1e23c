import { startDockerRegistry } from '../support/docker-registry.js'
import { openBench, type Bench } from '../support/gate-runs.js'
import { killTable } from '../support/kill-table.js'
import { walkAll, walkKinds, wholeRelease, type Death, type Walk } from '../support/kill-walk.js'
import { startOlareg } from '../support/olareg.js'
import { startRegistry } from '../support/registry-process.js'
import { keySigner, sealImage, type SealedImage, type Signer } from '../support/sealed-image.js'

let bench: Bench
let image: SealedImage
let signer: Signer

beforeAll(async () => {
  bench = await openBench()
  ;[image, signer] = [await sealImage(bench), await keySigner(bench)]
})

afterAll(async () => {
  await bench.close()
})

function walkOn(start: Walk['start']): Walk {
  return { bench, image, start, signer, again: 'new state', parallel: 2 }
}

function show(what: string, deaths: readonly Death[]): void {
  process.stdout.write(`\n${what}\n\n${killTable(deaths)}\n`)
}

function troubles(deaths: readonly Death[]): readonly string[] {
  return deaths.flatMap(({ at, kind, problems }) => problems.map(one => `${String(at)} ${kind}: ${one}`))
}

const MINUTES = 60_000

it(
  'killed at request 1 to N of a release, it never half-happened, and the next run completes it',
  async () => {
    const walk = walkOn(startRegistry)
    const whole = await wholeRelease(walk)
    const deaths = await walkAll(walk, whole)
    show('crane registry serve, key', deaths)
    expect(troubles(deaths)).toEqual([])
    // Programs may ask once more or less, so that the last few numbers are not the same in each release.
    const sure = Array.from({ length: whole.kinds.length - 4 }, (_, index) => index + 1)
    expect(sure.filter(at => !deaths.some(one => one.at === at))).toEqual([])
    expect(new Set(deaths.map(one => one.kind))).toEqual(new Set(whole.kinds))
    expect(deaths.filter(one => one.tags.length > 0).map(one => one.tags.length)).toEqual(
      expect.arrayContaining([1, 2]),
    )
  },
  40 * MINUTES,
)

it.each([
  ['olareg', startOlareg],
  ['docker-registry', startDockerRegistry],
] as const)(
  'on %s: killed once at each kind of request',
  async (name, start) => {
    const walk = walkOn(start)
    const deaths = await walkKinds(walk, await wholeRelease(walk))
    show(`${name}, key`, deaths)
    expect(troubles(deaths)).toEqual([])
  },
  20 * MINUTES,
)
