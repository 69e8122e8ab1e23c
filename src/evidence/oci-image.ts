import { refusal } from './oci-documents.js'
import type { OciConfig, OciManifest, OciPlatform, ReferencedDescriptor } from './oci-documents.js'
import { CONFIG_TYPES, IN_TOTO_TYPE, layerKind } from './oci-media.js'
import type { LayerDescriptor, PlatformImage } from './subject.js'

const TABLE_OF_CONTENTS = /^(?:containerd\.io\/snapshot\/stargz\/|io\.github\.containers\.zstd-chunked\.)/

/** A child of an index together with the document it names. */
export interface Child {
  readonly descriptor: ReferencedDescriptor
  readonly manifest: OciManifest
}

/** Whether the descriptor claims to be a BuildKit attestation (annotated, platform unknown/unknown). */
export function claimsAttestation(descriptor: ReferencedDescriptor): boolean {
  return (
    descriptor.annotations['vnd.docker.reference.type'] === 'attestation-manifest' &&
    descriptor.platform?.os === 'unknown' &&
    descriptor.platform.architecture === 'unknown'
  )
}

/**
 * The children of an index that can run. A child is left out only when it claims to be an attestation, all its
 * layers are in-toto statements and it refers to a sibling that runs; one that only claims it is refused, because
 * engines would still run it.
 */
export function runnableChildren(children: readonly Child[]): readonly Child[] {
  const runnable = children.filter(child => !claimsAttestation(child.descriptor))
  const siblings = new Set<string>(runnable.map(child => child.descriptor.digest))
  for (const { descriptor, manifest } of children) {
    if (!claimsAttestation(descriptor)) continue
    const statements =
      manifest.layers.length > 0 && manifest.layers.every(layer => layer.mediaType === IN_TOTO_TYPE)
    if (statements && siblings.has(descriptor.annotations['vnd.docker.reference.digest'] ?? '')) continue
    throw refusal(
      'integrity',
      'attestation-disguise',
      `${descriptor.digest} is marked as an attestation but holds other content or refers to no image here`,
    )
  }
  return runnable
}

/** `os/arch` or `os/arch/variant`, with the default variants of containerd (arm64 v8, amd64 v1, arm v7) written one way. */
export function platformName(platform: OciPlatform): string {
  const { os, architecture } = platform
  const given = platform.variant ?? ''
  const defaults: Readonly<Record<string, string>> = { arm64: 'v8', amd64: 'v1' }
  const variant =
    given === defaults[architecture] ? '' : architecture === 'arm' && given === '' ? 'v7' : given
  return variant === '' ? `${os}/${architecture}` : `${os}/${architecture}/${variant}`
}

/**
 * One image out of its three documents. Refuses what the parts do not agree on: platform of descriptor and
 * configuration, number of layers, diff_ids and history entries; and layers that cannot be read here.
 */
export function assembleImage(child: Child, config: OciConfig): PlatformImage {
  const { descriptor, manifest } = child
  const what = `image ${descriptor.digest}`
  const platform = platformName(config.platform)
  if (descriptor.platform !== undefined && platformName(descriptor.platform) !== platform) {
    throw refusal(
      'integrity',
      'platform-mismatch',
      `${what} is listed as ${platformName(descriptor.platform)}, its configuration says ${platform}`,
    )
  }
  checkCounts(what, manifest, config)
  return {
    platform,
    manifest: { mediaType: descriptor.mediaType, digest: descriptor.digest, size: descriptor.size },
    configDigest: manifest.config.digest,
    configSize: manifest.config.size,
    layers: manifest.layers.flatMap((layer, at) => {
      const diffId = config.diffIds[at]
      return diffId === undefined ? [] : [layerOf(what, layer, diffId)]
    }),
    config: config.config,
  }
}

/** Refuses a manifest whose configuration is not that of a container image (an artifact, a Helm chart, …). */
export function checkIsImage({ descriptor, manifest }: Child): void {
  if (CONFIG_TYPES.has(manifest.config.mediaType)) return
  throw refusal(
    'evidence',
    'config-media-type',
    `${descriptor.digest} has a configuration of type ${manifest.config.mediaType}: not a container image`,
  )
}

function checkCounts(what: string, manifest: OciManifest, config: OciConfig): void {
  if (manifest.layers.length !== config.diffIds.length) {
    throw refusal(
      'integrity',
      'layer-count',
      `${what} has ${manifest.layers.length} layers but ${config.diffIds.length} diff_ids`,
    )
  }
  const { history } = config.config
  const made = history.filter(entry => !entry.emptyLayer).length
  if (history.length > 0 && made !== manifest.layers.length) {
    throw refusal(
      'integrity',
      'history-count',
      `${what} has ${manifest.layers.length} layers but a history of ${made}`,
    )
  }
}

function layerOf(
  what: string,
  layer: ReferencedDescriptor,
  diffId: LayerDescriptor['diffId'],
): LayerDescriptor {
  const { mediaType, digest, size } = layer
  const kind = layerKind(mediaType)
  if (kind === 'foreign') {
    throw refusal('evidence', 'layer-foreign', `${what} has a layer that is stored elsewhere (${mediaType})`)
  }
  if (kind === 'unknown') {
    throw refusal('evidence', 'layer-media-type', `${what} has a layer of unknown type ${mediaType}`)
  }
  if (Object.keys(layer.annotations).some(key => TABLE_OF_CONTENTS.test(key))) {
    throw refusal(
      'evidence',
      'layer-table-of-contents',
      `${what} has a layer with its own table of contents (eStargz, zstd:chunked): build without it`,
    )
  }
  return { mediaType, digest, size, diffId }
}
