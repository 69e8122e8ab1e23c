import { createReadStream, createWriteStream } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable, Transform } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { setTimeout } from 'node:timers/promises'
import { createGunzip } from 'node:zlib'
import { extract } from 'tar-stream'
import { describeError, GateError, systemErrorCode } from '../errors.js'
import { fetchOutbound } from '../network.js'
import { DATABASE_FILE, databaseError, METADATA_FILE } from './database-file.js'
import { JAVA_DATABASE_FILE } from './java-database-file.js'

const MAX_ARCHIVE_BYTES = 4 * 1024 ** 3
const MAX_DATABASE_BYTES = 16 * 1024 ** 3
const MAX_METADATA_BYTES = 64 * 1024
const DOWNLOAD_MS = 15 * 60 * 1000
const LOOPBACK = new Set(['127.0.0.1', 'localhost', '[::1]'])

const LIMITS: Readonly<Record<string, number>> = {
  [`db/${DATABASE_FILE}`]: MAX_DATABASE_BYTES,
  [`db/${METADATA_FILE}`]: MAX_METADATA_BYTES,
  [`java-db/${JAVA_DATABASE_FILE}`]: MAX_DATABASE_BYTES,
  [`java-db/${METADATA_FILE}`]: MAX_METADATA_BYTES,
}

/**
 * Unpacks `db.tar.gz` (trivy.db and metadata.json at its top, or in `db/`; the Java database's files in `java-db/`)
 * into `outDir/db` and `outDir/java-db`. Refuses any other entry, a second one of a name, links, sizes beyond the
 * caps and a damaged archive (`database-archive-unreadable`).
 */
export async function unpackDatabase(archive: string, outDir: string): Promise<void> {
  for (const name of ['db', 'java-db']) await mkdir(join(outDir, name), { recursive: true })
  const seen = new Set<string>()
  const entries = extract()
  entries.on('entry', (header, stream, next) => {
    stream.on('error', () => undefined) // the archive as a whole reports it
    const given = header.name.replace(/^\.\//, '')
    const name = given.includes('/') ? given : `db/${given}`
    const limit = LIMITS[name] ?? 0
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
    if (systemErrorCode(cause) === 'ENOENT')
      throw databaseError('database-missing', 'archive is not there', cause)
    throw databaseError(
      'database-archive-unreadable',
      `archive cannot be unpacked: ${describeError(cause)}`,
      cause,
    )
  }
  if (!seen.has(`db/${DATABASE_FILE}`))
    throw databaseError('database-missing', `archive holds no ${DATABASE_FILE}`)
}

/** True for an address that a database may be fetched from: https, or http on this machine. */
export function isFetchable(url: URL): boolean {
  return url.protocol === 'https:' || (url.protocol === 'http:' && LOOPBACK.has(url.hostname))
}

const ATTEMPTS = 3

/**
 * Downloads a database archive to `file`. Tries again (three times in all) on network errors, 429 and 5xx; refuses
 * other answers, a redirect to plain http, a body that is not as long as announced or longer than 4 GiB.
 */
export async function downloadArchive(url: URL, file: string, signal?: AbortSignal): Promise<void> {
  let failure = 'it was not tried'
  for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
    if (attempt > 1) await setTimeout(attempt * 250)
    try {
      const refused = await fetchOnce(url, file, signal)
      if (refused === undefined) return
      failure = refused
      break
    } catch (thrown) {
      if (signal?.aborted)
        throw new GateError('tool', { reason: 'cancelled', message: 'The run was cancelled.' })
      failure = describeError(thrown)
    }
  }
  throw new GateError('service', {
    reason: 'database-unreachable',
    message: `The vulnerability database could not be downloaded from ${url.host}: ${failure}. Neither clean nor vulnerable; run again, or name another database.`,
  })
}

/** Undefined when the file is there, a text when trying again is no use; throws what may heal. */
async function fetchOnce(
  url: URL,
  file: string,
  signal: AbortSignal | undefined,
): Promise<string | undefined> {
  const limit = AbortSignal.timeout(DOWNLOAD_MS)
  const response = await fetchOutbound(url, { signal: signal ? AbortSignal.any([signal, limit]) : limit })
  const { status, body } = response
  if (!isFetchable(new URL(response.url)) || !response.ok || body === null) {
    await body?.cancel()
    if (status === 429 || status >= 500) throw new Error(`the server answered with status ${status}`)
    return response.ok
      ? 'it was redirected to an address that is not https'
      : `the server answered with status ${status}`
  }
  const announced = response.headers.get('content-length')
  let size = 0
  const count = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      size += chunk.length
      done(size > MAX_ARCHIVE_BYTES ? new Error('the body is longer than 4 GiB') : null, chunk)
    },
  })
  await pipeline(Readable.fromWeb(body), count, createWriteStream(file))
  if (announced !== null && response.headers.get('content-encoding') === null && Number(announced) !== size)
    throw new Error(`the body has ${size} bytes, but ${announced} were announced`)
  return undefined
}
