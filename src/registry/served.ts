import pLimit from 'p-limit'
import type { Descriptor } from '../evidence/subject.js'
import { verifyBlob } from './blobs.js'
import { servedBytesDiffer } from './failure.js'
import { fetchManifest, isManifestType } from './manifests.js'
import type { Registry } from './registry.js'

/** What was fetched back and hashed. */
export interface Served {
  readonly objects: number
  readonly bytes: number
}

const PARALLEL = 4

/**
 * Fetches every object with GET (never HEAD) and hashes it: manifests and indexes by the manifest interface,
 * the rest as blobs. Refuses the first object that is missing, of another size, type or digest.
 */
export async function verifyServed(registry: Registry, objects: readonly Descriptor[]): Promise<Served> {
  const unique = [...new Map(objects.map(object => [object.digest, object])).values()]
  const limit = pLimit(PARALLEL)
  try {
    await Promise.all(unique.map(object => limit(() => verifyObject(registry, object))))
  } finally {
    limit.clearQueue()
  }
  return { objects: unique.length, bytes: unique.reduce((sum, object) => sum + object.size, 0) }
}

async function verifyObject(registry: Registry, object: Descriptor): Promise<void> {
  if (!isManifestType(object.mediaType)) return verifyBlob(registry, object)
  const served = await fetchManifest(registry, object.digest)
  if (served === null) throw servedBytesDiffer(object.digest, 'it answers 404')
  if (served.bytes.byteLength !== object.size) {
    throw servedBytesDiffer(object.digest, `${served.bytes.byteLength} bytes instead of ${object.size}`)
  }
  if (served.mediaType !== object.mediaType) {
    throw servedBytesDiffer(
      object.digest,
      `it is announced as ${JSON.stringify(served.mediaType.slice(0, 120))}`,
    )
  }
}
