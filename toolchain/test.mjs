#!/usr/bin/env node
// `npm test`: checks, then every test, with the real tools. Needs Node >= 20, Go and a package registry; no packages.
import { execFileSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { countTests } from './test/count.mjs'
import { needsInstall, noteInstall } from './test/install.mjs'
import { start, stopAll } from './test/process.mjs'

const HERE = dirname(fileURLToPath(import.meta.url))
const REPO = dirname(HERE)
const CHECKS = ['check:lint', 'check:arrows', 'check:types', 'check:schemas', 'check:dist']
// Variables that would make the code under test believe it runs in a workflow, or steer the tools it starts.
const FOREIGN =
  /^(?:GITHUB_|ACTIONS_|RUNNER_|INPUT_|TRIVY_|SYFT_|COSIGN_|SIGSTORE_|DOCKER_|BUILDX_|PORTCULLIS_(?!CACHE$))/

async function main() {
  const dir = mkdtempSync(join(tmpdir(), 'portcullis-test-'))
  const state = { dir, rows: [], passed: 0, failed: 0 }
  try {
    await runAll(state)
  } catch (error) {
    fail(state, error.message)
  } finally {
    stopAll()
  }
  finish(state)
}

async function runAll(state) {
  const node24 = findNode()
  const env = testEnvironment(node24)
  const machine = background(state, 'machine', ['machine.mjs', '--out', join(state.dir, 'machine.json')])
  const tools = background(state, 'toolchain', ['build.mjs', '--out', join(state.dir, 'toolchain.json')])
  if (needsInstall(REPO)) {
    if (!(await step(state, 'npm ci', { file: 'npm', args: ['ci'], env: process.env, limitMinutes: 20 })))
      return
    noteInstall(REPO)
  }
  for (const check of CHECKS)
    await step(state, check, { file: 'npm', args: ['run', '--silent', check], env, limitMinutes: 20 })
  if (!(await jest(state, { phase: 'pure', node24, env, workers: 2 }))) return
  const ready = [await finished(state, machine), await finished(state, tools)]
  if (ready.includes(false))
    return fail(state, 'adapters and e2e not run: the programs they need are missing')
  const full = {
    ...env,
    PORTCULLIS_TOOLCHAIN: join(state.dir, 'toolchain.json'),
    PORTCULLIS_MACHINE: join(state.dir, 'machine.json'),
  }
  await jest(state, { phase: 'adapters', node24, env: full, workers: 2 })
  await jest(state, { phase: 'e2e', node24, env: full, workers: 2 })
}

/** The Node that actions run on; fetched first because every phase runs on it. */
function findNode() {
  const out = execFileSync(process.execPath, [join(HERE, 'machine.mjs'), '--only-node', '--json'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  return JSON.parse(out.toString('utf8')).node24
}

function testEnvironment(node24) {
  const kept = Object.fromEntries(Object.entries(process.env).filter(([name]) => !FOREIGN.test(name)))
  return { ...kept, PATH: [dirname(node24), process.env.PATH].join(delimiter), PORTCULLIS_NODE24: node24 }
}

function background(state, name, [script, ...args]) {
  const log = join(state.dir, `${name}.log`)
  const file = process.execPath
  return {
    name,
    log,
    job: start({
      file,
      args: [join(HERE, script), ...args],
      env: process.env,
      cwd: REPO,
      log,
      limitMinutes: 90,
    }),
  }
}

async function finished(state, { name, log, job }) {
  console.log(`\n== ${name} (started at the beginning)`)
  const end = await job.done
  process.stdout.write(readFileSync(log, 'utf8'))
  return close(state, name, end)
}

async function step(state, name, command) {
  console.log(`\n== ${name}`)
  return close(state, name, await start({ ...command, cwd: REPO }).done)
}

async function jest(state, { phase, node24, env, workers }) {
  console.log(`\n== tests: ${phase}`)
  const report = join(state.dir, `${phase}.json`)
  const flags = ['--experimental-vm-modules', '--disable-warning=ExperimentalWarning']
  const own = [
    '--ci',
    '--json',
    '--outputFile',
    report,
    ...(workers === 1 ? ['--runInBand'] : ['--maxWorkers', String(workers)]),
  ]
  const args = [...flags, join('node_modules', 'jest', 'bin', 'jest.js'), `__tests__/${phase}/`, ...own]
  const end = await start({ file: node24, args, env, cwd: REPO, limitMinutes: 60 }).done
  const { passed, failed, problems } = countTests(report, end.ok)
  for (const problem of problems) console.log(`${phase}: ${problem}`)
  state.passed += passed
  state.failed += failed
  state.rows.push([
    `tests: ${phase}`,
    end.seconds,
    failed === 0 ? `${passed} passed` : `${passed} passed, ${failed} failed`,
  ])
  return failed === 0
}

function close(state, name, { ok, why, seconds }) {
  state.rows.push([name, seconds, ok ? 'ok' : why])
  if (!ok) fail(state, `${name}: ${why}`)
  return ok
}

function fail(state, message) {
  console.log(`FAILED: ${message}`)
  state.failed += 1
}

function finish(state) {
  console.log('\n== times')
  for (const [name, seconds, result] of state.rows) {
    console.log(`${name.padEnd(18)} ${`${seconds.toFixed(1)} s`.padStart(10)}  ${result}`)
  }
  const good = state.failed === 0 && state.passed > 0
  if (good) rmSync(state.dir, { recursive: true, force: true })
  else if (existsSync(state.dir)) console.log(`logs: ${state.dir}`)
  process.exitCode = good ? 0 : 1
  console.log(`${state.passed} passed, ${state.failed} failed`)
}

for (const [signal, code] of [
  ['SIGINT', 130],
  ['SIGTERM', 143],
]) {
  process.once(signal, () => {
    stopAll()
    process.exit(code)
  })
}

await main()
