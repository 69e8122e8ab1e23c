import { createHash } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { buffer } from 'node:stream/consumers'
import { pack } from 'tar-stream'
import { z } from 'zod'
import type { DiffId, Digest } from '../evidence/digest.js'
import type { Descriptor, PlatformImage } from '../evidence/subject.js'
import { blobPath, readBlob } from './blobs.js'
import { flattenPlatform, writeLayoutFiles } from './flatten.js'

/** One file of a layer that is put on top of an image for a scanner alone. */
export interface AddedFile {
  /** Without leading slash. */
  readonly path: string
  readonly content: string | Buffer
}

/** What a scanner's report on the derived image must say of itself. */
export interface DerivedImage {
  readonly imageId: Digest
  /** Those of the image, then those of the added layers. */
  readonly diffIds: readonly DiffId[]
  readonly added: readonly DiffId[]
  readonly platform: string
}

const MAX_DOCUMENT = 16 * 1024 * 1024
const CONFIG = 'application/vnd.oci.image.config.v1+json'
const MANIFEST = 'application/vnd.oci.image.manifest.v1+json'
const LAYER = 'application/vnd.oci.image.layer.v1.tar'

const configuration = z.looseObject({
  rootfs: z.looseObject({ diff_ids: z.array(z.string()) }),
  history: z.array(z.unknown()).nullish(),
})

/**
 * Writes a one-image layout into the empty folder `outDir`: the image with layers of ours on top, for a scanner to
 * read and for nothing else; it is never pushed. The image's own layers are hard links. Its configuration keeps
 * everything, with a diff_id and, where there is a history, an entry more for each added layer.
 */
export async function deriveLayout(
  layout: { readonly dir: string },
  image: PlatformImage,
  given: { readonly outDir: string; readonly layers: readonly (readonly AddedFile[])[] },
): Promise<DerivedImage> {
  const { outDir } = given
  await flattenPlatform(layout, image, outDir)
  const added: Descriptor[] = []
  for (const files of given.layers) added.push(await writeBlob(outDir, LAYER, await tarOf(files)))
  const asked = { mediaType: CONFIG, digest: image.configDigest, size: image.configSize }
  const text = await readBlob(layout.dir, asked, MAX_DOCUMENT)
  const config = await writeBlob(outDir, CONFIG, Buffer.from(extended(text.toString('utf8'), added)))
  const layers = [
    ...image.layers.map(({ mediaType, digest, size }) => ({ mediaType, digest, size })),
    ...added,
  ]
  const manifest = JSON.stringify({ schemaVersion: 2, mediaType: MANIFEST, config, layers })
  const written = await writeBlob(outDir, MANIFEST, Buffer.from(manifest))
  await writeLayoutFiles(outDir, written, image.platform)
  const diffIds = [...image.layers.map(layer => layer.diffId), ...added.map(layer => layer.digest)]
  const { platform } = image
  return { imageId: config.digest, diffIds, added: added.map(layer => layer.digest), platform }
}

/** The configuration was read strictly before, so that this parse can only see what every reader sees. */
function extended(text: string, added: readonly Descriptor[]): string {
  const parsed = configuration.parse(JSON.parse(text))
  const diffIds = [...parsed.rootfs.diff_ids, ...added.map(layer => layer.digest)]
  // Looks like any other instruction, so that a scanner cannot tell the image's layers from ours by its history.
  const entries = added.map(() => ({ created_by: 'COPY . / # buildkit', comment: 'buildkit.dockerfile.v0' }))
  const history = parsed.history?.length ? { history: [...parsed.history, ...entries] } : {}
  return JSON.stringify({ ...parsed, rootfs: { ...parsed.rootfs, diff_ids: diffIds }, ...history })
}

async function tarOf(files: readonly AddedFile[]): Promise<Buffer> {
  const tar = pack()
  for (const { path, content } of files) tar.entry({ name: path, mode: 0o644, mtime: new Date(0) }, content)
  tar.finalize()
  return await buffer(tar)
}

async function writeBlob(dir: string, mediaType: string, bytes: Buffer): Promise<Descriptor> {
  const digest: Digest = `sha256:${createHash('sha256').update(bytes).digest('hex')}`
  await writeFile(blobPath(dir, digest), bytes)
  return { mediaType, digest, size: bytes.length }
}
