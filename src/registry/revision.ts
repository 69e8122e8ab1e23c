import { describeError, GateError } from '../errors.js'
import type { Digest } from '../evidence/digest.js'
import { parseImageConfig, parseManifestDocument } from '../evidence/oci-documents.js'
import { claimsAttestation } from '../evidence/oci-image.js'
import { fetchBlob } from './blobs.js'
import { fetchManifest } from './manifests.js'
import type { Registry } from './registry.js'

/** Name of the label that holds the commit (OCI image specification, annotations.md). */
const REVISION = 'org.opencontainers.image.revision'
const COMMIT = /^[0-9a-f]{40}(?:[0-9a-f]{24})?$/
const MAX_CONFIG = 16 * 1024 * 1024

/**
 * The commit that an image in the registry says it was built from; of an index, its first image's. Null when it says
 * none, or something that is no commit. What the registry serves is read as strictly as any image.
 */
export async function revisionOf(registry: Registry, digest: Digest): Promise<string | null> {
  try {
    return await read(registry, digest, 0)
  } catch (thrown) {
    if (!(thrown instanceof GateError) || thrown.code === 'service') throw thrown
    const message = `${registry.image.name}@${digest} cannot be read: ${describeError(thrown)}`
    throw new GateError('evidence', { reason: 'tag-history-unknown', message, cause: thrown })
  }
}

async function read(registry: Registry, digest: Digest, depth: number): Promise<string | null> {
  const served = await fetchManifest(registry, digest)
  if (served === null) return null
  const document = parseManifestDocument(served.bytes, { what: digest, expectedType: null })
  if (document.kind === 'index') {
    const child = document.manifests.find(one => !claimsAttestation(one))
    return child === undefined || depth > 0 ? null : await read(registry, child.digest, depth + 1)
  }
  const { config } = parseImageConfig(
    await fetchBlob(registry, document.config, MAX_CONFIG),
    `${digest} config`,
  )
  const revision = config.labels[REVISION]
  return revision !== undefined && COMMIT.test(revision) ? revision : null
}
