// `node bench/platforms.mjs`: what a second platform costs, and what our pass over the layers costs beside the
// scanners. Everything interleaved on one machine, RUNS times; ratios count, not seconds.
//   BENCH_LAYOUT=DIR takes another one-platform layout than the image of `npm run bench`.
import { build } from 'esbuild'
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { benchImage } from './image.mjs'
import { measure } from './measure.mjs'

const ROOT = join(import.meta.dirname, '..')
const RUNS = Number(process.env.BENCH_RUNS ?? 3)
const INDEX = 'application/vnd.oci.image.index.v1+json'
const MANIFEST = 'application/vnd.oci.image.manifest.v1+json'

const PASS = `
import { openLayout } from './src/oci/reader.ts'
import { readLayers } from './src/oci/layers.ts'
const layout = await openLayout(process.argv[2], { name: 'bench' })
for (const image of layout.subject.platforms) await readLayers(layout, image)
`

async function main() {
  const built = execFileSync(process.execPath, [join(ROOT, 'toolchain/build.mjs'), '--json'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const tools = JSON.parse(built)
  const one = process.env.BENCH_LAYOUT ?? (await benchImage())
  const work = mkdtempSync(join(tmpdir(), 'portcullis-bench-'))
  try {
    const two = twoPlatforms(one, join(work, 'two'))
    const pass = join(work, 'pass.mjs')
    const stdin = { contents: PASS, resolveDir: ROOT, loader: 'ts' }
    await build({ stdin, outfile: pass, bundle: true, platform: 'node', format: 'esm', target: 'node20' })
    const cache = prepareCache(join(work, 'cache'))
    const given = { work, one, two, pass, cache, path: name => tools[name].path }
    const inspected = { one: [], two: [] }
    const scanned = { without: [], with: [] }
    for (let run = 0; run < RUNS; run += 1) {
      for (const name of ['one', 'two']) inspected[name].push(await inspectStage(given, name, run))
      for (const name of run % 2 === 0 ? ['without', 'with'] : ['with', 'without'])
        scanned[name].push(await scanners(given, name === 'with', run))
    }
    print('stage inspect, one platform', inspected.one)
    print('stage inspect, two platforms', inspected.two)
    print('the scanners side by side', scanned.without)
    print('the same, the pass beside them', scanned.with)
    console.log(`two platforms / one:   ${ratio(inspected.two, inspected.one)}  (budget below 2.00)`)
    console.log(`with pass / without:   ${ratio(scanned.with, scanned.without)}  (budget 1.10)`)
  } finally {
    rmSync(work, { recursive: true, force: true })
  }
}

/** The image again for arm64: the same layers, another configuration, in an index of both. */
function twoPlatforms(one, dir) {
  cpSync(one, dir, { recursive: true })
  const read = digest => JSON.parse(readFileSync(join(dir, 'blobs/sha256', digest.slice(7)), 'utf8'))
  const [entry] = JSON.parse(readFileSync(join(dir, 'index.json'), 'utf8')).manifests
  const manifest = read(entry.digest)
  const config = { ...read(manifest.config.digest), architecture: 'arm64' }
  const other = blob(dir, { ...manifest, config: { ...manifest.config, ...blob(dir, config) } })
  const platform = architecture => ({ platform: { os: 'linux', architecture } })
  const manifests = [
    { ...entry, ...platform('amd64') },
    { mediaType: MANIFEST, ...other, ...platform('arm64') },
  ]
  const index = { mediaType: INDEX, ...blob(dir, { schemaVersion: 2, mediaType: INDEX, manifests }) }
  writeFileSync(join(dir, 'index.json'), JSON.stringify({ schemaVersion: 2, manifests: [index] }))
  return dir
}

function blob(dir, value) {
  const text = JSON.stringify(value)
  const hex = createHash('sha256').update(text).digest('hex')
  writeFileSync(join(dir, 'blobs', 'sha256', hex), text)
  return { digest: `sha256:${hex}`, size: Buffer.byteLength(text) }
}

function prepareCache(cache) {
  mkdirSync(join(cache, 'db'), { recursive: true })
  execFileSync('tar', ['-xzf', join(ROOT, 'data/demo-db.tar.gz'), '-C', join(cache, 'db')])
  return cache
}

/** Milliseconds of stage inspect in a whole gate that publishes nothing. */
async function inspectStage({ work, ...layouts }, name, run) {
  const output = join(work, `out-${name}-${run}`)
  const args = ['gate', work, '--image', 'registry.example.com/bench/app', '--publish', 'never']
  const more = ['--subject', `oci-layout:${layouts[name]}`, '--tools', 'source', '--output', output]
  const data = ['--database', join(ROOT, 'data/demo-db.tar.gz'), '--policy', join(ROOT, 'bench/policy.yml')]
  const cli = join(process.env.PORTCULLIS_DIST ?? join(ROOT, 'dist'), 'cli.cjs')
  const ended = await measure(process.execPath, [cli, ...args, ...more, ...data], { cwd: work })
  const record = JSON.parse(readFileSync(join(output, 'portcullis.json'), 'utf8'))
  const stage = record.stages.find(item => item.stage === 'inspect')
  if (stage?.state !== 'done') throw new Error(`the gate ended with ${ended.code}:\n${ended.stdout}`)
  return stage.milliseconds
}

/** Milliseconds of the analyses that the gate starts side by side, with or without our pass as one more. */
async function scanners({ work, one, pass, cache, path }, withPass, run) {
  const out = name => join(work, `${name}-${withPass}-${run}.json`)
  const trivy = scan => [
    ...['image', '--input', one, '--scanners', scan, '--format', 'json', '--output', out(scan)],
    ...['--cache-dir', cache, '--cache-backend', 'memory', '--skip-db-update', '--offline-scan', '--quiet'],
    ...['--skip-version-check', '--disable-telemetry', '--list-all-pkgs'],
  ]
  const syft = ['scan', `oci-dir:${one}`, '--quiet', '--output', `spdx-json=${out('spdx')}`]
  const started = performance.now()
  const all = await Promise.all([
    measure(path('trivy'), trivy('vuln'), { cwd: work }),
    measure(path('trivy'), trivy('secret'), { cwd: work }),
    measure(path('syft'), syft, { cwd: work }),
    ...(withPass ? [measure(process.execPath, [pass, one], { cwd: work })] : []),
  ])
  const failed = all.find(result => result.code !== 0)
  if (failed) throw new Error(`an analysis ended with ${failed.code}:\n${failed.stderr}`)
  return performance.now() - started
}

function ratio(left, right) {
  return middle(left.map((value, at) => value / right[at])).toFixed(2)
}

function print(what, values) {
  console.log(`${what.padEnd(34)}${(middle(values) / 1000).toFixed(1)} s`)
}

function middle(values) {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)]
}

await main()
