import { createHash } from 'node:crypto'
import { createWriteStream } from 'node:fs'
import { mkdir, rename } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { createGzip } from 'node:zlib'
import { MEDIA, writeBlob, writeIndex } from './layouts.js'
import type { MadeDescriptor } from './layouts.js'
import { END, rawEntry } from './raw-tar.js'
import type { RawEntry } from './raw-tar.js'

/** One layout made to break its reader. */
export interface HostileLayout {
  readonly what: string
  /** Reason of the refusal; `read` where the image is sound, however odd, and must be read to its end. */
  readonly ends: string
  readonly make: (dir: string) => Promise<void>
}

export type Pieces = Iterable<Buffer>
export type Document = Readonly<Record<string, unknown>>

export const GIB = 1024 ** 3
export const MIB = 1024 ** 2

/** Writes pieces as a blob, hashed on the way, whatever their length; `diffId` is of the pieces before packing. */
export async function writeStream(
  dir: string,
  pieces: Pieces,
  packed: boolean,
): Promise<MadeDescriptor & { readonly diffId: string }> {
  const folder = join(dir, 'blobs', 'sha256')
  await mkdir(folder, { recursive: true })
  const temporary = join(folder, 'making')
  const [outer, inner] = [createHash('sha256'), createHash('sha256')]
  let size = 0
  function* hashed(): Generator<Buffer> {
    for (const piece of pieces) {
      inner.update(piece)
      yield piece
    }
  }
  async function* counted(source: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
    for await (const piece of source) {
      outer.update(piece)
      size += piece.length
      yield piece
    }
  }
  const source = Readable.from(hashed(), { objectMode: false })
  const file = createWriteStream(temporary)
  if (packed) await pipeline(source, createGzip({ level: 1 }), counted, file)
  else await pipeline(source, counted, file)
  const digest = `sha256:${outer.digest('hex')}` as const
  await rename(temporary, join(folder, digest.slice(7)))
  const mediaType = packed ? MEDIA.layerGzip : MEDIA.layer
  return { mediaType, digest, size, diffId: `sha256:${inner.digest('hex')}` }
}

export interface Layer extends MadeDescriptor {
  readonly diffId: string
}

interface Changes {
  readonly config?: (config: Document) => Document | string
  readonly manifest?: (manifest: Document) => Document | string
}

/** An image of these layers, its documents changed before they are stored. */
export async function imageOf(
  dir: string,
  layers: readonly Layer[],
  change: Changes = {},
): Promise<MadeDescriptor> {
  const config = {
    ...{ os: 'linux', architecture: 'amd64', config: {} },
    rootfs: { type: 'layers', diff_ids: layers.map(layer => layer.diffId) },
  }
  const stored = await writeBlob(dir, MEDIA.config, textOf(change.config?.(config) ?? config))
  const manifest = {
    ...{ schemaVersion: 2, mediaType: MEDIA.manifest, config: stored },
    layers: layers.map(({ mediaType, digest, size }) => ({ mediaType, digest, size })),
  }
  return await writeBlob(dir, MEDIA.manifest, textOf(change.manifest?.(manifest) ?? manifest))
}

export function textOf(document: Document | string): string {
  return typeof document === 'string' ? document : JSON.stringify(document)
}

export function tarLayers(...layers: readonly (() => Pieces)[]): HostileLayout['make'] {
  return async dir => {
    const made: Layer[] = []
    for (const pieces of layers) made.push(await writeStream(dir, closed(pieces()), true))
    await writeIndex(dir, [await imageOf(dir, made)])
  }
}

export function* closed(pieces: Pieces): Pieces {
  yield* batched(pieces)
  yield END
}

/** Fewer, larger pieces: a stream of a million small ones is slow. */
function* batched(pieces: Pieces): Pieces {
  let held: Buffer[] = []
  let length = 0
  for (const piece of pieces) {
    held.push(piece)
    length += piece.length
    if (length < MIB) continue
    yield Buffer.concat(held)
    held = []
    length = 0
  }
  yield Buffer.concat(held)
}

/** `count` entries that differ in their names alone: the block of one is patched, not made anew. */
export function* many(count: number, name: (at: number) => string, entry: RawEntry = {}): Pieces {
  const template = rawEntry({ ...entry, name: '' })
  const bare = Number.parseInt(template.toString('latin1', 148, 154), 8)
  for (let at = 0; at < count; at += 1) {
    const bytes = Buffer.from(template)
    const length = bytes.write(name(at), 0, 100, 'latin1')
    let sum = bare
    for (let byte = 0; byte < length; byte += 1) sum += bytes[byte] ?? 0
    bytes.write(sum.toString(8).padStart(6, '0'), 148, 'latin1')
    yield bytes
  }
}

export function plain(change: Changes): HostileLayout['make'] {
  return async dir => {
    const layer = await writeStream(dir, closed([rawEntry({ name: 'hello', data: 'hello' })]), true)
    await writeIndex(dir, [await imageOf(dir, [layer], change)])
  }
}

/** A sound image, then damaged on disk. */
export function damaged(damage: (dir: string, layer: string) => Promise<unknown>): HostileLayout['make'] {
  return async dir => {
    const layer = await writeStream(dir, closed([rawEntry({ name: 'hello', data: 'hello' })]), true)
    await writeIndex(dir, [await imageOf(dir, [layer])])
    await damage(dir, join(dir, 'blobs', 'sha256', layer.digest.slice(7)))
  }
}

export function inIndex(
  children: (image: MadeDescriptor, dir: string) => Promise<readonly object[]>,
): HostileLayout['make'] {
  return async dir => {
    const image = await imageOf(dir, [])
    const manifests = await children(image, dir)
    const document = { schemaVersion: 2, mediaType: MEDIA.index, manifests }
    await writeIndex(dir, [await writeBlob(dir, MEDIA.index, JSON.stringify(document))])
  }
}
