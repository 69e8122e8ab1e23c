import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { pack, type Pack } from 'tar-stream'
import type { Descriptor, PlatformImage } from '../evidence/subject.js'
import { openBlob } from './blobs.js'

const FOLDER = 'blobs/sha256'
const EPOCH = new Date(0)

/**
 * One image of a layout as `docker save` of Docker 25 and later writes it: the layout with its very bytes, packed
 * layers included, and a `manifest.json` beside it for engines that know no layouts. `reference` is `NAME:TAG` with a
 * host. The same image gives the same bytes. A blob that is not there ends the stream with an error.
 */
export function dockerArchive(
  layout: { readonly dir: string },
  image: PlatformImage,
  reference: string,
): Readable {
  const packing = pack()
  fill(packing, layout.dir, { image, reference }).catch((thrown: unknown) => {
    packing.destroy(thrown instanceof Error ? thrown : new Error(String(thrown)))
  })
  return Readable.from(packing, { objectMode: false })
}

interface Archived {
  readonly image: PlatformImage
  readonly reference: string
}

async function fill(packing: Pack, dir: string, archived: Archived): Promise<void> {
  const { image } = archived
  for (const name of ['blobs/', `${FOLDER}/`]) packing.entry({ name, type: 'directory', mtime: EPOCH })
  const config: Descriptor = { mediaType: '', digest: image.configDigest, size: image.configSize }
  const blobs = new Map([image.manifest, config, ...image.layers].map(blob => [blob.digest, blob]))
  for (const blob of blobs.values()) await addBlob(packing, dir, blob)
  for (const [name, value] of Object.entries(documents(archived)))
    packing.entry({ name, mtime: EPOCH }, JSON.stringify(value))
  packing.finalize()
}

async function addBlob(packing: Pack, dir: string, blob: Descriptor): Promise<void> {
  const handle = await openBlob(dir, blob)
  try {
    const entry = packing.entry({ name: pathOf(blob), size: blob.size, mtime: EPOCH })
    await pipeline(handle.createReadStream({ autoClose: false }), entry)
  } finally {
    await handle.close()
  }
}

function documents({ image, reference }: Archived): Readonly<Record<string, unknown>> {
  const [os = '', architecture = '', variant] = image.platform.split('/')
  const { mediaType, digest, size } = image.manifest
  const annotations = {
    'io.containerd.image.name': reference,
    'org.opencontainers.image.ref.name': reference.slice(reference.lastIndexOf(':') + 1),
  }
  const platform = { architecture, os, ...(variant === undefined ? {} : { variant }) }
  const type = 'application/vnd.oci.image.index.v1+json'
  return {
    'oci-layout': { imageLayoutVersion: '1.0.0' },
    'index.json': {
      ...{ schemaVersion: 2, mediaType: type },
      manifests: [{ mediaType, digest, size, platform, annotations }],
    },
    'manifest.json': [
      {
        Config: `${FOLDER}/${image.configDigest.slice('sha256:'.length)}`,
        RepoTags: [reference],
        Layers: image.layers.map(pathOf),
      },
    ],
  }
}

function pathOf(blob: Descriptor): string {
  return `${FOLDER}/${blob.digest.slice('sha256:'.length)}`
}
