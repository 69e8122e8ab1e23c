import { malformed } from './tar-header.js'

/** Pulls bytes out of a stream in the portions asked for. Returned buffers are views of its chunks. */
export interface ByteReader {
  /** Exactly `count` bytes, or null at a clean end; an end in between is refused as truncated. */
  readonly exactly: (count: number) => Promise<Buffer | null>
  /** Between 1 and `most` bytes, or null at the end. */
  readonly some: (most: number) => Promise<Buffer | null>
  /** Lets go of the stream; a stream that was not read to its end is destroyed. */
  readonly close: () => Promise<void>
}

/** Wraps a stream; empty chunks are passed over. */
export function createByteReader(source: AsyncIterable<Uint8Array>): ByteReader {
  const chunks = source[Symbol.asyncIterator]()
  let rest: Buffer = Buffer.alloc(0)

  async function fill(): Promise<boolean> {
    while (rest.length === 0) {
      const next = await chunks.next()
      if (next.done === true) return false
      const { value } = next
      rest = Buffer.from(value.buffer, value.byteOffset, value.byteLength)
    }
    return true
  }

  async function some(most: number): Promise<Buffer | null> {
    if (rest.length === 0 && !(await fill())) return null
    const piece = rest.subarray(0, most)
    rest = rest.subarray(piece.length)
    return piece
  }

  async function exactly(count: number): Promise<Buffer | null> {
    const first = await some(count)
    if (first === null || first.length === count) return first
    const pieces = [first]
    let length = first.length
    while (length < count) {
      const piece = await some(count - length)
      if (piece === null) throw malformed('tar-truncated', 'less data than its headers promise')
      pieces.push(piece)
      length += piece.length
    }
    return Buffer.concat(pieces, count)
  }

  async function close(): Promise<void> {
    await chunks.return?.()
  }

  return { exactly, some, close }
}
