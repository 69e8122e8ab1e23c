import { createHash } from 'node:crypto'
import { createReadStream, createWriteStream } from 'node:fs'
import { rename } from 'node:fs/promises'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import type { Writable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { createGunzip, createGzip } from 'node:zlib'
import type { Digest } from '../evidence/digest.js'
import { blobPath } from './blobs.js'
import type { EntrySink } from './tar-reader.js'

/** A file of the archive that became a blob on disk. Sizes in bytes. */
export interface StoredBlob {
  readonly digest: Digest
  readonly size: number
  /** What the archive held: the file itself, hashed before any compression. */
  readonly original: Digest
  /** How the archive held it; `plain` files are stored gzipped. */
  readonly kind: 'plain' | 'gzip'
}

interface Tally {
  digest: Digest
  size: number
}

/** Hands every chunk on and leaves digest and size of what passed in `tally`. */
function measured(tally: Tally): (source: AsyncIterable<Uint8Array>) => AsyncGenerator<Uint8Array> {
  return async function* (source) {
    const hash = createHash('sha256')
    for await (const chunk of source) {
      hash.update(chunk)
      tally.size += chunk.byteLength
      yield chunk
    }
    tally.digest = `sha256:${hash.digest('hex')}`
  }
}

/**
 * A sink that stores one file of the archive as a blob while it streams: gzipped at `gzipLevel` when it arrives
 * plain, as it is when it is gzip already. Temporary files lie in `outDir` under `number`.
 */
export function blobSink(
  given: {
    readonly outDir: string
    readonly number: number
    readonly kind: 'plain' | 'gzip'
    readonly gzipLevel: number
  },
  done: (blob: StoredBlob) => void,
): EntrySink {
  const { outDir, kind } = given
  const temporary = join(outDir, `incoming-${given.number}`)
  const original = createHash('sha256')
  const tally: Tally = { digest: 'sha256:', size: 0 }
  const head =
    kind === 'plain'
      ? createGzip({ level: given.gzipLevel, chunkSize: 256 * 1024 })
      : new PassThrough({ highWaterMark: 1024 * 1024 })
  const stored = pipeline(head, measured(tally), createWriteStream(temporary, { flags: 'wx' }))
  let failure: unknown
  stored.catch((error: unknown) => {
    failure = error
  })
  return {
    async write(piece) {
      if (failure !== undefined) await stored
      original.update(piece)
      if (!head.write(piece)) await Promise.race([drained(head), stored])
    },
    async end() {
      head.end()
      await stored
      await rename(temporary, blobPath(outDir, tally.digest))
      done({ ...tally, original: `sha256:${original.digest('hex')}`, kind })
    },
  }
}

function drained(stream: Writable): Promise<void> {
  return new Promise(resolve => stream.once('drain', resolve))
}

/** Unpacks a gzipped blob again under the digest it had in the archive; the packed blob stays. */
export async function unpackBlob(outDir: string, blob: StoredBlob): Promise<StoredBlob> {
  const tally: Tally = { digest: 'sha256:', size: 0 }
  const temporary = join(outDir, 'unpacking')
  await pipeline(
    createReadStream(blobPath(outDir, blob.digest)),
    createGunzip(),
    measured(tally),
    createWriteStream(temporary, { flags: 'w' }),
  )
  await rename(temporary, blobPath(outDir, tally.digest))
  return { ...blob, ...tally }
}

/** Stores bytes that were kept in memory. */
export async function storeBytes(
  given: {
    readonly outDir: string
    readonly number: number
    readonly kind: 'plain' | 'gzip'
    readonly gzipLevel: number
  },
  bytes: Buffer,
): Promise<StoredBlob> {
  const stored: StoredBlob[] = []
  const sink = blobSink(given, blob => stored.push(blob))
  await sink.write(bytes)
  await sink.end()
  const [blob] = stored
  if (blob === undefined) throw new Error('a sink that ended has stored its blob')
  return blob
}
