import { GateError } from '../errors.js'
import type { Digest } from '../evidence/digest.js'
import type { ImageReference } from '../evidence/reference.js'
import { hashBlobs } from '../oci/blobs.js'
import type { OpenLayout } from '../oci/reader.js'
import { checkMayPush } from '../registry/preflight.js'
import { resolveTag } from '../registry/manifests.js'
import type { Registry } from '../registry/registry.js'
import { pushByDigest, type Crane } from '../tools/crane.js'
import { refuseBackwards } from './forward.js'
import type { ReleaseRequest } from './request.js'

/** A tag as it was seen before anything was written: null when it is free. */
export interface SeenTag {
  readonly tag: string
  readonly points: Digest | null
}

/**
 * Before a byte is written: this login may push, and each tag is free, ours already, or may be moved. A tag that
 * points elsewhere and may not be moved is GateError `config` (`tag-exists`); see `refuseBackwards` for the others.
 */
export async function preflight(registry: Registry, request: ReleaseRequest): Promise<readonly SeenTag[]> {
  await checkMayPush(registry)
  const { layout, tags, movable = [] } = request
  const seen: SeenTag[] = []
  for (const tag of tags) {
    const points = await resolveTag(registry, tag)
    seen.push({ tag, points })
    if (points === null || points === layout.subject.digest) continue
    const name = `${registry.image.name}:${tag}`
    if (!movable.includes(tag)) throw tagExists(name, points)
    await refuseBackwards(registry, { name, points, ...request })
  }
  return seen
}

function tagExists(name: string, points: Digest): GateError {
  const message =
    `the tag ${name} exists and points at ${points}; nothing was pushed. ` +
    'If that is this release, run before, the image is not the same again: give it a new tag. A tag that is meant to move is named in overwrite'
  return new GateError('config', { reason: 'tag-exists', message })
}

/** Hashes every blob of the layout once more and pushes it by digest, without a tag. */
export async function pushLayout(crane: Crane, image: ImageReference, layout: OpenLayout): Promise<void> {
  const { bytes } = await hashBlobs(layout)
  await pushByDigest(crane, { layoutDir: layout.dir, image, digest: layout.subject.digest, bytes })
}
