import { createHash } from 'node:crypto'
import { createReadStream, createWriteStream } from 'node:fs'
import { open, readFile, stat } from 'node:fs/promises'
import { Transform } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { z } from 'zod'
import { GateError } from '../errors.js'

/** Name of the database and of the file that says how old it is, in every form they come in. */
export const DATABASE_FILE = 'trivy.db'
export const METADATA_FILE = 'metadata.json'

/** What `metadata.json` says. Times RFC 3339. */
export interface DatabaseMetadata {
  readonly updatedAt: string
  readonly nextUpdate?: string
}

const MAX_METADATA_BYTES = 64 * 1024
const TIME = /^(?!0001-)\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d+)?(Z|[+-]\d{2}:\d{2})$/
const time = z.string().regex(TIME)

const metadata = z.object({
  Version: z.number().int(),
  UpdatedAt: time,
  NextUpdate: time.optional().catch(undefined),
})

/** The GateError for a database that cannot be used; `reason` starts with `database-`. */
export function databaseError(reason: string, problem: string, cause?: unknown): GateError {
  const message = `The vulnerability database ${problem}. Nothing can be concluded without it; name another with "database", or make it anew.`
  return new GateError('evidence', { reason, message, cause })
}

/**
 * Reads `metadata.json` (schema 2 of trivy-db, 1 of trivy-java-db). Refuses a missing, unreadable or undated one, and
 * another schema.
 */
export async function readMetadata(path: string, schema: 1 | 2 = 2): Promise<DatabaseMetadata> {
  const text = await readSmall(path)
  let parsed: unknown
  try {
    parsed = JSON.parse(text)
  } catch (cause) {
    throw databaseError('database-metadata-unreadable', `has a ${METADATA_FILE} that is not JSON`, cause)
  }
  const checked = metadata.safeParse(parsed)
  if (!checked.success)
    throw databaseError('database-metadata-unreadable', `has a ${METADATA_FILE} without version and date`)
  const { Version, UpdatedAt, NextUpdate } = checked.data
  if (Version !== schema)
    throw databaseError(
      'database-schema-unsupported',
      `has schema ${Version}, but schema ${schema} is needed`,
    )
  return { updatedAt: UpdatedAt, ...(NextUpdate && { nextUpdate: NextUpdate }) }
}

async function readSmall(path: string): Promise<string> {
  try {
    const { size } = await stat(path)
    if (size > MAX_METADATA_BYTES)
      throw databaseError('database-metadata-unreadable', `has a ${METADATA_FILE} of ${size} bytes`)
    return await readFile(path, 'utf8')
  } catch (cause) {
    if (cause instanceof GateError) throw cause
    throw databaseError('database-metadata-missing', `has no readable ${METADATA_FILE}`, cause)
  }
}

/** Copies a file and returns SHA-256 (hex) and size in bytes of what was written. */
export async function copyHashed(from: string, to: string): Promise<{ sha256: string; size: number }> {
  const hash = createHash('sha256')
  let size = 0
  const count = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      hash.update(chunk)
      size += chunk.length
      done(null, chunk)
    },
  })
  await pipeline(
    createReadStream(from, { highWaterMark: 1 << 20 }),
    count,
    createWriteStream(to, { mode: 0o644 }),
  )
  return { sha256: hash.digest('hex'), size }
}

const META_BYTES = 64
const PAGE_HEADER = 16
const MAGIC = 0xed0cdaed
const PAGE_SIZES = [4096, 1024, 2048, 8192, 16384, 32768, 65536]

/**
 * Checks that a file is a whole bbolt database (https://github.com/etcd-io/bbolt, file format version 2): a valid
 * meta page, and as many pages as it says. Refuses an empty file (`database-empty`), a shorter one
 * (`database-truncated`) and anything else (`database-unreadable`). An empty database passes: the canary finds that.
 */
export async function checkDatabaseFile(path: string): Promise<void> {
  const handle = await open(path, 'r').catch((cause: unknown) => {
    throw databaseError('database-missing', `has no readable ${DATABASE_FILE}`, cause)
  })
  try {
    const found = await handle.stat()
    if (!found.isFile())
      throw databaseError('database-unreadable', `has a ${DATABASE_FILE} that is not a file`)
    if (found.size === 0) throw databaseError('database-empty', `has a ${DATABASE_FILE} of zero bytes`)
    const head = Buffer.alloc(65536 + PAGE_HEADER + META_BYTES)
    const { bytesRead } = await handle.read(head, 0, head.length, 0)
    const needed = bytesNeeded(head.subarray(0, bytesRead))
    if (needed === undefined) {
      const short = bytesRead < 2 * 4096
      throw databaseError(short ? 'database-truncated' : 'database-unreadable', 'has no valid first pages')
    }
    if (BigInt(found.size) < needed)
      throw databaseError('database-truncated', `is ${found.size} bytes long, but ${needed} are needed`)
  } finally {
    await handle.close()
  }
}

/** Bytes that the newest valid meta page (page 0 or 1) says are in use; undefined without a valid one. */
function bytesNeeded(head: Buffer): bigint | undefined {
  const metas = [0, ...PAGE_SIZES].map(offset => readMeta(head, offset)).filter(meta => meta !== undefined)
  const newest = metas.sort((a, b) => (a.transaction < b.transaction ? 1 : -1))[0]
  return newest === undefined ? undefined : newest.pages * BigInt(newest.pageSize)
}

function readMeta(
  head: Buffer,
  offset: number,
): { pageSize: number; pages: bigint; transaction: bigint } | undefined {
  const meta = head.subarray(offset + PAGE_HEADER, offset + PAGE_HEADER + META_BYTES)
  if (meta.length < META_BYTES || meta.readUInt32LE(0) !== MAGIC || meta.readUInt32LE(4) !== 2)
    return undefined
  const pageSize = meta.readUInt32LE(8)
  if (!PAGE_SIZES.includes(pageSize) || (offset !== 0 && offset !== pageSize)) return undefined
  if (meta.readBigUInt64LE(56) !== fnv1a(meta.subarray(0, 56))) return undefined
  return { pageSize, pages: meta.readBigUInt64LE(40), transaction: meta.readBigUInt64LE(48) }
}

/** 64-bit FNV-1a (http://www.isthe.com/chongo/tech/comp/fnv/), the checksum of bbolt's meta pages. */
function fnv1a(bytes: Buffer): bigint {
  let hash = 0xcbf29ce484222325n
  for (const byte of bytes) hash = BigInt.asUintN(64, (hash ^ BigInt(byte)) * 0x100000001b3n)
  return hash
}

/** True when a database file holds this text anywhere: names of its buckets stand in it as they are. */
export async function databaseMentions(path: string, text: string): Promise<boolean> {
  const wanted = Buffer.from(text)
  let rest = Buffer.alloc(0)
  for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 })) {
    const window = Buffer.concat([rest, chunk as Buffer])
    if (window.includes(wanted)) return true
    rest = window.subarray(Math.max(0, window.length - wanted.length))
  }
  return false
}
