import { GateError } from '../errors.js'
import type { Digest } from '../evidence/digest.js'
import { resolveTag } from '../registry/manifests.js'
import type { Registry } from '../registry/registry.js'
import { tagDigest, type Crane } from '../tools/crane.js'

/**
 * Points one tag at a digest. Reads the tag right before: one that no longer points at what was seen before the push
 * is GateError `integrity` (`tag-moved`) and stays as it is. Reads it again after: it must serve exactly our digest.
 */
export async function setTag(
  crane: Crane,
  registry: Registry,
  wanted: { readonly digest: Digest; readonly tag: string; readonly seen: Digest | null },
): Promise<'created' | 'kept' | 'moved'> {
  const { digest, tag, seen } = wanted
  const before = await resolveTag(registry, tag)
  if (before === digest) return 'kept'
  if (before !== seen) {
    const where = before ?? 'nothing'
    throw moved(registry, tag, `someone else pointed it at ${where} meanwhile; it was left alone`)
  }
  await tagDigest(crane, registry.image, digest, tag)
  const after = await resolveTag(registry, tag)
  if (after === digest) return before === null ? 'created' : 'moved'
  throw moved(registry, tag, `it was set to ${digest} and now points at ${after ?? 'nothing'}`)
}

function moved(registry: Registry, tag: string, why: string): GateError {
  const message = `the tag ${registry.image.name}:${tag}: ${why}. Find out who else releases, then run again`
  return new GateError('integrity', { reason: 'tag-moved', message })
}
