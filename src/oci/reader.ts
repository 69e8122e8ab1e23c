import {
  checkLayoutMarker,
  parseImageConfig,
  parseManifestDocument,
  refusal,
} from '../evidence/oci-documents.js'
import type { OciIndex, OciManifest, ReferencedDescriptor } from '../evidence/oci-documents.js'
import { assembleImage, checkIsImage, claimsAttestation, runnableChildren } from '../evidence/oci-image.js'
import type { Child } from '../evidence/oci-image.js'
import { INDEX_TYPES, layerKind, MANIFEST_TYPES } from '../evidence/oci-media.js'
import type { Descriptor, ImageSubject, PlatformImage } from '../evidence/subject.js'
import { checkLayoutFolders, MAX_DOCUMENT_BYTES, readBlob, readLayoutFile } from './blobs.js'
import { canReadZstd } from './layer-stream.js'

/** A layout that was read and found sound in shape; `blobs` holds every reachable blob once. */
export interface OpenLayout {
  readonly dir: string
  readonly subject: ImageSubject
  readonly blobs: readonly Descriptor[]
}

const MAX_CHILDREN = 128

/**
 * Reads an OCI layout (OCI image spec, image-layout.md) that holds exactly one image, or one index of images, and
 * refuses everything that two readers could see differently. Manifests and configurations are checked against
 * their digests here; layers by `hashBlobs`. `zstd` says whether zstd layers can be read; by default as Node can. Throws GateError `integrity` or `evidence`, one reason per refusal.
 */
export async function openLayout(
  dir: string,
  request: { readonly name: string; readonly zstd?: boolean },
): Promise<OpenLayout> {
  await checkLayoutFolders(dir)
  checkLayoutMarker(await readLayoutFile(dir, 'oci-layout'), 'oci-layout')
  const outer = parseManifestDocument(await readLayoutFile(dir, 'index.json'), {
    what: 'index.json',
    expectedType: null,
  })
  if (outer.kind !== 'index') throw refusal('integrity', 'index-missing', 'index.json is not an image index')
  const root = onlyEntry(outer)
  const document = await readDocument(dir, root)
  const children: readonly Child[] =
    document.kind === 'index' ? await readChildren(dir, document) : [{ descriptor: root, manifest: document }]
  const runnable = runnableChildren(children)
  const platforms: PlatformImage[] = []
  for (const child of runnable) platforms.push(await readImage(dir, child))
  checkPlatforms(root, platforms)
  if (!(request.zstd ?? canReadZstd())) refuseZstd(platforms)
  return {
    dir,
    subject: {
      name: request.name,
      digest: root.digest,
      mediaType: root.mediaType,
      size: root.size,
      platforms,
    },
    blobs: reachable(root, children),
  }
}

/** Several names for one digest are one entry: builders write one per tag. */
function onlyEntry(outer: OciIndex): ReferencedDescriptor {
  const [first, ...others] = outer.manifests
  if (first === undefined) throw refusal('evidence', 'index-empty', 'index.json names no image')
  if (others.some(other => other.digest !== first.digest)) {
    throw refusal(
      'evidence',
      'index-many-images',
      `index.json names ${outer.manifests.length} images: give a layout with one image or one index`,
    )
  }
  if (others.some(other => other.size !== first.size || other.mediaType !== first.mediaType)) {
    throw conflict(first.digest)
  }
  if (claimsAttestation(first)) {
    throw refusal('integrity', 'attestation-disguise', 'index.json names an attestation instead of an image')
  }
  return first
}

async function readDocument(dir: string, descriptor: ReferencedDescriptor): Promise<OciIndex | OciManifest> {
  const { mediaType, digest } = descriptor
  const wanted = INDEX_TYPES.has(mediaType) ? 'index' : MANIFEST_TYPES.has(mediaType) ? 'manifest' : null
  if (wanted === null) {
    throw refusal(
      'evidence',
      'manifest-media-type',
      `${digest} is of type ${mediaType}: not a container image`,
    )
  }
  const document = parseManifestDocument(await readBlob(dir, descriptor, MAX_DOCUMENT_BYTES), {
    what: `manifest ${digest}`,
    expectedType: mediaType,
  })
  if (document.kind === wanted) return document
  throw refusal('integrity', 'oci-media-type', `${digest} is listed as an ${wanted} and is none`)
}

async function readChildren(dir: string, index: OciIndex): Promise<readonly Child[]> {
  if (index.manifests.length > MAX_CHILDREN) {
    throw refusal('evidence', 'index-too-many', `the index names ${index.manifests.length} images`)
  }
  const children: Child[] = []
  for (const descriptor of index.manifests) {
    const manifest = await readDocument(dir, descriptor)
    if (manifest.kind === 'index') {
      throw refusal('integrity', 'index-nested', `index ${descriptor.digest} lies inside another index`)
    }
    children.push({ descriptor, manifest })
  }
  return children
}

async function readImage(dir: string, child: Child): Promise<PlatformImage> {
  checkIsImage(child)
  const { config } = child.manifest
  const bytes = await readBlob(dir, config, MAX_DOCUMENT_BYTES)
  return assembleImage(child, parseImageConfig(bytes, `configuration ${config.digest}`))
}

function checkPlatforms(root: Descriptor, platforms: readonly PlatformImage[]): void {
  if (platforms.length === 0) {
    throw refusal('evidence', 'index-empty', `${root.digest} names no image that can run`)
  }
  const seen = new Set<string>()
  for (const { platform } of platforms) {
    if (seen.has(platform)) {
      throw refusal('integrity', 'platform-duplicate', `${root.digest} names two images for ${platform}`)
    }
    seen.add(platform)
  }
}

/** What cannot be unpacked cannot be held against its diff_id, so nothing of such an image is looked at. */
function refuseZstd(platforms: readonly PlatformImage[]): void {
  for (const { manifest, layers } of platforms) {
    if (!layers.some(layer => layerKind(layer.mediaType) === 'zstd')) continue
    throw refusal(
      'evidence',
      'layer-zstd',
      `${manifest.digest} has a zstd layer, which Node ${process.version} cannot read: use Node 22.15 or later, or compress with gzip`,
    )
  }
}

function reachable(root: Descriptor, children: readonly Child[]): readonly Descriptor[] {
  const all = new Map<string, Descriptor>()
  const descriptors = [
    root,
    ...children.flatMap(({ descriptor, manifest }) => [descriptor, manifest.config, ...manifest.layers]),
  ]
  for (const { mediaType, digest, size } of descriptors) {
    const known = all.get(digest)
    if (known === undefined) all.set(digest, { mediaType, digest, size })
    else if (known.size !== size || known.mediaType !== mediaType) throw conflict(digest)
  }
  return [...all.values()]
}

function conflict(digest: string): Error {
  return refusal(
    'integrity',
    'descriptor-conflict',
    `two descriptors of ${digest} disagree about size or type`,
  )
}
