import { chmod, mkdir, readdir, rm, writeFile } from 'node:fs/promises'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { describeError, GateError } from '../errors.js'
import type { Commands, Program } from '../tools/command.js'
import { systemProgram } from '../tools/confinement.js'
import type { BuildahIsolation } from './buildah-arguments.js'
import { isBefore, parseVersion, type BuildahVersion } from './buildah-refusals.js'
import type { BuildServices } from './build-request.js'

const QUICK_MS = 60_000
/** Older versions know neither named contexts nor secrets from variables. */
const OLDEST = '1.28.0'
const RUNTIMES = ['runc', 'crun']
/** With these buildah, its RUN steps and its mounts end together, whatever ends it. */
const NAMESPACES = ['--mount', '--pid', '--fork', '--kill-child=SIGKILL', '--mount-proc']

/** The buildah of this machine and how it keeps RUN steps apart. */
export interface BuildahWay {
  readonly path: string
  readonly version: BuildahVersion
  readonly isolation: BuildahIsolation
  readonly why: string
}

/** A store of one build alone, in the private folder; `call` starts buildah on it. */
export interface BuildahStore {
  readonly dir: string
  readonly call: (args: readonly string[]) => {
    readonly program: Program
    readonly args: readonly string[]
    readonly variables: Readonly<Record<string, string>>
  }
  /** What a short command prints. */
  readonly quick: (args: readonly string[]) => Promise<string>
  /** Never hides another failure; what cannot be removed is found when the private folder is. */
  readonly remove: () => Promise<void>
}

/** The buildah of this machine, or why there is none that can be used. Starts nothing but `buildah --version`. */
export async function findBuildahWay(
  commands: Commands,
): Promise<BuildahWay | { readonly kind: 'none'; readonly why: string }> {
  const path = systemProgram('buildah')
  if (path === undefined) return { kind: 'none', why: 'no buildah program is installed' }
  const args = ['--version']
  const program = { name: 'buildah', path }
  const printed = await commands.run({ program, args, grant: 'engine', timeoutMs: QUICK_MS }).then(
    result => result.stdout,
    (thrown: unknown) => {
      if (thrown instanceof GateError && thrown.reason === 'exit-code') return ''
      throw thrown
    },
  )
  const version = parseVersion(printed)
  if (version === undefined) return { kind: 'none', why: 'buildah does not say its version' }
  const name = `buildah ${version.join('.')}`
  if (isBefore(version, OLDEST)) return { kind: 'none', why: `${name} is older than ${OLDEST}` }
  const isolation = isolationOf({ uid: process.getuid?.() ?? -1, find: systemProgram })
  return { path, version, isolation, why: `${name} is there, isolation ${isolationWords(isolation)}` }
}

/** True when a buildah that can be used is installed. */
export async function buildahAnswers(commands: Commands): Promise<boolean> {
  return !('kind' in (await findBuildahWay(commands)))
}

/** The strongest isolation that the programs of the machine allow: a container of its own, else only another root. */
export function isolationOf(machine: {
  readonly uid: number
  readonly find: (name: string) => string | undefined
}): BuildahIsolation {
  const runtime = RUNTIMES.map(name => machine.find(name)).find(path => path !== undefined)
  if (runtime === undefined) return { kind: 'chroot' }
  if (machine.uid === 0) return { kind: 'oci', runtime }
  return machine.find('newuidmap') === undefined ? { kind: 'chroot' } : { kind: 'rootless', runtime }
}

/** `oci (runc)`, `rootless (runc)` or `chroot`. */
export function isolationWords(isolation: BuildahIsolation): string {
  if (isolation.kind === 'chroot') return 'chroot'
  return `${isolation.kind} (${isolation.runtime.slice(isolation.runtime.lastIndexOf('/') + 1)})`
}

/**
 * Makes the store: overlay where the kernel has it here, else plain copies. As root everything runs in namespaces
 * of its own. Refuses when no store works (`engine-unusable`, tool). `loopback` are registries on this machine that
 * are spoken to without TLS.
 */
export async function openStore(
  services: BuildServices,
  way: BuildahWay,
  loopback: readonly string[],
): Promise<BuildahStore> {
  const dir = join(services.workDir, 'buildah')
  await mkdir(dir, { mode: 0o700 })
  await writeConfiguration(dir, loopback)
  const failures: string[] = []
  for (const { wrap, driver } of waysToStart(process.getuid?.() === 0)) {
    const store = storeAt(services, way, { dir, wrap, driver })
    try {
      await store.quick(['info'])
      return store
    } catch (thrown) {
      if (!(thrown instanceof GateError) || thrown.reason !== 'exit-code') throw thrown
      failures.push(describeError(thrown))
      await store.remove()
      await mkdir(dir, { mode: 0o700 })
      await writeConfiguration(dir, loopback)
    }
  }
  await rm(dir, { recursive: true, force: true })
  const message = `buildah can keep no images here. ${failures.at(-1) ?? ''} Use another engine, or a ready image.`
  throw new GateError('tool', { reason: 'engine-unusable', message })
}

