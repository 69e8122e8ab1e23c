import { join } from 'node:path'
import type { ToolName } from '../evidence/tooling.js'
import { cachedName, isThere } from './cache.js'
import { CATALOG, RELEASE_BASE, TOOL_NAMES, assetUrl } from './catalog.js'
import { hashFile } from './hash.js'
import { pinnedAsset } from './install.js'
import type { ToolServices } from './tool-set.js'

type InventoryServices = Pick<ToolServices, 'cacheDir' | 'catalog' | 'platform' | 'releaseBase'>

/** One line of `portcullis tools list`. */
export interface ListedTool {
  readonly name: ToolName
  readonly version: string
  /** Undefined where nothing is pinned for this machine. */
  readonly pinned: { readonly asset: string; readonly sha256: string; readonly url: string } | undefined
  readonly cached: boolean
}

/** One line of `portcullis tools verify`: the cached asset against its pin. */
export interface VerifiedTool extends ListedTool {
  readonly state: 'verified' | 'changed' | 'absent' | 'unreadable' | 'not-pinned'
}

/** What is pinned for this machine, and whether the cache has a file for it (not yet hashed). */
export async function listTools(services: InventoryServices): Promise<readonly ListedTool[]> {
  return await Promise.all(TOOL_NAMES.map(name => listOne(services, name)))
}

/** Hashes every cached asset. Only `verified` is good; `absent` means the next run downloads it. Changes nothing. */
export async function verifyTools(services: InventoryServices): Promise<readonly VerifiedTool[]> {
  const tools = await listTools(services)
  return await Promise.all(tools.map(async tool => ({ ...tool, state: await stateOf(services, tool) })))
}

async function listOne(services: InventoryServices, name: ToolName): Promise<ListedTool> {
  const pinned = pinnedAsset(services, name)
  const { version } = (services.catalog ?? CATALOG)[name]
  if (pinned === undefined) return { name, version, pinned: undefined, cached: false }
  const { asset, sha256 } = pinned.asset
  const url = assetUrl(services.releaseBase ?? RELEASE_BASE, pinned.tool, pinned.asset)
  const cached = await isThere(join(services.cacheDir, cachedName(pinned.asset)))
  return { name, version, pinned: { asset, sha256, url }, cached }
}

async function stateOf(services: InventoryServices, tool: ListedTool): Promise<VerifiedTool['state']> {
  if (tool.pinned === undefined) return 'not-pinned'
  if (!tool.cached) return 'absent'
  try {
    const found = await hashFile(join(services.cacheDir, cachedName(tool.pinned)))
    return found === tool.pinned.sha256 ? 'verified' : 'changed'
  } catch {
    return 'unreadable'
  }
}
