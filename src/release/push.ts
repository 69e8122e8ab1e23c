import { GateError } from '../errors.js'
import type { ImageReference } from '../evidence/reference.js'
import { hashBlobs } from '../oci/blobs.js'
import type { OpenLayout } from '../oci/reader.js'
import { checkMayPush } from '../registry/preflight.js'
import { resolveTag } from '../registry/manifests.js'
import type { Registry } from '../registry/registry.js'
import { pushByDigest, type Crane } from '../tools/crane.js'

/**
 * Before a byte is written: this login may push, and each tag is free or already points at our digest. A tag that
 * points elsewhere is GateError `config` (`tag-exists`).
 */
export async function preflight(
  registry: Registry,
  layout: OpenLayout,
  tags: readonly string[],
): Promise<void> {
  await checkMayPush(registry)
  for (const tag of tags) {
    const current = await resolveTag(registry, tag)
    if (current === null || current === layout.subject.digest) continue
    const message =
      `the tag ${registry.image.name}:${tag} exists and points at ${current}; nothing was pushed. ` +
      'Choose another tag; moving tags is not available yet'
    throw new GateError('config', { reason: 'tag-exists', message })
  }
}

/** Hashes every blob of the layout once more and pushes it by digest, without a tag. */
export async function pushLayout(crane: Crane, image: ImageReference, layout: OpenLayout): Promise<void> {
  const { bytes } = await hashBlobs(layout)
  await pushByDigest(crane, { layoutDir: layout.dir, image, digest: layout.subject.digest, bytes })
}
