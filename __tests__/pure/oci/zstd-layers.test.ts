import { randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import * as zlib from 'node:zlib'
import { canReadZstd } from '../../../src/oci/layer-stream.js'
import { readLayers } from '../../../src/oci/layers.js'
import { openLayout } from '../../../src/oci/reader.js'
import { oneZstdFrame } from '../../../src/oci/zstd-frame.js'
import { digestOf, MEDIA, tarOf, writeBlob, writeIndex } from '../../support/layouts.js'
import { reasonOfAsync } from '../../support/reasons.js'

const checksum = { params: { [zlib.constants.ZSTD_c_checksumFlag]: 1 } }
const skippable = Buffer.from('502a4d180400000061626364', 'hex')
let dir = ''
let tar: Buffer = Buffer.alloc(0)
let frame: Buffer = Buffer.alloc(0)

beforeAll(async () => {
  if (!canReadZstd()) throw new Error(`Node ${process.version} has no zstd: run these tests with Node 24`)
  tar = await tarOf([
    { path: 'bin/tool', content: `#!/bin/sh\n${'x'.repeat(200_000)}`, mode: 0o755 },
    { path: 'noise', content: randomBytes(700_000) },
  ])
  frame = zlib.zstdCompressSync(tar, checksum)
})
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'zstd-'))
})
afterEach(() => rm(dir, { recursive: true, force: true }))

async function writeImageOf(packed: Buffer): Promise<void> {
  const layer = await writeBlob(dir, MEDIA.layerZstd, packed)
  const rootfs = { type: 'layers', diff_ids: [digestOf(tar)] }
  const config = await writeBlob(
    dir,
    MEDIA.config,
    JSON.stringify({ os: 'linux', architecture: 'amd64', rootfs }),
  )
  const manifest = { schemaVersion: 2, mediaType: MEDIA.manifest, config, layers: [layer] }
  await writeIndex(dir, [await writeBlob(dir, MEDIA.manifest, JSON.stringify(manifest))])
}

async function contentsOf(packed: Buffer) {
  await writeImageOf(packed)
  const layout = await openLayout(dir, { name: 'x' })
  const [image] = layout.subject.platforms
  if (image === undefined) throw new Error('one platform is expected')
  return (await readLayers(layout, image)).contents
}

test('where zstd cannot be read nothing of the image is looked at', async () => {
  await writeImageOf(frame)
  const refused = openLayout(dir, { name: 'x', zstd: false })
  await expect(refused).rejects.toMatchObject({ code: 'evidence', reason: 'layer-zstd' })
  await expect(refused).rejects.toThrow('use Node 22.15 or later')
})

test('a Node without zstd is told by what its zlib lacks', () => {
  expect([canReadZstd({}), canReadZstd()]).toEqual([false, true])
})

test.each<[string, () => Buffer]>([
  ['with a checksum', () => frame],
  ['without a checksum', () => zlib.zstdCompressSync(tar)],
  [
    'of the best level',
    () => zlib.zstdCompressSync(tar, { params: { [zlib.constants.ZSTD_c_compressionLevel]: 19 } }),
  ],
])('a layer %s is read', async (_, packed) => {
  expect(await contentsOf(packed())).toMatchObject({
    files: 2,
    executables: 1,
    layers: [{ entries: 2, uncompressedSize: tar.length, size: packed().length }],
  })
})

test.each<[string, string, () => Buffer]>([
  ['layer-zstd-trailing', 'a zero behind the frame', () => Buffer.concat([frame, Buffer.alloc(1)])],
  [
    'layer-zstd-trailing',
    'megabytes behind the frame',
    () => Buffer.concat([frame, Buffer.alloc(3_000_000)]),
  ],
  ['layer-zstd-trailing', 'a second frame', () => Buffer.concat([frame, frame])],
  ['layer-zstd-trailing', 'a skippable frame behind', () => Buffer.concat([frame, skippable])],
  ['layer-zstd-broken', 'a skippable frame before', () => Buffer.concat([skippable, frame])],
  ['layer-zstd-broken', 'no frame', () => tar],
  ['layer-zstd-broken', 'gzip', () => zlib.gzipSync(tar)],
  ['layer-zstd-broken', 'nothing', () => Buffer.alloc(0)],
  ['layer-zstd-broken', 'only the magic', () => frame.subarray(0, 4)],
  ['layer-zstd-broken', 'a frame without its checksum', () => frame.subarray(0, -4)],
  ['layer-zstd-broken', 'a frame without its last byte', () => frame.subarray(0, -1)],
  ['layer-zstd-broken', 'half a frame', () => frame.subarray(0, frame.length >> 1)],
  ['layer-zstd-broken', 'a wrong checksum', () => changed(frame.length - 1, 0xff)],
  ['layer-zstd-broken', 'a dictionary', () => changed(4, 0x01)],
  ['layer-zstd-broken', 'a reserved bit', () => changed(4, 0x08)],
  ['layer-diff-id', 'another content', () => zlib.zstdCompressSync(Buffer.alloc(1024))],
])('refuses with %s: %s', async (reason, _, packed) => {
  expect(await reasonOfAsync(contentsOf(packed()))).toBe(reason)
})

/** The frame with one byte changed. */
function changed(at: number, by: number): Buffer {
  const bytes = Buffer.from(frame)
  bytes.writeUInt8(bytes.readUInt8(at) ^ by, at)
  return bytes
}

test.each([1, 2, 3, 7, 1000])('the frame is followed in pieces of %i bytes', async size => {
  const small = zlib.zstdCompressSync(Buffer.concat([randomBytes(300), Buffer.alloc(300_000)]), checksum)
  const pieces = (bytes: Buffer): Readable =>
    Readable.from(
      Array.from({ length: Math.ceil(bytes.length / size) }, (_, at) =>
        bytes.subarray(at * size, at * size + size),
      ),
    )
  const read = async (bytes: Buffer): Promise<Buffer> => {
    const found: Uint8Array[] = []
    for await (const chunk of oneZstdFrame(pieces(bytes), 'x')) found.push(chunk)
    return Buffer.concat(found)
  }
  expect((await read(small)).equals(small)).toBe(true)
  expect(await reasonOfAsync(read(Buffer.concat([small, Buffer.alloc(1)])))).toBe('layer-zstd-trailing')
  expect(await reasonOfAsync(read(small.subarray(0, -1)))).toBe('layer-zstd-broken')
})
