import { MEDIA, writeBlob, writeImage, writeIndex } from './layouts.js'
import type { LayoutFile, LayoutImage, LayoutPlatform, MadeDescriptor, MadeImage } from './layouts.js'

/** A descriptor as an index may hold it. */
export interface IndexEntry extends MadeDescriptor {
  readonly annotations?: Readonly<Record<string, string>>
}

export const AMD64 = { os: 'linux', architecture: 'amd64' } as const
export const ARM64 = { os: 'linux', architecture: 'arm64', variant: 'v8' } as const
const NOWHERE = { os: 'unknown', architecture: 'unknown' } as const

/** An image for one platform with these files and nothing else, run by an ordinary user. */
export function imageFor(platform: LayoutPlatform, files: readonly LayoutFile[]): LayoutImage {
  // One file tells the platforms apart: the images of two architectures never have the same layers.
  const own = { path: 'etc/arch', content: `${platform.architecture}\n` }
  return { layers: [{ files: [own, ...files] }], platform, config: { User: '65532' } }
}

export interface NestedLayout {
  readonly indexDigest: string
  readonly images: readonly MadeImage[]
}

/**
 * An OCI layout whose index.json names one index of these images and, behind them, of the entries that `more` makes
 * of the images (attestations, disguises).
 */
export async function nestedLayout(
  dir: string,
  images: readonly LayoutImage[],
  more: (images: readonly MadeImage[]) => Promise<readonly IndexEntry[]> = () => Promise.resolve([]),
): Promise<NestedLayout> {
  const made: MadeImage[] = []
  for (const image of images) made.push(await writeImage(dir, image))
  const manifests = [...made.map(image => image.descriptor), ...(await more(made))]
  const document = { schemaVersion: 2, mediaType: MEDIA.index, manifests }
  const index = await writeBlob(dir, MEDIA.index, JSON.stringify(document))
  await writeIndex(dir, [index])
  return { indexDigest: index.digest, images: made }
}

/** What BuildKit 0.32 writes beside an image (docs/attestations/attestation-storage.md there). */
export async function buildkitAttestation(dir: string, image: MadeImage): Promise<IndexEntry> {
  const statement = {
    _type: 'https://in-toto.io/Statement/v0.1',
    predicateType: 'https://slsa.dev/provenance/v0.2',
    subject: [{ name: '_', digest: { sha256: image.descriptor.digest.replace('sha256:', '') } }],
    predicate: { builder: { id: '' }, buildType: 'https://mobyproject.org/buildkit@v1' },
  }
  const layer = await writeBlob(dir, 'application/vnd.in-toto+json', JSON.stringify(statement))
  const config = await writeBlob(
    dir,
    MEDIA.config,
    JSON.stringify({ ...NOWHERE, config: {}, rootfs: { type: 'layers', diff_ids: [layer.digest] } }),
  )
  const annotations = { 'in-toto.io/predicate-type': statement.predicateType }
  return await dressed(dir, image, {
    schemaVersion: 2,
    mediaType: MEDIA.manifest,
    config,
    layers: [{ ...layer, annotations }],
  })
}

/** An image that can run, listed as if it were the attestation of another one. */
export async function disguisedImage(
  dir: string,
  image: MadeImage,
  hidden: LayoutImage,
): Promise<IndexEntry> {
  const { descriptor } = await writeImage(dir, hidden)
  return { ...descriptor, ...disguiseOf(image) }
}

async function dressed(dir: string, image: MadeImage, manifest: object): Promise<IndexEntry> {
  const descriptor = await writeBlob(dir, MEDIA.manifest, JSON.stringify(manifest))
  return { ...descriptor, ...disguiseOf(image) }
}

function disguiseOf(image: MadeImage): Pick<IndexEntry, 'annotations' | 'platform'> {
  return {
    platform: NOWHERE,
    annotations: {
      'vnd.docker.reference.type': 'attestation-manifest',
      'vnd.docker.reference.digest': image.descriptor.digest,
    },
  }
}
