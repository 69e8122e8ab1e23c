import { createHash } from 'node:crypto'
import { isDigest, type Digest } from '../evidence/digest.js'
import { registryError, servedBytesDiffer } from './failure.js'
import type { Registry } from './registry.js'

/** Media types of manifests and indexes, in the order they are asked for. */
export const MANIFEST_TYPES = [
  'application/vnd.oci.image.index.v1+json',
  'application/vnd.oci.image.manifest.v1+json',
  'application/vnd.docker.distribution.manifest.list.v2+json',
  'application/vnd.docker.distribution.manifest.v2+json',
] as const

/** Largest manifest that is read, bytes (the limit the distribution specification recommends). */
export const MAX_MANIFEST_BYTES = 4 * 1024 * 1024

/** A manifest as the registry served it; `digest` was computed from the bytes, never taken from a header. */
export interface ServedManifest {
  readonly digest: Digest
  readonly mediaType: string
  readonly bytes: Buffer
}

/** True for media types that are served under `/manifests/`, not `/blobs/`. */
export function isManifestType(mediaType: string): boolean {
  return MANIFEST_TYPES.some(type => type === mediaType)
}

/**
 * Reads one manifest by tag or digest; null when the registry has none (404). Asked by digest, other bytes are
 * GateError `integrity` (`served-bytes-differ`).
 */
export async function fetchManifest(registry: Registry, reference: string): Promise<ServedManifest | null> {
  const what = `${registry.image.name} ${reference}`
  return registry.exchange(
    { method: 'GET', path: `manifests/${reference}`, accept: MANIFEST_TYPES.join(', ') },
    async reply => {
      if (reply.status === 404) return null
      if (reply.status !== 200) throw unexpected(what, reply.status)
      const bytes = await reply.read(MAX_MANIFEST_BYTES)
      const digest: Digest = `sha256:${createHash('sha256').update(bytes).digest('hex')}`
      if (isDigest(reference) && digest !== reference)
        throw servedBytesDiffer(what, `their digest is ${digest}`)
      const mediaType = (reply.headers.get('content-type') ?? '').split(';')[0]?.trim() ?? ''
      return { digest, mediaType, bytes }
    },
  )
}

/** The digest a tag points at now, computed from the bytes served; null when there is no such tag. */
export async function resolveTag(registry: Registry, tag: string): Promise<Digest | null> {
  return (await fetchManifest(registry, tag))?.digest ?? null
}

/** An HTTP status that the specification does not foresee here. */
export function unexpected(what: string, status: number): Error {
  return registryError(
    'registry-answer',
    `${what}: the registry answers HTTP ${status}, which is not understood`,
  )
}
