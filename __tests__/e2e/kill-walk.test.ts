import { openBench, type Bench } from '../support/gate-runs.js'
import { killTable } from '../support/kill-table.js'
import { walkKinds, wholeRelease, type Death, type Walk } from '../support/kill-walk.js'
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
  'killed once at each kind of request of a release, it never half-happened, and the next run completes it',
  async () => {
    const walk = walkOn(startRegistry)
    const whole = await wholeRelease(walk)
    const deaths = await walkKinds(walk, whole)
    show('crane registry serve, key', deaths)
    expect(troubles(deaths)).toEqual([])
    expect(new Set(deaths.map(one => one.kind))).toEqual(new Set(whole.kinds))
  },
  20 * MINUTES,
)
