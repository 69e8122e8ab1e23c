import { mkdir, mkdtemp } from 'node:fs/promises'
import { join } from 'node:path'
import { GateError } from '../errors.js'
import type { ToolName } from '../evidence/tooling.js'
import { cachedName, dropEntry, isThere, writableFolder } from './cache.js'
import { CATALOG, RELEASE_BASE, assetUrl, toolPlatform } from './catalog.js'
import type { CatalogAsset } from './catalog.js'
import { refuseDenied } from './denylist.js'
import { DOWNLOAD_LIMITS, downloadFile } from './download.js'
import { installFound } from './found.js'
import { builtTools } from './source-build.js'
import { parseToolOrigin } from './sources.js'
import type { InstalledTool, Pinned, ToolServices, ToolSet } from './tool-set.js'
import type { ToolOrigin } from './sources.js'
import { unpackAsset } from './unpack.js'

export interface ToolRequest {
  /** The input `tools`: `auto`, `release`, `mirror:URL`, `dir:PATH`, `path` or `source`. */
  readonly source: string
  readonly names: readonly ToolName[]
  /** Lets `auto` build from source when the release host cannot be reached (the demo and the tests). */
  readonly allowSource?: boolean
}

/**
 * Gets every tool that is asked for, proved and ready to start, or throws: config (unreadable source), integrity
 * (another hash, a denied version), service (the host), tool (disk, build). `auto` is the cache, then the release
 * host; it goes on to a build from source only when the host is unreachable and `allowSource` is set, and never after
 * an integrity failure. One tool that cannot be had fails them all.
 */
export async function installTools(services: ToolServices, request: ToolRequest): Promise<ToolSet> {
  const origin = parseToolOrigin(request.source)
  const folder = await mkdtemp(join(services.workDir, 'tools-'))
  if (origin.kind !== 'auto' || request.allowSource !== true)
    return await installFrom({ services, origin, folder }, request.names)
  const limits = { ...(services.limits ?? DOWNLOAD_LIMITS), connectAttempts: 1 }
  try {
    return await installFrom({ services: { ...services, limits }, origin, folder }, request.names)
  } catch (thrown) {
    if (!isUnreachable(thrown)) throw thrown
    services.log('the release host cannot be reached; the tools are built from source')
    return await installFrom({ services, origin: { kind: 'source' }, folder }, request.names)
  }
}

interface Given {
  readonly services: ToolServices
  readonly origin: ToolOrigin
  readonly folder: string
}

async function installFrom(given: Given, names: readonly ToolName[]): Promise<ToolSet> {
  const wanted = [...new Set(names)]
  const { services, origin } = given
  if (origin.kind === 'source') return setOf(await builtTools(services, wanted))
  const settled = await Promise.allSettled(wanted.map(name => installOne(given, name)))
  const failures = settled.flatMap(one => (one.status === 'rejected' ? [one.reason as unknown] : []))
  const worst = failures.find(failure => !isUnreachable(failure)) ?? failures[0]
  if (worst !== undefined) throw worst instanceof Error ? worst : new Error('a tool could not be installed')
  return setOf(settled.flatMap(one => (one.status === 'fulfilled' ? [one.value] : [])))
}

function setOf(tools: readonly InstalledTool[]): ToolSet {
  for (const { facts } of tools) refuseDenied(facts)
  return Object.fromEntries(tools.map(tool => [tool.facts.name, tool]))
}

function isUnreachable(thrown: unknown): boolean {
  return thrown instanceof GateError && thrown.code === 'service' && thrown.reason === 'host-unreachable'
}

async function installOne(given: Given, name: ToolName): Promise<InstalledTool> {
  const { services, origin } = given
  switch (origin.kind) {
    case 'path':
    case 'dir': {
      const pinned = pinnedAsset(services, name)
      return await installFound(services, { name, origin, pinned, folder: given.folder })
    }
    case 'auto':
    case 'release':
      return await installAsset(given, {
        name,
        base: services.releaseBase ?? RELEASE_BASE,
        source: 'release',
      })
    case 'mirror':
      return await installAsset(given, { name, base: origin.base, source: 'mirror' })
    case 'source':
      throw new TypeError('builds are made all at once')
  }
}

