import { execFile, spawn } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { BuildError } from './files.mjs'

const run = promisify(execFile)
const ASKED = ['GOPROXY', 'GOSUMDB', 'GONOSUMDB', 'GONOPROXY', 'GOPRIVATE', 'GOINSECURE']
const HANDED = [
  ...[
    'HTTP_PROXY',
    'HTTPS_PROXY',
    'NO_PROXY',
    'http_proxy',
    'https_proxy',
    'no_proxy',
    'ALL_PROXY',
    'all_proxy',
  ],
  ...['SSL_CERT_FILE', 'SSL_CERT_DIR', 'GONOSUMCHECK'],
]

/**
 * Asks the `go` on PATH for its version, the host platform and where modules come from. This is the only call that
 * reads the machine's go env file, so that a machine configured through it keeps working; `build` never reads it.
 * Refuses a missing Go and one older than `least` (a version such as `1.26.0`).
 */
export async function askGo(least, cwd) {
  const env = { ...process.env, GOWORK: 'off', GOTOOLCHAIN: 'local', GOFLAGS: '' }
  const answer = await run('go', ['env', '-json', 'GOVERSION', 'GOHOSTOS', 'GOHOSTARCH', ...ASKED], {
    env,
    cwd,
  }).catch(error => {
    if (error.code === 'ENOENT')
      throw new BuildError(`Go is missing: install Go ${least} or newer and put it on PATH.`)
    throw new BuildError(`"go env" failed: ${String(error.stderr || error.message).trim()}`)
  })
  const values = JSON.parse(answer.stdout)
  const version = String(values.GOVERSION ?? '')
  if (!isAtLeast(version, least)) {
    throw new BuildError(
      `Go is too old: ${version || 'unknown version'} is on PATH, ${least} or newer is needed.`,
    )
  }
  const modules = Object.fromEntries(
    ASKED.map(name => [name, values[name] ?? '']).filter(([, value]) => value !== ''),
  )
  return { version, platform: `${values.GOHOSTOS}-${values.GOHOSTARCH}`, modules }
}

/** True when `version` (as Go prints it, e.g. `go1.26.8` or `go1.27rc1`) is `least` or newer; false when unreadable. */
export function isAtLeast(version, least) {
  const have = numbers(version)
  const want = numbers(least)
  if (!have || !want) return false
  for (let i = 0; i < 3; i += 1) if (have[i] !== want[i]) return have[i] > want[i]
  return true
}

function numbers(version) {
  const parts = /^(?:go)?(\d+)\.(\d+)(?:\.(\d+))?/.exec(version)
  return parts ? [Number(parts[1]), Number(parts[2]), Number(parts[3] ?? 0)] : undefined
}

/** The folders Go may write to, all below `root`; `home` is where they are deleted together. */
export function goFolders(root) {
  const home = join(root, 'go')
  return {
    home,
    GOCACHE: join(home, 'build'),
    GOMODCACHE: join(home, 'mod'),
    GOPATH: join(home, 'path'),
    GOTMPDIR: join(home, 'tmp'),
  }
}

/** The whole environment of a build, as a literal list: nothing else of the machine's environment reaches Go. */
export function goEnvironment({ root, modules, extra = {} }) {
  const { home: _, ...folders } = goFolders(root)
  const handed = Object.fromEntries(
    HANDED.flatMap(name => (process.env[name] ? [[name, process.env[name]]] : [])),
  )
  const own = {
    PATH: process.env['PATH'] ?? '',
    HOME: process.env['HOME'] ?? root,
    ...handed,
    ...modules,
    ...folders,
  }
  return {
    ...own,
    GOENV: 'off',
    GOWORK: 'off',
    GOTOOLCHAIN: 'local',
    GOFLAGS: '-mod=readonly',
    CGO_ENABLED: '0',
    ...extra,
  }
}

/** The arguments of `go build`; they are part of the cache key, the output path is not. */
export function buildFlags(tool) {
  return ['-trimpath', '-buildvcs=false', '-ldflags', tool.ldflags ?? '-s -w']
}

/** Runs `go build` in `cwd`; what it prints goes to standard error. Refuses with the exit code when it fails. */
export async function goBuild({ tool, name, cwd, out, env }) {
  mkdirSync(env.GOTMPDIR, { recursive: true })
  await exec('go', ['build', ...buildFlags(tool), '-o', out, tool.package], { cwd, env }).catch(error => {
    throw new BuildError(`"go build" of ${name} failed (${error.message}); what it said is above.`)
  })
}

/** Deletes Go's caches below the cache root; the module cache is read-only, so Go removes it itself. */
export async function emptyGoCaches(cwd, env) {
  await exec('go', ['clean', '-cache', '-modcache'], { cwd, env }).catch(() => undefined)
}

function exec(file, args, options) {
  return new Promise((resolve, reject) => {
    const child = spawn('nice', ['-n', '5', file, ...args], { ...options, stdio: ['ignore', 2, 2] })
    child.on('error', reject)
    child.on('close', (code, signal) => {
      if (code === 0) resolve()
      else reject(new Error(signal ? `ended by ${signal}` : `exit code ${code}`))
    })
  })
}
