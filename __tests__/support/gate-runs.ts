import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseRecord } from '../../src/record/parse.js'
import type { RunRecord } from '../../src/record/record.js'
import { startRegistry, type RegistryProcess } from './registry-process.js'
import { portcullis, shellEnvironment, type Ending } from './terminal.js'
import { makeDatabase, makeKeyPair, ROOT, toolsFolder, type KeyPair, type Tool } from './tools.js'

/** Everything that a run on a real image with a real release needs, made once for a test file. */
export interface Bench {
  readonly root: string
  readonly registry: RegistryProcess
  /** A fresh database folder of the shipped rows, dated now. */
  readonly database: string
  /** The real tools. */
  readonly tools: string
  readonly key: KeyPair
  /** A new empty folder below the bench. */
  readonly folder: (name: string) => Promise<string>
  /** A folder of tools where some are replaced. */
  readonly toolsWith: (replaced: Partial<Readonly<Record<Tool, string>>>) => Promise<string>
  readonly close: () => Promise<void>
}

export async function openBench(): Promise<Bench> {
  const root = await mkdtemp(join(tmpdir(), 'pc-e2e-'))
  const registry = await startRegistry()
  try {
    const [database, tools, key] = await Promise.all([
      makeDatabase(join(root, 'database')),
      toolsFolder(join(root, 'programs')),
      makeKeyPair(join(root, 'key')),
    ])
    return {
      root,
      registry,
      database,
      tools,
      key,
      folder: name => mkdtemp(join(root, `${name}-`)),
      toolsWith: replaced => toolsFolder(join(root, 'programs'), replaced),
      close: async () => {
        await registry.stop()
        await rm(root, { recursive: true, force: true })
      },
    }
  } catch (thrown) {
    await registry.stop()
    await rm(root, { recursive: true, force: true })
    throw thrown
  }
}

/** The example repository (Dockerfile, policy, ready layout beside it) in a folder of its own. */
export interface Project {
  readonly dir: string
  readonly layout: string
}

/** A policy as a user would write one, with rules turned off for a reason. */
export function policyText(off: readonly string[] = [], more: readonly string[] = []): string {
  return [
    'apiVersion: portcullis/v1',
    'kind: ImagePolicy',
    'profiles: [recommended]',
    ...more,
    ...(off.length === 0 ? [] : ['rules:']),
    ...off.flatMap(rule => [`  ${rule}:`, '    mode: off', '    reason: "this run shows another rule"']),
    '',
  ].join('\n')
}

/** Copies one variant of the example; `policy` replaces its policy (default: the profile, nothing turned off). */
export async function makeProject(
  bench: Bench,
  variant: 'fixed' | 'vulnerable',
  policy: string = policyText(),
): Promise<Project> {
  const dir = await bench.folder('project')
  await cp(join(ROOT, 'examples', 'app', variant), dir, { recursive: true })
  const layout = join(dir, 'layout')
  await cp(join(ROOT, 'examples', 'app', 'layouts', variant), layout, { recursive: true })
  await mkdir(join(dir, '.github'), { recursive: true })
  await writeFile(join(dir, '.github', 'portcullis.yml'), policy)
  return { dir, layout }
}

export interface GateOptions {
  /** Repository at the bench's registry. */
  readonly repository: string
  readonly tools?: string
  readonly database?: string
  /** Host instead of the bench's registry. */
  readonly host?: string
  /** Flags about publishing. Default: push, sign with the key, tag 1.0.0. */
  readonly publish?: readonly string[]
  readonly args?: readonly string[]
  readonly env?: Readonly<Record<string, string>>
  readonly started?: (pid: number) => void
  /** Program that runs the bundle instead of Node. */
  readonly node?: string
  /** Subject instead of the layout of the project; `null`: build it. */
  readonly subject?: string | null
  readonly output?: string
  /** HOME and TMPDIR; new ones when absent. */
  readonly place?: { readonly home: string; readonly tmp: string }
  /** As a shell's job: the process leads a group of its own. */
  readonly group?: boolean
}

export interface GateResult extends Ending {
  /** Null when there is no record. */
  readonly record: RunRecord | null
  readonly reportDir: string
  /** HOME and TMPDIR of the run. */
  readonly home: string
  readonly tmp: string
}

/** Runs `portcullis gate` on a project from the built bundle, with a release unless told otherwise. */
export async function runGate(bench: Bench, project: Project, options: GateOptions): Promise<GateResult> {
  const { home, tmp } = options.place ?? { home: await bench.folder('home'), tmp: await bench.folder('tmp') }
  const reportDir = options.output ?? join(await bench.folder('report'), 'report')
  const image = `${options.host ?? bench.registry.host}/${options.repository}`
  const subject = options.subject === undefined ? `oci-layout:${project.layout}` : options.subject
  const ending = await portcullis(
    [
      ...['gate', project.dir, '--image', image],
      ...(subject === null ? [] : ['--subject', subject]),
      ...['--tools', `dir:${options.tools ?? bench.tools}`],
      ...['--database', options.database ?? bench.database],
      ...['--output', reportDir],
      ...(options.publish ?? [
        '--publish',
        'always',
        '--tags',
        '1.0.0',
        '--sign',
        'key',
        '--key',
        bench.key.key,
      ]),
      ...(options.args ?? []),
    ],
    {
      cwd: project.dir,
      env: {
        ...shellEnvironment({ home, tmp }),
        COSIGN_PASSWORD: bench.key.password,
        ...options.env,
      },
      ...(options.started === undefined ? {} : { started: options.started }),
      ...(options.node === undefined ? {} : { node: options.node }),
      ...(options.group === undefined ? {} : { group: options.group }),
    },
  )
  return { ...ending, record: await readRecord(reportDir), reportDir, home, tmp }
}

/** The record of a report folder, or null. */
export async function readRecord(reportDir: string): Promise<RunRecord | null> {
  const text = await readFile(join(reportDir, 'portcullis.json'), 'utf8').catch(() => null)
  return text === null ? null : parseRecord(text)
}

/** The record of a run that must have one. */
export function recordOf(result: GateResult): RunRecord {
  if (result.record === null) throw new Error(`there is no record:\n${result.stdout}\n${result.stderr}`)
  return result.record
}