/** The pin for this machine, or undefined where none is published for it. */
export function pinnedAsset(
  services: Pick<ToolServices, 'catalog' | 'platform'>,
  name: ToolName,
): Pinned | undefined {
  const tool = (services.catalog ?? CATALOG)[name]
  refuseDenied({ name, version: tool.version })
  const platform = services.platform ?? toolPlatform(process.platform, process.arch)
  const asset = platform === undefined ? undefined : tool.assets[platform]
  return asset === undefined ? undefined : { tool, asset }
}

async function installAsset(
  { services, folder }: Given,
  wanted: { readonly name: ToolName; readonly base: string; readonly source: 'release' | 'mirror' },
): Promise<InstalledTool> {
  const { name } = wanted
  const pinned = pinnedAsset(services, name)
  if (pinned === undefined)
    throw new GateError('config', {
      reason: 'tool-platform',
      message: `No release of ${name} is pinned for ${process.platform} on ${process.arch}. Use tools: path, dir:PATH or source.`,
    })
  const cached = join(services.cacheDir, cachedName(pinned.asset))
  const fromCache = await unpackIfThere(services, { pinned, name, file: cached, folder })
  if (fromCache !== undefined)
    return describe(name, { ...fromCache, version: pinned.tool.version, source: wanted.source })
  const file = await fetchAsset(services, { pinned, base: wanted.base, fallback: join(folder, 'assets') })
  const fresh = await unpackAsset({ ...pinned.asset, file }, { folder, name })
  if (fresh.state === 'wrong-hash') throw changedOnDisk(pinned.asset, fresh.found)
  return describe(name, { ...fresh, version: pinned.tool.version, source: wanted.source })
}

function describe(
  name: ToolName,
  found: { path: string; sha256: string; version: string; source: 'release' | 'mirror' },
): InstalledTool {
  const { path, sha256, version, source } = found
  return { program: { name, path, sha256 }, facts: { name, version, source, sha256, verified: true } }
}

async function unpackIfThere(
  services: ToolServices,
  { pinned, name, file, folder }: { pinned: Pinned; name: ToolName; file: string; folder: string },
): Promise<{ readonly path: string; readonly sha256: string } | undefined> {
  if (!(await isThere(file))) return undefined
  const unpacked = await unpackAsset({ ...pinned.asset, file }, { folder, name })
  if (unpacked.state === 'unpacked') return unpacked
  const gone = await dropEntry(file)
  services.log(
    `WARNING: ${pinned.asset.asset} in the tool cache was changed (SHA-256 ${unpacked.found}); ` +
      `it was ${gone ? 'deleted' : 'ignored'} and is downloaded again`,
  )
  return undefined
}

async function fetchAsset(
  services: ToolServices,
  { pinned, base, fallback }: { pinned: Pinned; base: string; fallback: string },
): Promise<string> {
  const { tool, asset } = pinned
  const writable = await writableFolder(services.cacheDir, fallback, services.log)
  const blocked = await isThere(join(writable, cachedName(asset)))
  const folder = blocked ? fallback : writable
  await mkdir(folder, { recursive: true })
  const url = assetUrl(base, tool, asset)
  services.log(`downloading ${url}`)
  return await downloadFile({
    ...{ url, sha256: asset.sha256, folder, fileName: cachedName(asset) },
    ...{ limits: services.limits ?? DOWNLOAD_LIMITS, signal: services.signal, log: services.log },
  })
}

function changedOnDisk(asset: CatalogAsset, found: string): GateError {
  const message = `${asset.asset} was changed on the disk right after its download (SHA-256 ${found}). Nothing was started.`
  return new GateError('integrity', { reason: 'asset-hash-mismatch', message })
}
