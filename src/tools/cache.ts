import { access, constants, lstat, mkdir, rm } from 'node:fs/promises'
import { homedir } from 'node:os'
import { dirname, isAbsolute, join } from 'node:path'
import type { CatalogAsset } from './catalog.js'

/** Where assets are kept from run to run: below the runner's tool cache, else the user's cache folder. */
export function toolCacheFolder(environment: Readonly<Record<string, string | undefined>>): string {
  const named = [
    environment['PORTCULLIS_CACHE'],
    environment['RUNNER_TOOL_CACHE'],
    environment['XDG_CACHE_HOME'],
  ]
  const [own, runner, xdg] = named.map(path => (path !== undefined && isAbsolute(path) ? path : undefined))
  if (own !== undefined) return join(own, 'assets')
  return join(runner ?? xdg ?? join(homedir(), '.cache'), 'portcullis', 'assets')
}

/** The file beside the assets that remembers how big the databases of each place were. */
export function databaseSizesFile(environment: Readonly<Record<string, string | undefined>>): string {
  return join(dirname(toolCacheFolder(environment)), 'database-sizes.json')
}

/** Name of an asset in the cache. It holds the pinned hash, so another pin never meets an old file. */
export function cachedName(asset: CatalogAsset): string {
  return `${asset.sha256}-${asset.asset}`
}

/** The folder to download into: the cache when it can be written, else a folder of this run (and it says so). */
export async function writableFolder(
  cache: string,
  fallback: string,
  log: (line: string) => void,
): Promise<string> {
  try {
    await mkdir(cache, { recursive: true, mode: 0o755 })
    await access(cache, constants.W_OK)
    return cache
  } catch {
    log('the tool cache cannot be written; downloads are kept for this run only')
    await mkdir(fallback, { recursive: true, mode: 0o700 })
    return fallback
  }
}

/** Removes a cache entry that is not what it should be; true when it is gone. */
export async function dropEntry(path: string): Promise<boolean> {
  try {
    await rm(path, { force: true })
    return true
  } catch {
    return false
  }
}

/** True when something has that name, even a broken link: it is then never overwritten blindly. */
export async function isThere(path: string): Promise<boolean> {
  try {
    await lstat(path)
    return true
  } catch {
    return false
  }
}
