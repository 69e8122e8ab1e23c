import { createHash } from 'node:crypto'
import { constants } from 'node:fs'
import { lstat, open } from 'node:fs/promises'
import type { FileHandle } from 'node:fs/promises'
import { join } from 'node:path'
import { GateError } from '../errors.js'
import { digestHex } from '../evidence/digest.js'
import type { Digest } from '../evidence/digest.js'
import type { Descriptor } from '../evidence/subject.js'

const CHUNK = 1024 * 1024
const PARALLEL = 2

/** Longest document of a layout that is read: marker, index, manifest, configuration. Bytes. */
export const MAX_DOCUMENT_BYTES = 4 * 1024 * 1024

/** Where a blob of an OCI layout lies (OCI image spec, image-layout.md). */
export function blobPath(dir: string, digest: Digest): string {
  return join(dir, 'blobs', 'sha256', digestHex(digest))
}

/**
 * Hashes every blob that the image reaches: name = SHA-256, size = descriptor. No tool does this on its own, so it
 * is done before the scan and again before the push. Throws GateError `integrity`: `blob-missing`,
 * `blob-symlink`, `blob-size-mismatch`, `blob-digest-mismatch`. Returns how many blobs and bytes were read.
 */
export async function hashBlobs(layout: {
  readonly dir: string
  readonly blobs: readonly Descriptor[]
}): Promise<{ readonly objects: number; readonly bytes: number }> {
  const waiting = [...layout.blobs].sort((a, b) => b.size - a.size)
  async function work(): Promise<number> {
    let bytes = 0
    for (let blob = waiting.shift(); blob !== undefined; blob = waiting.shift()) {
      await hashBlob(layout.dir, blob)
      bytes += blob.size
    }
    return bytes
  }
  const sums = await Promise.all(Array.from({ length: PARALLEL }, work))
  return { objects: layout.blobs.length, bytes: sums.reduce((sum, bytes) => sum + bytes, 0) }
}

async function hashBlob(dir: string, blob: Descriptor): Promise<void> {
  const handle = await openBlob(dir, blob)
  try {
    const hash = createHash('sha256')
    const buffer = Buffer.allocUnsafe(CHUNK)
    for (;;) {
      const { bytesRead } = await handle.read(buffer, 0, CHUNK)
      if (bytesRead === 0) break
      hash.update(buffer.subarray(0, bytesRead))
    }
    compare(blob, hash.digest('hex'))
  } finally {
    await handle.close()
  }
}

/** Refuses a layout whose folders are not there or are links (`layout-missing`, `blob-symlink`; evidence). */
export async function checkLayoutFolders(dir: string): Promise<void> {
  for (const folder of [dir, join(dir, 'blobs'), join(dir, 'blobs', 'sha256')]) {
    const found = await (folder === dir ? lstat(`${dir}/.`) : lstat(folder)).catch(() => null)
    if (found?.isDirectory() === true) continue
    throw new GateError('evidence', {
      reason: found === null ? 'layout-missing' : 'blob-symlink',
      message: `${folder} is not a folder: an OCI layout with blobs/sha256 is expected`,
    })
  }
}

/** Reads `oci-layout` or `index.json` of a layout: a regular file of at most `MAX_DOCUMENT_BYTES`. */
export async function readLayoutFile(dir: string, name: 'oci-layout' | 'index.json'): Promise<Buffer> {
  const handle = await openRegular(join(dir, name), name)
  try {
    const { size } = await handle.stat()
    if (size > MAX_DOCUMENT_BYTES) {
      throw new GateError('evidence', {
        reason: 'document-too-large',
        message: `${name} is ${size} bytes long; a document of an image may have ${MAX_DOCUMENT_BYTES}`,
      })
    }
    return await handle.readFile()
  } finally {
    await handle.close()
  }
}

/** Reads one small blob (manifest, configuration), checked against its descriptor as `hashBlobs` does. */
export async function readBlob(dir: string, blob: Descriptor, maxBytes: number): Promise<Buffer> {
  if (blob.size > maxBytes) {
    throw new GateError('evidence', {
      reason: 'document-too-large',
      message: `${blob.digest} is ${blob.size} bytes long; a document of an image may have ${maxBytes}`,
    })
  }
  const handle = await openBlob(dir, blob)
  try {
    const bytes = await handle.readFile()
    compare(blob, createHash('sha256').update(bytes).digest('hex'))
    return bytes
  } finally {
    await handle.close()
  }
}

/** Opens a blob for reading: a regular file of exactly the descriptor's size, never a link or a device. */
export async function openBlob(dir: string, blob: Descriptor): Promise<FileHandle> {
  const handle = await openRegular(blobPath(dir, blob.digest), blob.digest)
  const { size } = await handle.stat()
  if (size === blob.size) return handle
  await handle.close()
  throw integrity(
    'blob-size-mismatch',
    `blob ${blob.digest} is ${size} bytes long, its descriptor says ${blob.size}`,
  )
}

/** Opens a regular file without following a link; `what` names it in messages. Reasons `blob-missing`, `blob-symlink`. */
export async function openRegular(path: string, what: string): Promise<FileHandle> {
  const found = await lstat(path).catch(() => null)
  if (found === null)
    throw integrity('blob-missing', `${what} is not in the layout; copy the layout completely`)
  if (!found.isFile())
    throw integrity('blob-symlink', `${what} is a link or a special file, not a regular file`)
  try {
    return await open(path, constants.O_RDONLY | constants.O_NOFOLLOW)
  } catch (cause) {
    throw new GateError('integrity', {
      reason: 'blob-unreadable',
      message: `${what} cannot be opened; check the permissions of the layout`,
      cause,
    })
  }
}

function compare(blob: Descriptor, hex: string): void {
  if (hex === digestHex(blob.digest)) return
  throw integrity('blob-digest-mismatch', `blob ${blob.digest} holds other bytes (sha256:${hex})`)
}

function integrity(reason: string, message: string): GateError {
  return new GateError('integrity', { reason, message })
}
