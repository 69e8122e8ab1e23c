import { appendFile } from 'node:fs/promises'
import { startDockerRegistry } from '../support/docker-registry.js'
import { openBench, type Bench } from '../support/gate-runs.js'
import { killTable } from '../support/kill-table.js'
import { walkAll, walkKinds, wholeRelease, type Walk } from '../support/kill-walk.js'
import { startOlareg } from '../support/olareg.js'
import { startRegistry } from '../support/registry-process.js'
import { keylessSigner, keySigner, sealImage, type SealedImage } from '../support/sealed-image.js'
import { startSigstore, type PrivateSigstore } from '../support/sigstore.js'

// Run by toolchain/kill-walk.mjs, which says where the table goes and which walks are wanted.
const OUT = process.env['PORTCULLIS_WALK_OUT'] ?? '/dev/stdout'
const ONLY = process.env['PORTCULLIS_WALK_ONLY'] ?? ''
const KINDS = process.env['PORTCULLIS_WALK_KINDS'] === 'yes'
const FROM = Number(process.env['PORTCULLIS_WALK_FROM'] ?? '1')
const AGAIN = process.env['PORTCULLIS_WALK_AGAIN'] === 'new-state' ? 'new state' : 'always'

let bench: Bench
let image: SealedImage
let sigstore: PrivateSigstore

beforeAll(async () => {
  bench = await openBench()
  sigstore = await startSigstore()
  image = await sealImage(bench)
})

afterAll(async () => {
  await sigstore.stop()
  await bench.close()
})

const REGISTRIES = [
  ['crane registry serve', startRegistry],
  ['docker-registry', startDockerRegistry],
  ['olareg', startOlareg],
] as const

const WALKS = REGISTRIES.flatMap(([name, start]) =>
  (['key', 'keyless'] as const).map(sign => [`${name}, ${sign}`, start, sign] as const),
).filter(([what]) => ONLY === '' || ONLY.split(';').includes(what))

it.each(WALKS)(
  '%s',
  async (what, start, sign) => {
    const signer = sign === 'key' ? await keySigner(bench) : keylessSigner(sigstore)
    const walk: Walk = {
      ...{ bench, image, start, signer, again: AGAIN, from: FROM, parallel: 2 },
      told: ({ at, kind, problems }) => {
        if (problems.length > 0)
          process.stderr.write(`${what}: ${String(at)} ${kind}: ${problems.join('; ')}\n`)
      },
    }
    const whole = await wholeRelease(walk)
    const deaths = await (KINDS ? walkKinds(walk, whole) : walkAll(walk, whole))
    const head = `### ${what}\n\nA whole release sent ${String(whole.kinds.length)} requests.`
    await appendFile(OUT, `${head}\n\n${killTable(deaths)}\n\n`)
    expect(deaths.flatMap(one => one.problems)).toEqual([])
  },
  6 * 3_600_000,
)
