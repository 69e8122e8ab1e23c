import { createReadStream, createWriteStream } from 'node:fs'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable, Transform } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { createGunzip } from 'node:zlib'
import pRetry, { AbortError } from 'p-retry'
import { extract } from 'tar-stream'
import { describeError, GateError } from '../errors.js'
import { DATABASE_FILE, databaseError, METADATA_FILE } from './database-file.js'

const MAX_ARCHIVE_BYTES = 4 * 1024 ** 3
const MAX_DATABASE_BYTES = 16 * 1024 ** 3
const MAX_METADATA_BYTES = 64 * 1024
const DOWNLOAD_MS = 15 * 60 * 1000
const LOOPBACK = new Set(['127.0.0.1', 'localhost', '[::1]'])

/**
 * Unpacks `db.tar.gz` (trivy.db and metadata.json at its top, or in `db/`) into `outDir`. Refuses any other entry,
 * a second one of a name, links, sizes beyond the caps and a damaged archive (`database-archive-unreadable`).
 */
export async function unpackDatabase(archive: string, outDir: string): Promise<void> {
  await mkdir(outDir, { recursive: true })
  const seen = new Set<string>()
  const entries = extract()
  entries.on('entry', (header, stream, next) => {
    const name = header.name.replace(/^\.\//, '').replace(/^db\//, '')
    const limit =
      name === DATABASE_FILE ? MAX_DATABASE_BYTES : name === METADATA_FILE ? MAX_METADATA_BYTES : 0
    if (header.type === 'directory') {
      stream.resume()
      next()
      return
    }
    if (header.type !== 'file' || seen.has(name) || header.size > limit) {
      next(new Error(`unexpected entry ${JSON.stringify(header.name.slice(0, 200))}`))
      return
    }
    seen.add(name)
    pipeline(stream, createWriteStream(join(outDir, name), { flags: 'wx' })).then(() => next(), next)
  })
  try {
    await pipeline(createReadStream(archive), createGunzip(), entries)
  } catch (cause) {
    if (isMissing(cause)) throw databaseError('database-missing', 'archive is not there', cause)
    throw databaseError(
      'database-archive-unreadable',
      `archive cannot be unpacked: ${describeError(cause)}`,
      cause,
    )
  }
  if (!seen.has(DATABASE_FILE)) throw databaseError('database-missing', `archive holds no ${DATABASE_FILE}`)
}

function isMissing(thrown: unknown): boolean {
  return thrown instanceof Error && 'code' in thrown && thrown.code === 'ENOENT'
}

/** True for an address that a database may be fetched from: https, or http on this machine. */
export function isFetchable(url: URL): boolean {
  return url.protocol === 'https:' || (url.protocol === 'http:' && LOOPBACK.has(url.hostname))
}

/**
 * Downloads a database archive to `file`. Tries again (three times in all) on network errors, 429 and 5xx; refuses
 * other answers, a redirect to plain http, a body that is not as long as announced or longer than 4 GiB.
 */
export async function downloadArchive(url: URL, file: string, signal?: AbortSignal): Promise<void> {
  await writeFile(file, '')
  try {
    await pRetry(() => fetchOnce(url, file, signal), {
      retries: 2,
      minTimeout: 200,
      maxTimeout: 2000,
      ...(signal && { signal }),
    })
  } catch (cause) {
    throw new GateError('service', {
      reason: 'database-unreachable',
      message: `The vulnerability database could not be downloaded from ${url.host}: ${describeError(cause)}. Neither clean nor vulnerable; run again, or name another database.`,
      cause,
    })
  }
}

async function fetchOnce(url: URL, file: string, signal: AbortSignal | undefined): Promise<void> {
  const limit = AbortSignal.timeout(DOWNLOAD_MS)
  const response = await fetch(url, { signal: signal ? AbortSignal.any([signal, limit]) : limit })
  if (!isFetchable(new URL(response.url)))
    throw new AbortError('it was redirected to an address that is not https')
  const again = response.status === 429 || response.status >= 500
  if (!response.ok || response.body === null) {
    await response.body?.cancel()
    const text = `the server answered with status ${response.status}`
    throw again ? new Error(text) : new AbortError(text)
  }
  const announced = response.headers.get('content-length')
  let size = 0
  const count = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      size += chunk.length
      done(size > MAX_ARCHIVE_BYTES ? new AbortError('the body is longer than 4 GiB') : null, chunk)
    },
  })
  await pipeline(Readable.fromWeb(response.body), count, createWriteStream(file))
  if (announced !== null && response.headers.get('content-encoding') === null && Number(announced) !== size)
    throw new Error(`the body has ${size} bytes, but ${announced} were announced`)
}
