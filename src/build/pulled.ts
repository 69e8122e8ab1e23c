import { join } from 'node:path'
import { GateError } from '../errors.js'
import type { Digest } from '../evidence/digest.js'
import { pinnedReference, type ImageReference } from '../evidence/reference.js'
import { openLayout } from '../oci/reader.js'
import { pullByDigest, type Crane } from '../tools/crane.js'
import type { BuiltImage } from './built.js'

/**
 * Fetches an image or an index of images from its registry into the private folder, by digest alone: a tag may
 * move. Refuses a layout whose manifest is not that digest (`pulled-digest-differs`, integrity); the blobs
 * are hashed afterwards as those of every other subject.
 */
export async function pullImage(
  services: { readonly crane: Crane; readonly workDir: string },
  from: { readonly image: ImageReference; readonly digest: Digest },
): Promise<BuiltImage> {
  const layoutDir = join(services.workDir, 'layout')
  await pullByDigest(services.crane, { ...from, layoutDir })
  const { subject } = await openLayout(layoutDir, { name: from.image.name })
  if (subject.digest === from.digest) return { layoutDir, engine: null, imageId: null }
  const message = `${pinnedReference(from.image, from.digest)} came as ${subject.digest}. Do not use this registry.`
  throw new GateError('integrity', { reason: 'pulled-digest-differs', message })
}
