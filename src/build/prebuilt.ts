import { cp, lstat, mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { describeError, GateError, systemErrorCode } from '../errors.js'
import { nestFlatIndex } from '../oci/flat-index.js'
import { importImageArchive } from '../oci/image-archive.js'
import type { BuiltImage } from './built.js'

const PARTS = ['oci-layout', 'index.json', 'blobs'] as const

/**
 * Copies a ready OCI layout into the private folder, so that nobody can change it between the hash and the push.
 * Links are copied as links and refused later by the strict reader. Refuses a folder that is no layout.
 */
export async function copyLayout(from: string, workDir: string): Promise<BuiltImage> {
  const layoutDir = join(workDir, 'layout')
  await mkdir(layoutDir, { mode: 0o755 })
  for (const part of PARTS) {
    const source = join(from, part)
    if ((await lstat(source).catch(() => null)) === null) {
      const message = `'${from}' has no ${part}: it is no OCI layout. Give oci-layout:DIR with index.json and blobs/.`
      throw new GateError('config', { reason: 'layout-missing', message })
    }
    try {
      await cp(source, join(layoutDir, part), { recursive: true, errorOnExist: true, force: false })
    } catch (cause) {
      const message = `'${source}' cannot be copied: ${describeError(cause)}`
      const reason = isDiskFull(cause) ? 'disk-full' : 'layout-not-copied'
      throw new GateError('tool', { reason, message, cause })
    }
  }
  await nestFlatIndex(layoutDir)
  return { layoutDir, engine: null, imageId: null }
}

/**
 * Unpacks an image archive (docker save, or OCI) into the private folder. Refuses what is neither, and every archive
 * that does not hold exactly one sound image; see `importImageArchive`.
 */
export async function unpackArchive(file: string, workDir: string): Promise<BuiltImage> {
  const layoutDir = join(workDir, 'layout')
  await mkdir(layoutDir, { mode: 0o755 })
  await importImageArchive(file, { outDir: layoutDir })
  await nestFlatIndex(layoutDir)
  return { layoutDir, engine: null, imageId: null }
}

function isDiskFull(cause: unknown): boolean {
  const code = systemErrorCode(cause)
  return code === 'ENOSPC' || code === 'EDQUOT'
}
