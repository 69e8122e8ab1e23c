// `npm run bench`: one image of 300 to 500 MB, the whole gate with a release beside Trivy alone and beside the usual
// chain of separate commands; all in one run on one machine, each RUNS times in turn. Ratios count, not seconds.
import { build } from 'esbuild'
import { execFileSync, spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { cpus, tmpdir } from 'node:os'
import { join } from 'node:path'
import { benchImage } from './image.mjs'
import { measure } from './measure.mjs'

const ROOT = join(import.meta.dirname, '..')
const SAME = 'trivy, all paths'
const RUNS = Number(process.env.BENCH_RUNS ?? 3)

async function main() {
  const tools = JSON.parse(
    execFileSync(process.execPath, [join(ROOT, 'toolchain/build.mjs'), '--json'], {
      stdio: ['ignore', 'pipe', 'inherit'],
    }),
  )
  const path = name => tools[name].path
  const layout = await benchImage()
  const work = mkdtempSync(join(tmpdir(), 'portcullis-bench-'))
  const registry = await startRegistry(path('crane'))
  try {
    const env = signingEnvironment(work, path('cosign'))
    const given = { work, layout, path, host: registry.host, env, secretConfig: await ourSecretRules(work) }
    const blobs = readdirSync(join(layout, 'blobs/sha256')).map(
      name => statSync(join(layout, 'blobs/sha256', name)).size,
    )
    console.log(
      `image: ${megabytes(blobs.reduce((sum, size) => sum + size, 0))} compressed, ${cpus().length} cores, ${RUNS} runs each, medians`,
    )
    const rows = await compare(given)
    print(rows)
  } finally {
    registry.stop()
    rmSync(work, { recursive: true, force: true })
  }
}

async function compare(given) {
  const kinds = { gate, 'trivy alone': trivyAlone, [SAME]: trivyEverywhere, chain }
  const results = Object.fromEntries(Object.keys(kinds).map(name => [name, []]))
  for (let run = 0; run < RUNS; run += 1) {
    for (const [name, work] of Object.entries(kinds)) results[name].push(await work(given, run))
  }
  return results
}

async function gate({ work, layout, host, env }, run) {
  const args = [
    ...[
      'gate',
      work,
      '--image',
      `${host}/gate-${run}`,
      '--subject',
      `oci-layout:${layout}`,
      '--tools',
      'source',
    ],
    ...[
      '--database',
      join(ROOT, 'data/demo-db.tar.gz'),
      '--policy',
      join(ROOT, 'bench/policy.yml'),
      '--publish',
      'always',
    ],
    ...[
      '--tags',
      '1.0.0',
      '--sign',
      'key',
      '--key',
      join(work, 'bench.key'),
      '--output',
      join(work, `out-${run}`),
    ],
  ]
  const stageEnd = line => /^[✓✗-] (\w+)/.exec(line)?.[1] ?? null
  const result = await measure(process.execPath, [join(ROOT, 'dist/cli.cjs'), ...args], {
    env,
    cwd: work,
    stageEnd,
  })
  if (result.code !== 0)
    throw new Error(`the gate ended with ${result.code}:\n${result.stderr}\n${result.stdout}`)
  return result
}

/** Packages and secrets in one call, as the scanner does by default: most of /usr is left out of the secrets. */
async function trivyAlone(given, run) {
  return await trivy(given, run, [])
}

/** The same with our secret rules, which leave nothing out. */
async function trivyEverywhere(given, run) {
  return await trivy(given, run, ['--secret-config', given.secretConfig])
}

async function trivy({ work, layout, path }, run, more) {
  const cache = join(work, `trivy-cache-${more.length}-${run}`)
  prepareCache(cache)
  const args = [...trivyArguments(cache), ...more, '--format', 'json', '-o', join(work, `trivy-${run}.json`)]
  return must(await measure(path('trivy'), ['image', '--input', layout, ...args], { cwd: work }))
}

/** What teams chain by hand: table, SARIF, SBOM, push, sign, attest twice, verify, tag. */
async function chain({ work, layout, path, host, env }, run) {
  const cache = join(work, `chain-cache-${run}`)
  prepareCache(cache)
  const image = `${host}/chain-${run}`
  const own = manifestDigest(layout)
  const key = [
    '--key',
    join(work, 'bench.key'),
    '--signing-config',
    join(work, 'none.json'),
    '--trusted-root',
    join(work, 'empty.json'),
  ]
  const steps = [
    [
      path('trivy'),
      [
        'image',
        '--input',
        layout,
        ...trivyArguments(cache),
        '--format',
        'table',
        '-o',
        join(work, 'table.txt'),
      ],
    ],
    [
      path('trivy'),
      [
        'image',
        '--input',
        layout,
        ...trivyArguments(cache),
        '--format',
        'sarif',
        '-o',
        join(work, 'out.sarif'),
      ],
    ],
    [path('syft'), ['scan', `oci-dir:${layout}`, '-q', '-o', `spdx-json=${join(work, 'chain.spdx.json')}`]],
    [
      path('syft'),
      ['scan', `oci-dir:${layout}`, '-q', '-o', `cyclonedx-json=${join(work, 'chain.cdx.json')}`],
    ],
    [path('crane'), ['push', layout, `${image}@${own}`]],
    [path('cosign'), ['sign', '--yes', ...key, `${image}@${own}`]],
    [
      path('cosign'),
      [
        'attest',
        '--yes',
        ...key,
        '--type',
        'spdxjson',
        '--predicate',
        join(work, 'chain.spdx.json'),
        `${image}@${own}`,
      ],
    ],
    [
      path('cosign'),
      [
        'attest',
        '--yes',
        ...key,
        '--type',
        'cyclonedx',
        '--predicate',
        join(work, 'chain.cdx.json'),
        `${image}@${own}`,
      ],
    ],
    [
      path('cosign'),
      ['verify', '--key', join(work, 'bench.pub'), '--insecure-ignore-tlog', `${image}@${own}`],
    ],
    [path('crane'), ['tag', `${image}@${own}`, '1.0.0']],
  ]
  const results = []
  for (const [file, args] of steps)
    results.push(
      must(await measure(file, args, { env: { ...env, SYFT_CHECK_FOR_APP_UPDATE: 'false' }, cwd: work })),
    )
  const sum = key => results.reduce((total, one) => total + one[key], 0)
  return {
    wallMs: sum('wallMs'),
    cpuMs: sum('cpuMs'),
    peakBytes: Math.max(...results.map(one => one.peakBytes)),
    stages: [],
  }
}

/** The secret configuration of the product, taken from its source. */
async function ourSecretRules(work) {
  const entry = join(ROOT, 'src/tools/trivy.ts')
  const options = {
    entryPoints: [entry],
    bundle: true,
    platform: 'node',
    format: 'esm',
    write: false,
    logLevel: 'error',
  }
  const { outputFiles } = await build(options)
  const module = await import(
    `data:text/javascript;base64,${Buffer.from(outputFiles[0].text).toString('base64')}`
  )
  const file = join(work, 'secret-rules.yaml')
  writeFileSync(file, module.SECRET_CONFIG)
  return file
}

function trivyArguments(cache) {
  return [
    '--cache-dir',
    cache,
    '--skip-db-update',
    '--skip-java-db-update',
    '--offline-scan',
    '--skip-version-check',
    '--disable-telemetry',
    '--quiet',
  ]
}

function manifestDigest(layout) {
  const index = JSON.parse(readFileSync(join(layout, 'index.json'), 'utf8'))
  return index.manifests[0].digest
}

function prepareCache(cache) {
  mkdirSync(join(cache, 'db'), { recursive: true })
  execFileSync('tar', ['-xzf', join(ROOT, 'data/demo-db.tar.gz'), '-C', join(cache, 'db')])
}

function signingEnvironment(work, cosign) {
  const env = {
    PATH: process.env.PATH,
    HOME: work,
    COSIGN_PASSWORD: 'bench',
    ...kept(['XDG_CACHE_HOME', 'PORTCULLIS_CACHE']),
  }
  env.XDG_CACHE_HOME ??= join(process.env.HOME ?? '', '.cache')
  execFileSync(cosign, ['generate-key-pair', '--output-key-prefix', join(work, 'bench')], {
    env,
    stdio: 'ignore',
  })
  execFileSync(cosign, ['signing-config', 'create', '--out', join(work, 'none.json')], {
    env,
    stdio: 'ignore',
  })
  execFileSync(cosign, ['trusted-root', 'create', '--out', join(work, 'empty.json')], {
    env,
    stdio: 'ignore',
  })
  return env
}

function kept(names) {
  return Object.fromEntries(
    names.filter(name => process.env[name] !== undefined).map(name => [name, process.env[name]]),
  )
}

function must(result) {
  if (result.code !== 0)
    throw new Error(`a command of the comparison ended with ${result.code}:\n${result.stderr}`)
  return result
}

function startRegistry(crane) {
  return new Promise((resolve, reject) => {
    const child = spawn(crane, ['registry', 'serve', '--address', '127.0.0.1:0'], {
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    let text = ''
    const read = chunk => {
      text += chunk
      const port = /serving on port (\d+)/.exec(text)?.[1]
      if (port) resolve({ host: `127.0.0.1:${port}`, stop: () => child.kill() })
    }
    child.stdout.on('data', read)
    child.stderr.on('data', read)
    child.on('error', reject)
  })
}

function print(results) {
  const median = (name, key) => middle(results[name].map(one => one[key]))
  console.log('\nwhole process            wall      CPU   memory')
  for (const name of Object.keys(results))
    console.log(row(name, median(name, 'wallMs'), median(name, 'cpuMs'), median(name, 'peakBytes')))
  console.log('\nstages of the gate       wall      CPU   memory')
  for (const { stage } of results.gate[0].stages) {
    const of = key => middle(results.gate.map(one => one.stages.find(item => item.stage === stage)[key]))
    console.log(row(stage, of('wallMs'), of('cpuMs'), of('peakBytes')))
  }
  const ratio = name => middle(results.gate.map((one, at) => one.wallMs / results[name][at].wallMs))
  const serial =
    median('gate', 'wallMs') -
    results.gate[0].stages.filter(one => one.stage === 'inspect').map(one => one.wallMs)[0]
  const floor = (serial + median(SAME, 'cpuMs') / cpus().length) / median(SAME, 'wallMs')
  console.log(`\ngate / chain:            ${ratio('chain').toFixed(2)}  (budget 0.50)`)
  console.log(
    `gate / trivy, all paths: ${ratio(SAME).toFixed(2)}  (budget 1.40; floor of serial part + CPU / cores: ${floor.toFixed(2)})`,
  )
  console.log(
    `gate / trivy alone:      ${ratio('trivy alone').toFixed(2)}  (its defaults look for secrets almost nowhere below /usr)`,
  )
}

function row(name, wallMs, cpuMs, bytes) {
  return `${name.padEnd(18)}${seconds(wallMs)}${seconds(cpuMs)}${megabytes(bytes).padStart(9)}`
}

function seconds(ms) {
  return `${(ms / 1000).toFixed(1)} s`.padStart(9)
}

function megabytes(bytes) {
  return `${Math.round(bytes / 1e6)} MB`
}

function middle(values) {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.floor(sorted.length / 2)]
}

await main()
