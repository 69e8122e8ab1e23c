import { createHash } from 'node:crypto'
import { pipeline } from 'node:stream/promises'
import * as zlib from 'node:zlib'
import { GateError } from '../errors.js'
import { layerKind } from '../evidence/oci-media.js'
import type { LayerDescriptor } from '../evidence/subject.js'
import { openBlob } from './blobs.js'
import { malformed } from './tar-header.js'
import { oneZstdFrame } from './zstd-frame.js'

/** The uncompressed bytes of a layer, hashed on the way. */
export interface LayerStream {
  readonly chunks: AsyncIterable<Uint8Array>
  /** To be called when all chunks were read: checks the diff_id and returns the uncompressed size in bytes. */
  readonly finish: () => number
}

const READ = 1024 * 1024
const INFLATE = 256 * 1024
/** Bombs: layers that unpack to more than this, and to more than so many times their packed size. */
const BOMB = { bytes: 1024 ** 3, ratio: 200 } as const

/** Node has zstd since 22.15. */
type Decoders = Partial<Pick<typeof zlib, 'createZstdDecompress'>>

/** True where layers packed with zstd can be read. */
export function canReadZstd(decoders: Decoders = zlib): boolean {
  return decoders.createZstdDecompress !== undefined
}

/**
 * Opens one layer of a layout. Refuses broken gzip or zstd, bytes after the packed data, more than `maxBytes` uncompressed,
 * a layer above 1 GiB that is more than 200 times as large as it is packed (`layer-bomb`: files of software do not pack
 * like that), and at `finish` content that is not the diff_id of the image configuration.
 */
export function layerStream(dir: string, layer: LayerDescriptor, maxBytes: number): LayerStream {
  const hash = createHash('sha256')
  let bytes = 0
  let ended = false

  async function* chunks(): AsyncGenerator<Uint8Array> {
    const source = unpacked(dir, layer)
    for await (const chunk of source) {
      bytes += chunk.byteLength
      if (bytes > maxBytes) {
        throw new GateError('evidence', {
          reason: 'layer-too-large',
          message: `layer ${layer.digest} unpacks to more than the ${maxBytes} bytes that are left to read`,
        })
      }
      if (bytes > BOMB.bytes && bytes > layer.size * BOMB.ratio) throw bomb(layer)
      hash.update(chunk)
      yield chunk
    }
    ended = true
  }

  function finish(): number {
    if (!ended || `sha256:${hash.digest('hex')}` !== layer.diffId) {
      throw new GateError('integrity', {
        reason: 'layer-diff-id',
        message: `layer ${layer.digest} does not unpack to its diff_id ${layer.diffId}; rebuild the image`,
      })
    }
    return bytes
  }

  return { chunks: chunks(), finish }
}

function bomb(layer: LayerDescriptor): GateError {
  return new GateError('evidence', {
    reason: 'layer-bomb',
    message: `layer ${layer.digest} unpacks to more than ${BOMB.ratio} times its ${layer.size} bytes, as bombs do; leave large empty files out of the image`,
  })
}

function unpacked(dir: string, layer: LayerDescriptor): AsyncGenerator<Uint8Array> {
  const kind = layerKind(layer.mediaType)
  if (kind === 'gzip') return inflated(dir, layer)
  return kind === 'zstd' ? decompressed(dir, layer) : stored(dir, layer)
}

async function* stored(dir: string, layer: LayerDescriptor): AsyncGenerator<Uint8Array> {
  const handle = await openBlob(dir, layer)
  try {
    for await (const chunk of bytesOf(handle.createReadStream({ highWaterMark: READ }))) yield chunk
  } finally {
    await handle.close().catch(() => undefined)
  }
}

/** Several gzip members are one stream (RFC 1952); anything else behind the last one is refused. */
async function* inflated(dir: string, layer: LayerDescriptor): AsyncGenerator<Uint8Array> {
  const handle = await openBlob(dir, layer)
  const gunzip = zlib.createGunzip({ chunkSize: INFLATE })
  const file = handle.createReadStream({ highWaterMark: READ })
  const stop = new AbortController()
  const feeding = pipeline(file, gunzip, { signal: stop.signal }).catch(() => undefined)
  try {
    for await (const chunk of bytesOf(gunzip)) yield chunk
    if (gunzip.bytesWritten !== layer.size) {
      throw malformed('layer-gzip-trailing', `bytes behind the gzip data of layer ${layer.digest}`)
    }
  } catch (cause) {
    if (cause instanceof GateError) throw cause
    throw new GateError('integrity', {
      reason: 'layer-gzip',
      message: `layer ${layer.digest} is not sound gzip; rebuild the image`,
      cause,
    })
  } finally {
    // Without it Node 24 never ends a pipeline whose decoder was destroyed while it worked.
    stop.abort()
    gunzip.destroy()
    file.destroy()
    await feeding
    await handle.close().catch(() => undefined)
  }
}

/** One frame with a window of at most 128 MiB, the decoder's own limit; nothing behind it. */
async function* decompressed(dir: string, layer: LayerDescriptor): AsyncGenerator<Uint8Array> {
  if (!canReadZstd()) throw new TypeError('zstd layers are refused before they are read')
  const decoder = zlib.createZstdDecompress({ chunkSize: INFLATE })
  const packed = oneZstdFrame(stored(dir, layer), `layer ${layer.digest}`)
  const stop = new AbortController()
  const feeding = pipeline(packed, decoder, { signal: stop.signal }).catch(() => undefined)
  try {
    for await (const chunk of bytesOf(decoder)) yield chunk
    if (decoder.bytesWritten !== layer.size) {
      throw malformed('layer-zstd-trailing', `bytes behind the zstd frame of layer ${layer.digest}`)
    }
  } catch (cause) {
    if (cause instanceof GateError) throw cause
    throw new GateError('integrity', {
      reason: 'layer-zstd-broken',
      message: `layer ${layer.digest} is not sound zstd; rebuild the image`,
      cause,
    })
  } finally {
    stop.abort()
    decoder.destroy()
    await feeding
  }
}

async function* bytesOf(stream: AsyncIterable<unknown>): AsyncGenerator<Uint8Array> {
  for await (const chunk of stream) if (chunk instanceof Uint8Array) yield chunk
}
