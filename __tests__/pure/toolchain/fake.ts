import { spawn } from 'node:child_process'
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { z } from 'zod'

const BUILD = resolve(dirname(fileURLToPath(import.meta.url)), '../../../toolchain/build.mjs')

// Answers what build.mjs asks of Go; "builds" a script that prints the version found in the linker flags. The real
// Go is proved by the real builds; here the cache, the lock and the refusals around it are.
const FAKE_GO = `#!/bin/sh
case "$1" in
env) printf '{"GOVERSION":"%s","GOHOSTOS":"linux","GOHOSTARCH":"amd64","GOPROXY":"proxy-of-env-file","GOSUMDB":"off"}' "$FAKE_GO_VERSION" ;;
build)
  env > "$(dirname "$0")/build.env"; echo "$@" >> "$(dirname "$0")/builds"
  [ -e "$(dirname "$0")/fail" ] && exit 1
  while [ "$1" != "-o" ]; do case "$1" in *ver=*) version="\${1##*ver=}" ;; esac; shift; done
  sleep "$(cat "$(dirname "$0")/seconds" 2>/dev/null || echo 0)"
  mkdir -p "$GOCACHE" "$GOMODCACHE"; touch "$GOCACHE/x"
  printf '#!/bin/sh\\necho version %s\\n' "$version" > "$2" ;;
clean) rm -rf "$GOCACHE" "$GOMODCACHE" ;;
esac
`

const Result = z.record(
  z.string(),
  z.object({
    path: z.string(),
    sha256: z.string(),
    version: z.string(),
    go: z.string(),
    platform: z.string(),
    expected: z.string().nullable(),
  }),
)

export interface Run {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

/** One temporary machine: a toolchain folder with two small modules, a cache, a fake `go` on PATH. */
export interface Sandbox {
  readonly dir: string
  readonly toolchain: string
  readonly cache: string
  readonly bin: string
  readonly run: (args: readonly string[], env?: Readonly<Record<string, string>>) => Promise<Run>
  readonly builds: () => number
  readonly remove: () => void
}

/** Makes a sandbox; `remove` deletes it. */
export function makeSandbox(): Sandbox {
  const dir = realpathSync(mkdtempSync(join(tmpdir(), 'toolchain-test-')))
  const [toolchain, cache, bin] = [join(dir, 'toolchain'), join(dir, 'cache'), join(dir, 'bin')]
  for (const folder of [toolchain, cache, bin]) mkdirSync(folder)
  writeFileSync(join(bin, 'go'), FAKE_GO)
  chmodSync(join(bin, 'go'), 0o755)
  writeModule(toolchain, 'alpha')
  writeModule(toolchain, 'beta')
  writeTools(toolchain, 1)
  writeFileSync(join(toolchain, 'hashes.json'), '{}')
  return {
    ...{ dir, toolchain, cache, bin },
    run: (args, env = {}) =>
      runBuild([BUILD, '--toolchain', toolchain, ...args], {
        PATH: `${bin}:/usr/bin:/bin`,
        HOME: dir,
        PORTCULLIS_CACHE: cache,
        FAKE_GO_VERSION: 'go1.26.8',
        ...env,
      }),
    builds: () => countLines(join(bin, 'builds')),
    remove: () => rmSync(dir, { recursive: true, force: true }),
  }
}

/** Writes `tools.json` of a sandbox, with `diskMiB` as the free disk each build needs. */
export function writeTools(toolchain: string, diskMiB: number): void {
  const tool = (name: string) => ({
    module: `example.org/${name}`,
    package: `example.org/${name}/cmd`,
    version: '1.2.3',
    ldflags: '-s -w -X main.ver=1.2.3',
    versionArgs: ['version'],
    diskMiB,
  })
  const tools = { alpha: tool('alpha'), beta: tool('beta') }
  writeFileSync(join(toolchain, 'tools.json'), JSON.stringify({ go: '1.26.0', tools }))
}

/** The JSON that build.mjs printed, checked. */
export function parseResult(run: Run): z.infer<typeof Result> {
  return Result.parse(JSON.parse(run.stdout))
}

/** The program that `name` came to in a run; fails when it is not there. */
export function programOf(run: Run, name: string): { path: string; sha256: string; expected: string | null } {
  const program = parseResult(run)[name]
  if (!program) throw new Error(`${name} is not in ${run.stdout}\n${run.stderr}`)
  return program
}

function writeModule(toolchain: string, name: string): void {
  mkdirSync(join(toolchain, name))
  const lines = [`module test/${name}`, '', 'go 1.26.0', '', `require example.org/${name} v1.2.3`, '']
  writeFileSync(join(toolchain, name, 'go.mod'), lines.join('\n'))
  writeFileSync(join(toolchain, name, 'go.sum'), '')
}

function runBuild(args: readonly string[], env: Readonly<Record<string, string>>): Promise<Run> {
  return new Promise((resolveRun, reject) => {
    const child = spawn(process.execPath, args, { env, stdio: ['ignore', 'pipe', 'pipe'] })
    let [stdout, stderr] = ['', '']
    child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString('utf8')))
    child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString('utf8')))
    child.on('error', reject)
    child.on('close', code => resolveRun({ code, stdout, stderr }))
  })
}

function countLines(path: string): number {
  try {
    return readFileSync(path, 'utf8').split('\n').length - 1
  } catch {
    return 0
  }
}
