import { constants } from 'node:fs'
import { open, type FileHandle } from 'node:fs/promises'
import type { Readable } from 'node:stream'
import { describeError, GateError, systemErrorCode } from '../errors.js'
import { importDockerArchive } from './docker-archive.js'
import { unpackOciArchive } from './oci-archive.js'
import { readTar } from './tar-reader.js'

const READ = 1024 * 1024
const MAX_ARCHIVE = 64 * 1024 ** 3
const MAX_ENTRIES = 10_000
const PACKED: readonly (readonly [string, Buffer])[] = [
  ['gzip', Buffer.from([0x1f, 0x8b])],
  ['zstd', Buffer.from([0x28, 0xb5, 0x2f, 0xfd])],
  ['bzip2', Buffer.from('BZh')],
  ['xz', Buffer.from([0xfd, 0x37, 0x7a, 0x58, 0x5a])],
]

/** What kind of archive an image came in. */
export type ArchiveKind = 'docker' | 'oci'

/**
 * Brings an image archive into `outDir` as an OCI layout: what `docker save` writes, or an OCI archive. Which of
 * the two is told by the content: only the first has `manifest.json`. Errors: `archive-absent`,
 * `archive-not-file`, `archive-packed` and `archive-kind` (config), `archive-too-large` above `maxBytes` (64 GiB;
 * evidence), `disk-full` and `archive-unreadable` (tool), and those of the two readers.
 */
export async function importImageArchive(
  file: string,
  to: { readonly outDir: string; readonly maxBytes?: number },
): Promise<ArchiveKind> {
  const handle = await openArchive(file, to.maxBytes ?? MAX_ARCHIVE)
  try {
    const kind = await kindOf(file, handle)
    if (kind === 'oci') await unpackOciArchive(from(handle), to.outDir)
    else await importDockerArchive(from(handle), { outDir: to.outDir, gzipLevel: 1 })
    return kind
  } catch (thrown) {
    throw explained(file, thrown)
  } finally {
    await handle.close()
  }
}

async function openArchive(file: string, maxBytes: number): Promise<FileHandle> {
  // Without O_NONBLOCK the opening of a named pipe would wait for its writer.
  const handle = await open(file, constants.O_RDONLY | constants.O_NONBLOCK).catch((cause: unknown) => {
    if (systemErrorCode(cause) !== 'ENOENT') throw explained(file, cause)
    throw refuse('archive-absent', `'${file}' does not exist. Give archive:FILE, relative to the workspace.`)
  })
  const stat = await handle.stat()
  if (stat.isFile() && stat.size <= maxBytes) return handle
  await handle.close()
  if (!stat.isFile()) throw refuse('archive-not-file', `'${file}' is no regular file. Give archive:FILE.`)
  const message = `'${file}' is ${stat.size} bytes long; an archive may have ${maxBytes}.`
  throw new GateError('evidence', { reason: 'archive-too-large', message })
}

/** Reads the names of all entries; the content is read and checked afterwards, from the same open file. */
async function kindOf(file: string, handle: FileHandle): Promise<ArchiveKind> {
  const { buffer: head } = await handle.read(Buffer.alloc(8), 0, 8, 0)
  const packed = PACKED.find(([, magic]) => head.subarray(0, magic.length).equals(magic))
  if (packed !== undefined) {
    throw refuse(
      'archive-packed',
      `'${file}' is compressed with ${packed[0]}. Unpack it to a plain tar first.`,
    )
  }
  const names = new Set<string>()
  const note = ({ path }: { readonly path: string }): undefined => {
    names.add(path)
  }
  await readTar(from(handle), note, { maxEntries: MAX_ENTRIES })
  if (names.has('manifest.json')) return 'docker'
  if (names.has('oci-layout') && names.has('index.json')) return 'oci'
  const message = `'${file}' is no image archive: it has neither manifest.json (docker save) nor oci-layout and index.json.`
  throw refuse('archive-kind', message)
}

function from(handle: FileHandle): Readable {
  return handle.createReadStream({ start: 0, autoClose: false, highWaterMark: READ })
}

function explained(file: string, thrown: unknown): unknown {
  const code = systemErrorCode(thrown)
  if (thrown instanceof GateError || code === undefined) return thrown
  const reason = code === 'ENOSPC' || code === 'EDQUOT' ? 'disk-full' : 'archive-unreadable'
  const message = `'${file}' cannot be unpacked: ${describeError(thrown)}`
  return new GateError('tool', { reason, message, cause: thrown })
}

function refuse(reason: string, message: string): GateError {
  return new GateError('config', { reason, message })
}
