import { createHash } from 'node:crypto'
import type { Descriptor } from '../evidence/subject.js'
import { servedBytesDiffer, TransientError } from './failure.js'
import { unexpected } from './manifests.js'
import type { Reply } from './transfer.js'
import type { Registry } from './registry.js'

/** Slowest transfer that is waited for, bytes per second. */
const FLOOR = 128 * 1024

/** Reads a blob into memory; its size and digest must be those of the descriptor. Refuses more than `maxBytes`. */
export async function fetchBlob(registry: Registry, blob: Descriptor, maxBytes: number): Promise<Buffer> {
  if (blob.size > maxBytes)
    throw servedBytesDiffer(blob.digest, `its size ${blob.size} is above ${maxBytes} bytes`)
  return withBlob(registry, blob, async reply => {
    const parts: Uint8Array[] = []
    await hashBody(reply, blob, chunk => parts.push(chunk))
    return Buffer.concat(parts)
  })
}

/** Reads a blob and keeps nothing: proves that the registry serves exactly the bytes the descriptor names. */
export async function verifyBlob(registry: Registry, blob: Descriptor): Promise<void> {
  await withBlob(registry, blob, reply => hashBody(reply, blob, () => undefined))
}

async function withBlob<T>(
  registry: Registry,
  blob: Descriptor,
  consume: (reply: Reply) => Promise<T>,
): Promise<T> {
  const deadlineMs = 60_000 + Math.ceil((blob.size / FLOOR) * 1000)
  return registry.exchange({ method: 'GET', path: `blobs/${blob.digest}`, deadlineMs }, async reply => {
    if (reply.status === 404) throw servedBytesDiffer(blob.digest, 'it answers 404')
    if (reply.status !== 200) throw unexpected(blob.digest, reply.status)
    return consume(reply)
  })
}

async function hashBody(reply: Reply, blob: Descriptor, keep: (chunk: Uint8Array) => unknown): Promise<void> {
  const hash = createHash('sha256')
  let size = 0
  for await (const chunk of reply.chunks()) {
    size += chunk.byteLength
    if (size > blob.size) throw servedBytesDiffer(blob.digest, `more than the expected ${blob.size} bytes`)
    hash.update(chunk)
    keep(chunk)
  }
  const announced = Number(reply.headers.get('content-length') ?? blob.size)
  if (size < blob.size && announced === blob.size) {
    throw new TransientError('registry-unreachable', `the connection ended within ${blob.digest}`)
  }
  if (size !== blob.size) throw servedBytesDiffer(blob.digest, `${size} bytes instead of ${blob.size}`)
  const digest = `sha256:${hash.digest('hex')}`
  if (digest !== blob.digest) throw servedBytesDiffer(blob.digest, `their digest is ${digest}`)
}
