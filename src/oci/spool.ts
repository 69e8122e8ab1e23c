import { createHash, type Hash } from 'node:crypto'
import { closeSync, ftruncateSync, openSync, readSync, writeSync } from 'node:fs'

/** A private file that is written in order, and can be read again while it grows. */
export interface Spool {
  readonly append: (bytes: Uint8Array) => void
  /** Bytes from `at` on, as many as `length`; refuses to read past the end. */
  readonly read: (at: number, length: number) => Buffer
  /** Bytes written so far. */
  readonly size: () => number
  /** Forgets the content and frees its room on the disk. */
  readonly clear: () => void
  /** SHA-256 of all that was appended; kept only where it was asked for. */
  readonly digest: () => string
  readonly close: () => void
}

const BUFFER = 1024 * 1024

/** Makes the file, which must not exist yet. It is written in steps of one MiB, whatever the pieces are. */
export function createSpool(path: string, hashed = false): Spool {
  const file = openSync(path, 'wx+', 0o600)
  const buffer = Buffer.allocUnsafe(BUFFER)
  const hash: Hash | undefined = hashed ? createHash('sha256') : undefined
  let waiting = 0
  let written = 0

  function write(bytes: Uint8Array): void {
    hash?.update(bytes)
    for (let done = 0; done < bytes.byteLength;) {
      done += writeSync(file, bytes, done, bytes.byteLength - done, written + done)
    }
    written += bytes.byteLength
  }

  function flush(): void {
    const bytes = buffer.subarray(0, waiting)
    waiting = 0
    if (bytes.length > 0) write(bytes)
  }

  function append(bytes: Uint8Array): void {
    if (waiting + bytes.byteLength > BUFFER) flush()
    if (bytes.byteLength > BUFFER) write(bytes)
    else {
      buffer.set(bytes, waiting)
      waiting += bytes.byteLength
    }
  }

  function read(at: number, length: number): Buffer {
    if (at + length > written) flush()
    const bytes = Buffer.allocUnsafe(length)
    let done = 0
    while (done < length) {
      const got = readSync(file, bytes, done, length - done, at + done)
      if (got === 0) throw new RangeError(`read past the end of ${path}`)
      done += got
    }
    return bytes
  }

  function clear(): void {
    waiting = 0
    written = 0
    ftruncateSync(file, 0)
  }

  function digest(): string {
    flush()
    if (hash === undefined) throw new TypeError('this file is not hashed')
    return hash.digest('hex')
  }

  return { append, read, size: () => written + waiting, clear, digest, close: () => closeSync(file) }
}
