import { createHash } from 'node:crypto'
import { mkdir, open, type FileHandle } from 'node:fs/promises'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { GateError } from '../errors.js'
import type { TarEntry } from './tar-header.js'
import { readTar, type EntrySink } from './tar-reader.js'

const BLOB = /^blobs\/sha256\/([0-9a-f]{64})$/
const DOCUMENTS: ReadonlySet<string> = new Set(['oci-layout', 'index.json'])
const FOLDERS: ReadonlySet<string> = new Set(['', 'blobs', 'blobs/sha256'])
const MAX_ENTRIES = 10_000
const MAX_DOCUMENT = 4 * 1024 * 1024

interface Unpacking {
  readonly outDir: string
  readonly seen: Set<string>
  readonly open: Set<FileHandle>
}

/**
 * Unpacks an OCI archive, a tar of a layout (OCI image spec, image-layout.md), into `outDir`, byte by byte. Takes
 * nothing but `oci-layout`, `index.json` and `blobs/sha256/HEX`, each once and as a regular file, and every
 * blob must hash to its name. What the documents say is left to `openLayout`. Throws GateError `integrity`:
 * `archive-entry`, `archive-duplicate`, `archive-blob-digest`, `archive-document-size`, or a reason of the tar reader.
 */
export async function unpackOciArchive(tar: Readable, outDir: string): Promise<void> {
  await mkdir(join(outDir, 'blobs', 'sha256'), { recursive: true })
  const unpacking: Unpacking = { outDir, seen: new Set(), open: new Set() }
  try {
    await readTar(tar, entry => take(unpacking, entry), { maxEntries: MAX_ENTRIES })
  } finally {
    for (const handle of unpacking.open) await handle.close().catch(() => undefined)
  }
}

async function take(unpacking: Unpacking, { path, type, size }: TarEntry): Promise<EntrySink | undefined> {
  if (type === 'directory' && FOLDERS.has(path)) return undefined
  const hex = BLOB.exec(path)?.[1]
  if (type !== 'file' || (hex === undefined && !DOCUMENTS.has(path))) {
    throw refuse('archive-entry', `it holds a ${type} that belongs to no OCI layout: ${path.slice(0, 200)}`)
  }
  if (unpacking.seen.has(path)) throw refuse('archive-duplicate', `it holds ${path} twice`)
  if (hex === undefined && size > MAX_DOCUMENT) {
    throw refuse('archive-document-size', `its ${path} is ${size} bytes long`)
  }
  unpacking.seen.add(path)
  return await fileSink(unpacking, path, hex)
}

async function fileSink(unpacking: Unpacking, path: string, hex: string | undefined): Promise<EntrySink> {
  const handle = await open(join(unpacking.outDir, path), 'wx')
  unpacking.open.add(handle)
  const hash = createHash('sha256')
  return {
    async write(piece) {
      hash.update(piece)
      await handle.writeFile(piece)
    },
    async end() {
      unpacking.open.delete(handle)
      await handle.close()
      const found = hash.digest('hex')
      if (hex !== undefined && found !== hex) {
        throw refuse('archive-blob-digest', `its blob ${hex} holds other bytes (sha256:${found})`)
      }
    },
  }
}

function refuse(reason: string, what: string): GateError {
  const message = `The OCI archive is refused: ${what}. Write it again, for example with skopeo copy.`
  return new GateError('integrity', { reason, message })
}
