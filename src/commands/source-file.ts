import { constants } from 'node:fs'
import { lstat, open, realpath } from 'node:fs/promises'
import { basename, dirname, join, sep } from 'node:path'
import { systemErrorCode } from '../errors.js'

/** What there is under the path of a source file; `refused` says why it is not read. */
export type SourceFile =
  | { readonly state: 'read'; readonly text: string }
  | { readonly state: 'absent' }
  | { readonly state: 'refused'; readonly why: string }

/**
 * Reads a small text file of foreign sources: a plain file of at most `maxBytes`. A link is followed only inside the
 * folders `within`: one that leads out, to `/proc/self/environ` say, would put what is there into the reports.
 * Never waits for a pipe.
 */
export async function readSourceFile(
  path: string,
  limits: { readonly maxBytes: number; readonly within: readonly string[] },
): Promise<SourceFile> {
  const real = await realpath(path).catch((thrown: unknown) => thrown)
  if (typeof real !== 'string') {
    const code = systemErrorCode(real)
    const link = await lstat(path).catch(() => null)
    if (link !== null) return { state: 'refused', why: 'is a link that leads nowhere' }
    if (code === 'ENOENT' || code === 'ENOTDIR') return { state: 'absent' }
    return { state: 'refused', why: `cannot be opened (${code ?? 'unknown error'})` }
  }
  const own = join(await realpath(dirname(path)), basename(path))
  if (real !== own && !(await liesWithin(real, limits.within)))
    return { state: 'refused', why: 'is a link that leads out of the sources' }
  try {
    return await readPlain(real, limits.maxBytes)
  } catch (thrown) {
    return { state: 'refused', why: `cannot be read (${systemErrorCode(thrown) ?? 'unknown error'})` }
  }
}

async function liesWithin(real: string, folders: readonly string[]): Promise<boolean> {
  for (const folder of folders) {
    const base = await realpath(folder).catch(() => null)
    if (base !== null && real.startsWith(base.endsWith(sep) ? base : `${base}${sep}`)) return true
  }
  return false
}

async function readPlain(path: string, maxBytes: number): Promise<SourceFile> {
  const handle = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
  try {
    const stat = await handle.stat()
    const bytes = Buffer.alloc(Math.min(stat.size, maxBytes) + 1)
    if (!stat.isFile() || stat.size > maxBytes) return notSmall(maxBytes)
    const { bytesRead } = await handle.read(bytes, 0, bytes.length, 0)
    // Files of the kernel have no size, and one that grows meanwhile is not what was looked at.
    if (bytesRead !== stat.size) return notSmall(maxBytes)
    return { state: 'read', text: bytes.toString('utf8', 0, bytesRead) }
  } finally {
    await handle.close()
  }
}

function notSmall(maxBytes: number): SourceFile {
  return { state: 'refused', why: `is no plain file up to ${maxBytes / 1024 ** 2} MiB` }
}
