import { createByteReader } from './byte-reader.js'
import type { ByteReader } from './byte-reader.js'
import { decode, entryOf, isZero, malformed, readHeader } from './tar-header.js'
import type { Overrides, RawHeader, TarEntry } from './tar-header.js'
import { checkGlobalPax, paxOverrides } from './tar-pax.js'

/** Takes the data of one entry piece by piece. Pieces are views of the stream's chunks: copy what is kept for long. */
export interface EntrySink {
  readonly write: (piece: Buffer) => void | Promise<void>
  readonly end: () => void | Promise<void>
}

export interface TarLimits {
  /** Entries in one archive. Default 1,000,000. */
  readonly maxEntries?: number
}

const BLOCK = 512
const MAX_EXTENSION = 1024 * 1024

/**
 * Reads a tar stream strictly: what Go's archive/tar, GNU tar and libarchive would see differently is refused with
 * a reason of its own. `visit` may return a sink for the entry's data; without one the data is skipped. Only zero
 * bytes may follow the end marker. Returns how many entries there were.
 */
export async function readTar(
  source: AsyncIterable<Uint8Array>,
  visit: (entry: TarEntry) => EntrySink | undefined | Promise<EntrySink | undefined>,
  limits: TarLimits = {},
): Promise<number> {
  const reader = createByteReader(source)
  const maxEntries = limits.maxEntries ?? 1_000_000
  let entries = 0
  try {
    for (;;) {
      const entry = await nextEntry(reader)
      if (entry === null) return entries
      entries += 1
      if (entries > maxEntries) throw malformed('tar-too-many-entries', `more than ${maxEntries} entries`)
      await copyData(reader, entry, await visit(entry))
    }
  } finally {
    await reader.close()
  }
}

async function nextEntry(reader: ByteReader): Promise<TarEntry | null> {
  let overrides: Overrides = {}
  let extended = ''
  for (;;) {
    const header = await nextHeader(reader)
    if (header === null) {
      if (extended !== '') throw malformed('tar-truncated', 'an extended header without an entry')
      return null
    }
    const { flag } = header
    if (flag === 'g') {
      if (extended !== '')
        throw malformed('tar-pax-order', 'a global header between an entry and its own header')
      checkGlobalPax(await extension(reader, header))
    } else if (flag === 'x' || flag === 'L' || flag === 'K') {
      if (extended.includes(flag) || (extended !== '' && (flag === 'x' || extended.includes('x')))) {
        throw malformed('tar-pax-order', 'two extended headers for one entry')
      }
      extended += flag
      overrides = { ...overrides, ...extensionOf(flag, await extension(reader, header)) }
    } else {
      return entryOf(header, overrides)
    }
  }
}

async function nextHeader(reader: ByteReader): Promise<RawHeader | null> {
  const block = await reader.exactly(BLOCK)
  if (block === null) return null
  if (!isZero(block)) return readHeader(block)
  // One block of the marker may be missing, but half a block is a broken header to archive/tar.
  let rest = await reader.exactly(BLOCK)
  while (rest !== null) {
    if (!isZero(rest)) throw malformed('tar-trailing-data', 'data behind its end marker')
    rest = await reader.some(Number.MAX_SAFE_INTEGER)
  }
  return null
}

async function extension(reader: ByteReader, header: RawHeader): Promise<Buffer> {
  if (header.size > MAX_EXTENSION)
    throw malformed('tar-pax-size', `an extended header of ${header.size} bytes`)
  const padded = Math.ceil(header.size / BLOCK) * BLOCK
  const data = padded === 0 ? Buffer.alloc(0) : await reader.exactly(padded)
  if (data === null) throw malformed('tar-truncated', 'an extended header that ends too early')
  return Buffer.from(data.subarray(0, header.size))
}

function extensionOf(flag: string, data: Buffer): Overrides {
  if (flag === 'x') return paxOverrides(data)
  const end = data.indexOf(0)
  const name = decode(end === -1 ? data : data.subarray(0, end))
  if (name === '') throw malformed('tar-pax-value', 'an empty long name')
  return flag === 'L' ? { path: name } : { linkpath: name }
}

async function copyData(reader: ByteReader, entry: TarEntry, sink: EntrySink | undefined): Promise<void> {
  let left = entry.size
  while (left > 0) {
    const piece = await reader.some(left)
    if (piece === null) throw malformed('tar-truncated', `an entry that ends too early: ${entry.path}`)
    left -= piece.length
    const written = sink?.write(piece)
    if (written !== undefined) await written
  }
  const padding = (BLOCK - (entry.size % BLOCK)) % BLOCK
  if (padding > 0 && (await reader.exactly(padding)) === null) {
    throw malformed('tar-truncated', `an entry that ends too early: ${entry.path}`)
  }
  const ended = sink?.end()
  if (ended !== undefined) await ended
}
