import { createHash } from 'node:crypto'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import * as zlib from 'node:zlib'
import { pack } from 'tar-stream'
import type { Digest } from '../../src/evidence/digest.js'

export const MEDIA = {
  index: 'application/vnd.oci.image.index.v1+json',
  manifest: 'application/vnd.oci.image.manifest.v1+json',
  config: 'application/vnd.oci.image.config.v1+json',
  layer: 'application/vnd.oci.image.layer.v1.tar',
  layerGzip: 'application/vnd.oci.image.layer.v1.tar+gzip',
  layerZstd: 'application/vnd.oci.image.layer.v1.tar+zstd',
} as const

/** One entry of a layer. Default type `file`, mode 0644 (directories 0755), owner root. */
export interface LayoutFile {
  readonly path: string
  readonly content?: string | Buffer
  readonly mode?: number
  readonly type?: 'file' | 'directory' | 'symlink' | 'link'
  readonly linkname?: string
  readonly uid?: number
  readonly gid?: number
}

export interface LayoutLayer {
  readonly files: readonly LayoutFile[]
  /** Default true. */
  readonly gzip?: boolean
  /** Packed with zstd instead; needs a Node that has it. */
  readonly zstd?: boolean
  readonly createdBy?: string
}

/** The `config` object of an image configuration (OCI image spec), with its own capitalised names. */
export interface LayoutConfig {
  readonly User?: string
  readonly Env?: readonly string[]
  readonly Entrypoint?: readonly string[]
  readonly Cmd?: readonly string[]
  readonly Labels?: Readonly<Record<string, string>>
  readonly ExposedPorts?: Readonly<Record<string, object>>
}

export interface LayoutPlatform {
  readonly os: string
  readonly architecture: string
  readonly variant?: string
}

export interface LayoutImage {
  readonly layers: readonly LayoutLayer[]
  readonly config?: LayoutConfig
  /** Default linux/amd64. */
  readonly platform?: LayoutPlatform
}

export interface MadeDescriptor {
  readonly mediaType: string
  readonly digest: Digest
  readonly size: number
  readonly platform?: LayoutPlatform
}

export interface MadeImage {
  readonly descriptor: MadeDescriptor
  readonly configDigest: Digest
  readonly diffIds: readonly Digest[]
  readonly layerDigests: readonly Digest[]
}

export interface MadeLayout {
  readonly dir: string
  readonly manifestDigest: Digest
  readonly configDigest: Digest
  readonly diffIds: readonly Digest[]
  readonly layerDigests: readonly Digest[]
}

const EPOCH = new Date('2024-01-01T00:00:00Z')

export function digestOf(bytes: Buffer | string): Digest {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`
}

/** A tar of these entries in the order given; the same entries give the same bytes. */
export async function tarOf(files: readonly LayoutFile[]): Promise<Buffer> {
  const packing = pack()
  const chunks: Buffer[] = []
  const done = (async () => {
    for await (const chunk of packing) chunks.push(Buffer.from(chunk as Uint8Array))
  })()
  for (const file of files) {
    const type = file.type ?? 'file'
    const header = {
      name: file.path,
      type: type,
      mode: file.mode ?? (type === 'directory' ? 0o755 : 0o644),
      mtime: EPOCH,
      uid: file.uid ?? 0,
      gid: file.gid ?? 0,
      ...(file.linkname === undefined ? {} : { linkname: file.linkname }),
    }
    if (type === 'file') packing.entry(header, Buffer.from(file.content ?? ''))
    else packing.entry(header)
  }
  packing.finalize()
  await done
  return Buffer.concat(chunks)
}

/** Writes one blob under its digest and returns its descriptor. */
export async function writeBlob(
  dir: string,
  mediaType: string,
  bytes: Buffer | string,
): Promise<MadeDescriptor> {
  const digest = digestOf(bytes)
  const folder = join(dir, 'blobs', 'sha256')
  await mkdir(folder, { recursive: true })
  await writeFile(join(folder, digest.slice('sha256:'.length)), bytes)
  return { mediaType, digest, size: Buffer.byteLength(bytes) }
}

/** Writes `oci-layout` and an `index.json` that names these descriptors. */
export async function writeIndex(dir: string, manifests: readonly MadeDescriptor[]): Promise<void> {
  await mkdir(dir, { recursive: true })
  await writeFile(join(dir, 'oci-layout'), JSON.stringify({ imageLayoutVersion: '1.0.0' }))
  await writeFile(
    join(dir, 'index.json'),
    JSON.stringify({ schemaVersion: 2, mediaType: MEDIA.index, manifests }),
  )
}

/** Writes the blobs of one image (layers, configuration, manifest), but no index.json. */
export async function writeImage(dir: string, image: LayoutImage): Promise<MadeImage> {
  const layers: MadeDescriptor[] = []
  const diffIds: Digest[] = []
  for (const layer of image.layers) {
    const tar = await tarOf(layer.files)
    diffIds.push(digestOf(tar))
    layers.push(await writeLayer(dir, layer, tar))
  }
  const platform = image.platform ?? { os: 'linux', architecture: 'amd64' }
  const config = await writeBlob(dir, MEDIA.config, JSON.stringify(configOf(image, platform, diffIds)))
  const manifest = await writeBlob(
    dir,
    MEDIA.manifest,
    JSON.stringify({ schemaVersion: 2, mediaType: MEDIA.manifest, config, layers }),
  )
  return {
    descriptor: { ...manifest, platform },
    configDigest: config.digest,
    diffIds,
    layerDigests: layers.map(layer => layer.digest),
  }
}

async function writeLayer(dir: string, layer: LayoutLayer, tar: Buffer): Promise<MadeDescriptor> {
  if (layer.zstd === true) return writeBlob(dir, MEDIA.layerZstd, zlib.zstdCompressSync(tar))
  const gzip = layer.gzip ?? true
  return writeBlob(dir, gzip ? MEDIA.layerGzip : MEDIA.layer, gzip ? zlib.gzipSync(tar, { level: 1 }) : tar)
}

function configOf(image: LayoutImage, platform: LayoutPlatform, diffIds: readonly Digest[]): object {
  return {
    created: EPOCH.toISOString(),
    ...platform,
    config: image.config ?? {},
    rootfs: { type: 'layers', diff_ids: diffIds },
    history: image.layers.map(layer => ({
      created: EPOCH.toISOString(),
      created_by: layer.createdBy ?? 'COPY . / # buildkit',
    })),
  }
}

/** An OCI layout with one image, its manifest named directly by index.json. */
export async function makeLayout(dir: string, image: LayoutImage): Promise<MadeLayout> {
  const made = await writeImage(dir, image)
  await writeIndex(dir, [made.descriptor])
  return {
    dir,
    manifestDigest: made.descriptor.digest,
    configDigest: made.configDigest,
    diffIds: made.diffIds,
    layerDigests: made.layerDigests,
  }
}

export interface MadeIndexLayout {
  readonly dir: string
  readonly indexDigest: Digest
  readonly images: readonly MadeImage[]
}

/** An OCI layout whose index.json names one image index with these images: the shape of a multi-platform build. */
export async function makeIndexLayout(dir: string, images: readonly LayoutImage[]): Promise<MadeIndexLayout> {
  const made: MadeImage[] = []
  for (const image of images) made.push(await writeImage(dir, image))
  const index = await writeBlob(
    dir,
    MEDIA.index,
    JSON.stringify({
      schemaVersion: 2,
      mediaType: MEDIA.index,
      manifests: made.map(image => image.descriptor),
    }),
  )
  await writeIndex(dir, [index])
  return { dir, indexDigest: index.digest, images: made }
}