interface Start {
  /** Path of `unshare`; none means buildah is started as it is. */
  readonly wrap: string | undefined
  readonly driver: 'overlay' | 'vfs'
}

/** Root mounts overlays for all to see, so that it may only in a namespace that ends with it. */
function waysToStart(root: boolean): readonly Start[] {
  const unshare = root ? systemProgram('unshare') : undefined
  const apart: readonly Start[] =
    unshare === undefined
      ? []
      : [
          { wrap: unshare, driver: 'overlay' },
          { wrap: unshare, driver: 'vfs' },
        ]
  const plain: readonly Start[] = [{ wrap: undefined, driver: 'vfs' }]
  return root ? [...apart, ...plain] : [{ wrap: undefined, driver: 'overlay' }, ...plain]
}

function storeAt(
  services: BuildServices,
  way: BuildahWay,
  { dir, wrap, driver }: Start & { readonly dir: string },
): BuildahStore {
  const before = wrap === undefined ? [] : [...NAMESPACES, way.path]
  const global = [
    ...['--root', join(dir, 'root'), '--runroot', join(dir, 'run'), '--storage-driver', driver],
    ...['--registries-conf', join(dir, 'registries.conf')],
    ...['--registries-conf-dir', join(dir, 'none')],
    ...['--short-name-alias-conf', join(dir, 'aliases.conf')],
  ]
  const program = { name: 'buildah', path: wrap ?? way.path }
  const call: BuildahStore['call'] = args => ({
    program,
    args: [...before, ...global, ...args],
    variables: { TMPDIR: join(dir, 'tmp') },
  })
  const run = async (given: ReturnType<typeof call>): Promise<string> => {
    const result = await services.commands.run({ ...given, grant: 'engine', timeoutMs: QUICK_MS })
    return result.stdout
  }
  return {
    dir,
    call,
    quick: args => run(call(args)),
    remove: async () => {
      // Without root the files belong to other users of a namespace that only buildah can enter again.
      if (process.getuid?.() !== 0) await run(call(['unshare', 'rm', '-rf', dir])).catch(() => undefined)
      await removeTree(dir)
    },
  }
}

/** Images have folders that not even their owner may write to; root does not notice. */
async function removeTree(dir: string): Promise<void> {
  const remove = (): Promise<void> => rm(dir, { recursive: true, force: true })
  await remove().catch(async () => {
    await openFolders(dir)
    await remove().catch(() => undefined)
  })
}

async function openFolders(dir: string): Promise<void> {
  await chmod(dir, 0o700).catch(() => undefined)
  const entries = await readdir(dir, { withFileTypes: true }).catch(() => [])
  for (const entry of entries) if (entry.isDirectory()) await openFolders(join(dir, entry.name))
}

/** Short names mean Docker Hub, as with every other engine, whatever aliases and registries the machine has. */
async function writeConfiguration(dir: string, loopback: readonly string[]): Promise<void> {
  const plain = loopback.map(host => `[[registry]]\nlocation = ${JSON.stringify(host)}\ninsecure = true\n`)
  const short = 'unqualified-search-registries = ["docker.io"]\nshort-name-mode = "disabled"\n'
  await Promise.all([
    ...['none', 'tmp', 'runtime'].map(name => mkdir(join(dir, name))),
    writeFile(join(dir, 'registries.conf'), [short, ...plain].join('\n')),
    writeFile(join(dir, 'policy.json'), '{"default":[{"type":"insecureAcceptAnything"}]}'),
    writeFile(join(dir, 'no-ignore'), ''),
  ])
}

/** The machine's policy about signatures of images is kept; where there is none, all are accepted as by Docker. */
export function signaturePolicy(
  store: BuildahStore,
  environment: Readonly<Record<string, string | undefined>>,
): readonly string[] {
  const own = [environment['HOME'] ?? '/', '.config', 'containers', 'policy.json'].join('/')
  const there = ['/etc/containers/policy.json', own].some(path => existsSync(path))
  return there ? [] : ['--signature-policy', join(store.dir, 'policy.json')]
}
