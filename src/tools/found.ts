import { access, constants, realpath, stat } from 'node:fs/promises'
import { delimiter, isAbsolute, join } from 'node:path'
import { GateError } from '../errors.js'
import type { ToolName } from '../evidence/tooling.js'
import { isThere } from './cache.js'
import type { Program } from './command.js'
import { refuseDenied } from './denylist.js'
import { hashFile } from './hash.js'
import type { InstalledTool, Pinned, ToolServices } from './tool-set.js'
import { knownBuilds } from './known-builds.js'
import { unpackAsset } from './unpack.js'

interface FoundRequest {
  readonly name: ToolName
  readonly origin: { readonly kind: 'path' } | { readonly kind: 'dir'; readonly folder: string }
  readonly pinned: Pinned | undefined
  readonly folder: string
}

/** How each tool is asked for its version without touching the network. */
const VERSION_ARGUMENTS: Readonly<Record<ToolName, readonly string[]>> = {
  trivy: ['--version'],
  syft: ['version'],
  cosign: ['version'],
  crane: ['version'],
}
const VERSION = /(?:^|[\s:])v?(\d+\.\d+\.\d+(?:[-+][0-9A-Za-z.+-]+)?)/u
const VERSION_MS = 20_000

/**
 * A tool that somebody put there: the pinned asset in a folder (proved like a download; another hash is an integrity
 * error), or a program in the folder or on PATH. A bare program counts as verified only when its hash is that of a
 * known reproducible build; else it is recorded as unverified and left to the rule `tool.verified`.
 */
export async function installFound(services: ToolServices, request: FoundRequest): Promise<InstalledTool> {
  const { name, origin, pinned, folder } = request
  if (origin.kind === 'path')
    return await bareProgram(services, { name, source: 'path', path: await onPath(services, name) })
  const file = pinned === undefined ? undefined : join(origin.folder, pinned.asset.asset)
  if (pinned !== undefined && file !== undefined && (await isThere(file))) {
    const unpacked = await unpackAsset({ ...pinned.asset, file }, { folder, name })
    if (unpacked.state === 'wrong-hash')
      throw new GateError('integrity', {
        reason: 'asset-hash-mismatch',
        message: `${pinned.asset.asset} in the given folder has SHA-256 ${unpacked.found}, expected ${pinned.asset.sha256}. It was not used.`,
      })
    const { path, sha256 } = unpacked
    const facts = { name, version: pinned.tool.version, source: 'dir', sha256, verified: true } as const
    return { program: { name, path, sha256 }, facts }
  }
  return await bareProgram(services, { name, source: 'dir', path: join(origin.folder, name) })
}

async function bareProgram(
  services: ToolServices,
  found: { readonly name: ToolName; readonly source: 'dir' | 'path'; readonly path: string },
): Promise<InstalledTool> {
  const { name, source } = found
  const path = await executable(found)
  const sha256 = await hashFile(path)
  refuseDenied({ name, sha256 })
  const program = { name, path, sha256 }
  const version = await askVersion(services, name, program)
  const verified = (await knownBuilds(services.programRoot, name)).includes(sha256)
  if (!verified)
    services.log(`WARNING: ${name} ${version} from ${source} is unverified: no hash is pinned for it`)
  return { program, facts: { name, version, source, sha256, verified } }
}

async function executable({
  name,
  path,
}: {
  readonly name: ToolName
  readonly path: string
}): Promise<string> {
  try {
    const real = await realpath(path)
    await access(real, constants.X_OK)
    if ((await stat(real)).isFile()) return real
  } catch {
    // said below
  }
  const message = `${name} is not in the given place, or may not be executed. Put it there, or use tools: release.`
  throw new GateError('tool', { reason: 'not-found', message })
}

async function onPath(services: ToolServices, name: ToolName): Promise<string> {
  const folders = (services.environment['PATH'] ?? '').split(delimiter).filter(folder => isAbsolute(folder))
  for (const folder of folders) {
    const path = join(folder, name)
    const fits = await access(path, constants.X_OK).then(
      () => true,
      () => false,
    )
    if (fits && (await stat(path)).isFile()) return path
  }
  const message = `${name} is not on PATH. Install it, or use tools: release.`
  throw new GateError('tool', { reason: 'not-found', message })
}

async function askVersion(services: ToolServices, name: ToolName, program: Program): Promise<string> {
  const args = VERSION_ARGUMENTS[name]
  const { stdout } = await services.commands.run({ program, args, grant: 'scanner', timeoutMs: VERSION_MS })
  const version = VERSION.exec(stdout)?.[1]
  if (version !== undefined) return version
  const message = `${name} does not tell its version; it may be another program of that name.`
  throw new GateError('tool', { reason: 'version-unreadable', message })
}
