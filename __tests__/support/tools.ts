import { execFile } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { chmod, copyFile, link, mkdir, mkdtemp } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { z } from 'zod'

const execute = promisify(execFile)

/** The checkout. */
export const ROOT = fileURLToPath(new URL('../..', import.meta.url)).replace(/\/$/, '')

export const TOOLS = ['trivy', 'syft', 'cosign', 'crane'] as const
export type Tool = (typeof TOOLS)[number]

const built = z.object({ path: z.string(), sha256: z.string().regex(/^[0-9a-f]{64}$/) })
const toolchain = z.object({
  trivy: built,
  syft: built,
  cosign: built,
  crane: built,
  'fixture-db': built,
  'tar-oracle': built.optional(),
})
const machine = z.object({
  node24: z.string(),
  dockerd: z.string(),
  docker: z.string(),
  runc: z.string(),
  buildah: z.string(),
  'docker-registry': z.string(),
  skopeo: z.string(),
  mmdebstrap: z.string(),
  python3: z.string(),
  sbomPython: z.string(),
})

function written(variable: 'PORTCULLIS_TOOLCHAIN' | 'PORTCULLIS_MACHINE'): unknown {
  const file = process.env[variable]
  if (file === undefined) throw new Error(`${variable} names no file: run the tests through \`npm test\``)
  return JSON.parse(readFileSync(file, 'utf8'))
}

function there(path: string, remedy: string): string {
  if (!existsSync(path)) throw new Error(`${path} does not exist: ${remedy}`)
  return path
}

/** Absolute path of a tool that was built from `toolchain/`; throws, never skips. */
export function toolPath(name: Tool | 'fixture-db' | 'tar-oracle'): string {
  const tool = toolchain.parse(written('PORTCULLIS_TOOLCHAIN'))[name]
  if (tool === undefined) throw new Error(`${name} was not built: node toolchain/build.mjs ${name}`)
  return there(tool.path, 'build the tools again')
}

/** SHA-256 of a built tool as its builder wrote it down. */
export function toolHash(name: Tool): string {
  return toolchain.parse(written('PORTCULLIS_TOOLCHAIN'))[name].sha256
}

/** Absolute path of a program of the operating system; throws, never skips. */
export function machinePath(name: keyof z.infer<typeof machine>): string {
  return there(machine.parse(written('PORTCULLIS_MACHINE'))[name], 'install it (node toolchain/machine.mjs)')
}

/** The Node that the runner starts actions with. */
export function node24(): string {
  const path = process.env['PORTCULLIS_NODE24']
  if (path === undefined)
    throw new Error('PORTCULLIS_NODE24 names no program: run the tests through `npm test`')
  return there(path, 'fetch it again (node toolchain/machine.mjs --only-node)')
}

/** A file of the built bundle; throws when it was not built. PORTCULLIS_DIST names another build than `dist/`. */
export function bundled(name: 'index' | 'post' | 'cli'): string {
  const folder = process.env['PORTCULLIS_DIST'] ?? join(ROOT, 'dist')
  return there(join(folder, `${name}.cjs`), 'run `npm run build`')
}

/**
 * A folder for `tools: dir:PATH` with the real programs, where `replaced` names other programs (liars) to take
 * instead. Hard links where the file system allows it.
 */
export async function toolsFolder(
  into: string,
  replaced: Partial<Readonly<Record<Tool, string>>> = {},
): Promise<string> {
  await mkdir(into, { recursive: true })
  const dir = await mkdtemp(join(into, 'tools-'))
  await chmod(dir, 0o755)
  for (const name of TOOLS) {
    const liar = replaced[name]
    if (liar === undefined) await linkOrCopy(toolPath(name), join(dir, name))
    else {
      await copyFile(liar, join(dir, name))
      await chmod(join(dir, name), 0o755)
    }
  }
  return dir
}

async function linkOrCopy(from: string, to: string): Promise<void> {
  try {
    await link(from, to)
  } catch {
    await copyFile(from, to)
    await chmod(to, 0o755)
  }
}

/** Makes a vulnerability database folder of the shipped advisory rows; `updated` is its date. */
export async function makeDatabase(out: string, updated: Date = new Date()): Promise<string> {
  const rows = ['pypi', 'debian', 'npm', 'alpine', 'maven'].map(name =>
    join(ROOT, 'data', `${name}-advisories.jsonl`),
  )
  await run(toolPath('fixture-db'), ['--rows', ...rows, '--out', out, '--updated', whole(updated)])
  return out
}

/** An empty database of the same schema, made from no row at all. */
export async function makeEmptyDatabase(out: string, rows: string): Promise<string> {
  await run(toolPath('fixture-db'), ['--rows', rows, '--out', out, '--updated', whole(new Date())])
  return out
}

function whole(date: Date): string {
  return `${date.toISOString().slice(0, 19)}Z`
}

/** Runs a real program to its end; rejects with its standard error when it fails. */
export async function run(
  program: string,
  args: readonly string[],
  options: { readonly cwd?: string; readonly env?: Readonly<Record<string, string>> } = {},
): Promise<{ readonly stdout: string; readonly stderr: string }> {
  return await execute(program, [...args], {
    encoding: 'utf8',
    maxBuffer: 256 << 20,
    env: { PATH: process.env['PATH'], HOME: process.env['HOME'], ...options.env },
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
  })
}

export interface KeyPair {
  readonly key: string
  readonly publicKey: string
  readonly password: string
}

/** A Cosign key pair, made now. */
export async function makeKeyPair(dir: string, password = 'a password for tests'): Promise<KeyPair> {
  await mkdir(dir, { recursive: true })
  const prefix = join(dir, 'signer')
  await run(toolPath('cosign'), ['generate-key-pair', '--output-key-prefix', prefix], {
    cwd: dir,
    env: { COSIGN_PASSWORD: password },
  })
  return { key: `${prefix}.key`, publicKey: `${prefix}.pub`, password }
}
