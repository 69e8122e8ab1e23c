import { z } from 'zod'
import { GateError } from '../errors.js'
import { BUNDLE_MEDIA_TYPE, MAX_BUNDLE_BYTES } from '../evidence/bundle.js'
import { isDigest, type Digest } from '../evidence/digest.js'
import { fetchBlob } from './blobs.js'
import { fetchManifest } from './manifests.js'
import type { Registry } from './registry.js'

const descriptor = z.object({
  mediaType: z.string(),
  digest: z.custom<Digest>(isDigest),
  size: z.number().int().nonnegative(),
})
/** https://github.com/sigstore/cosign/blob/main/specs/BUNDLE_SPEC.md */
const referrerManifest = z.object({
  artifactType: z.literal(BUNDLE_MEDIA_TYPE),
  layers: z.array(descriptor).length(1),
  subject: descriptor,
})

/**
 * The bytes of the bundle that a referrer carries. Refuses, as GateError `integrity` (`referrer-malformed`), one that
 * is not served, carries something else, or is about another subject.
 */
export async function fetchBundle(registry: Registry, subject: Digest, referrer: Digest): Promise<Buffer> {
  const manifest = await fetchManifest(registry, referrer)
  if (manifest === null) throw malformed(subject, referrer, 'its manifest is not served')
  const parsed = referrerManifest.safeParse(jsonOf(manifest.bytes))
  const [layer] = parsed.success ? parsed.data.layers : []
  if (!parsed.success || layer === undefined) throw malformed(subject, referrer, 'it carries no bundle')
  if (parsed.data.subject.digest !== subject)
    throw malformed(subject, referrer, 'its manifest names another subject')
  return await fetchBlob(registry, layer, MAX_BUNDLE_BYTES)
}

function malformed(subject: Digest, referrer: Digest, why: string): GateError {
  const message = `the referrer ${referrer} of ${subject} is not as it was listed: ${why}`
  return new GateError('integrity', { reason: 'referrer-malformed', message })
}

function jsonOf(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString('utf8'))
  } catch {
    return undefined
  }
}
