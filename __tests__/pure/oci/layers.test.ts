import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import type { ImageContents } from '../../../src/evidence/image.js'
import { blobPath } from '../../../src/oci/blobs.js'
import { readLayers } from '../../../src/oci/layers.js'
import type { LayerLimits } from '../../../src/oci/layers.js'
import { openLayout } from '../../../src/oci/reader.js'
import { digestOf, makeLayout, MEDIA, tarOf, writeBlob, writeIndex } from '../../support/layouts.js'
import type { LayoutFile } from '../../support/layouts.js'
import { END, rawEntry } from '../../support/raw-tar.js'
import { reasonOfAsync } from '../../support/reasons.js'

const ELF = Buffer.from('\x7fELF rest of it', 'latin1')
const program = (path: string, more: Partial<LayoutFile> = {}): LayoutFile => ({
  path,
  content: ELF,
  mode: 0o755,
  ...more,
})
const link = (path: string, linkname: string): LayoutFile => ({ path, type: 'symlink', linkname })
const hard = (path: string, linkname: string): LayoutFile => ({ path, type: 'link', linkname })
let dir = ''

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'layers-'))
})
afterEach(() => rm(dir, { recursive: true, force: true }))

async function passed(limits?: LayerLimits): Promise<ImageContents> {
  const layout = await openLayout(dir, { name: 'x' })
  const [image] = layout.subject.platforms
  if (image === undefined) throw new Error('one platform is expected')
  return (await readLayers(layout, image, limits)).contents
}

async function contents(...layers: readonly (readonly LayoutFile[])[]): Promise<ImageContents> {
  await makeLayout(dir, { layers: layers.map((files, at) => ({ files, gzip: at % 2 === 0 })) })
  return passed()
}

const unexplained = (found: ImageContents): readonly string[] => found.unexplained.map(file => file.path)

test('a refusal in the middle of a large packed layer ends the pass', async () => {
  const noise = Buffer.from(Array.from({ length: 4 * 1024 * 1024 }, (_, at) => (at * 7919) % 251))
  await makeLayout(dir, {
    layers: [{ files: [{ path: 'a', content: noise }, hard('b', 'c'), { path: 'd', content: noise }] }],
  })
  expect(await reasonOfAsync(passed())).toBe('layer-hard-link')
})

describe('readLayers, the final tree', () => {
  test('sizes, users, setuid, executables', async () => {
    const made = await makeLayout(dir, {
      layers: [
        {
          files: [
            { path: 'etc/passwd', content: 'root:x:0:0::/:/bin/sh\napp:x:1000:1000::/:\nbroken\n' },
            program('bin/su', { mode: 0o4755 }),
            program('data.bin', { mode: 0o644 }),
            { path: 'text', content: 'no program', mode: 0o755 },
            { path: 'run.sh', content: '#!/bin/sh\n', mode: 0o711 },
          ],
          createdBy: 'ADD rootfs',
        },
        { files: [program('bin/tool')], gzip: false, createdBy: 'COPY tool' },
      ],
    })
    const found = await passed()
    expect(found).toMatchObject({
      files: 6,
      executables: 3,
      users: [
        { name: 'root', uid: 0 },
        { name: 'app', uid: 1000 },
      ],
      setuid: ['bin/su'],
      unexplained: [
        { path: 'bin/su', size: ELF.length, setuid: true, layer: made.diffIds[0] },
        { path: 'bin/tool', setuid: false, layer: made.diffIds[1] },
        { path: 'run.sh' },
      ],
    })
    expect(found.layers).toMatchObject([
      { diffId: made.diffIds[0], digest: made.layerDigests[0], entries: 5, createdBy: 'ADD rootfs' },
      { diffId: made.diffIds[1], digest: made.layerDigests[1], entries: 1, createdBy: 'COPY tool' },
    ])
    expect(found.layers[1]?.uncompressedSize).toBe(found.layers[1]?.size)
    expect(found.layers[0]?.uncompressedSize).toBeGreaterThan(found.layers[0]?.size ?? 0)
  })

  const dirEntry = (path: string): LayoutFile => ({ path, type: 'directory' })
  const cases: readonly (readonly [string, readonly (readonly LayoutFile[])[], readonly string[]])[] = [
    ['a later layer replaces a file', [[program('a')], [{ path: 'a', content: 'text', mode: 0o755 }]], []],
    ['the last of two entries counts', [[{ path: 'a', content: 'text' }, program('a')]], ['a']],
    ['a whiteout hides a file', [[program('a/b'), program('a/c')], [{ path: 'a/.wh.b' }]], ['a/c']],
    ['a whiteout hides a folder', [[program('a/b/c')], [{ path: '.wh.a' }]], []],
    ['a whiteout spares its own layer', [[program('a')], [program('a'), { path: '.wh.a' }]], ['a']],
    [
      'a whiteout of a folder spares its own layer',
      [[program('a/x')], [program('a/y'), { path: '.wh.a' }]],
      ['a/y'],
    ],
    [
      'an opaque folder hides lower content only',
      [[program('a/x/y')], [program('a/z'), { path: 'a/.wh..wh..opq' }]],
      ['a/z'],
    ],
    ['aufs metadata is no whiteout', [[program('.wh.aufs')], [{ path: '.wh..wh.aufs' }]], []],
    ['a file replaces a folder', [[program('a/b')], [{ path: 'a', content: 'x' }]], []],
    ['a folder keeps what it holds', [[program('a/b')], [dirEntry('a')]], ['a/b']],
    ['a symbolic link replaces a folder', [[program('a/b')], [link('a', 'c')]], []],
    ['a path through a link lands behind it', [[link('bin', 'usr/bin')], [program('bin/x')]], ['usr/bin/x']],
    ['a link to the root', [[link('a', '/'), program('a/x')]], ['x']],
    ['a link that climbs stays inside', [[link('a', '../../../b'), program('a/x')]], ['b/x']],
    [
      'a whiteout through a link',
      [[dirEntry('usr/bin'), link('bin', 'usr/bin'), program('bin/x')], [{ path: 'bin/.wh.x' }]],
      [],
    ],
    ['a hard link is the same program', [[program('a')], [hard('b', 'a')]], ['a', 'b']],
    ['a hard link outlives its source', [[program('a'), hard('b', 'a')], [{ path: '.wh.a' }]], ['b']],
  ]
  test.each(cases)('%s', async (_name, layers, expected) => {
    expect(unexplained(await contents(...layers))).toEqual(expected)
  })
})

describe('readLayers refuses', () => {
  /** A layout of one layer with these blob bytes and this diff_id. */
  async function blobLayer(blob: Buffer, diffId: string, mediaType: string = MEDIA.layerGzip): Promise<void> {
    const layer = await writeBlob(dir, mediaType, blob)
    const config = await writeBlob(
      dir,
      MEDIA.config,
      JSON.stringify({ os: 'linux', architecture: 'amd64', rootfs: { type: 'layers', diff_ids: [diffId] } }),
    )
    const manifest = { schemaVersion: 2, mediaType: MEDIA.manifest, config, layers: [layer] }
    await writeIndex(dir, [await writeBlob(dir, MEDIA.manifest, JSON.stringify(manifest))])
  }
  const plain = () => tarOf([program('a')])
  const layerOf = async (...files: readonly LayoutFile[]) => {
    await makeLayout(dir, { layers: [{ files }] })
  }

  const cases: readonly (readonly [string, string, () => Promise<void>, LayerLimits?])[] = [
    [
      'layer-diff-id',
      'other content than the diff_id',
      async () => blobLayer(gzipSync(await plain()), digestOf('x')),
    ],
    [
      'layer-diff-id',
      'padding that is not in the diff_id',
      async () => {
        const tar = await plain()
        await blobLayer(gzipSync(Buffer.concat([tar, Buffer.alloc(512)])), digestOf(tar))
      },
    ],
    ['layer-gzip', 'a layer that is no gzip', async () => blobLayer(await plain(), digestOf(await plain()))],
    [
      'layer-gzip',
      'gzip cut off',
      async () => {
        const tar = await plain()
        await blobLayer(gzipSync(tar).subarray(0, -10), digestOf(tar))
      },
    ],
    [
      'layer-gzip',
      'a wrong gzip checksum',
      async () => {
        const tar = await plain()
        const bytes = gzipSync(tar)
        bytes.writeUInt32LE(1, bytes.length - 8)
        await blobLayer(bytes, digestOf(tar))
      },
    ],
    [
      'layer-gzip-trailing',
      'a byte behind the gzip data',
      async () => {
        const tar = await plain()
        await blobLayer(Buffer.concat([gzipSync(tar), Buffer.from('\0')]), digestOf(tar))
      },
    ],
    [
      'layer-gzip-trailing',
      'a megabyte behind the gzip data',
      async () => {
        const tar = await plain()
        await blobLayer(Buffer.concat([gzipSync(tar), Buffer.alloc(3_000_000)]), digestOf(tar))
      },
    ],
    [
      'tar-trailing-data',
      'data behind the end marker',
      async () => {
        const tar = Buffer.concat([await plain(), rawEntry({ name: 'b' }), END])
        await blobLayer(gzipSync(tar), digestOf(tar))
      },
    ],
    ['layer-hard-link', 'a hard link to nothing', () => layerOf(hard('a', 'b'))],
    ['layer-hard-link', 'a hard link to a folder', () => layerOf(program('b/c'), hard('a', 'b'))],
    ['layer-hard-link', 'a hard link to itself', () => layerOf(program('a'), hard('a', 'a'))],
    [
      'layer-hard-link',
      'a hard link to itself by a detour',
      () => layerOf(program('x/a'), link('in', 'x'), hard('x/a', 'in/a')),
    ],
    [
      'layer-hard-link',
      'a hard link in place of the folder it leads into',
      () => layerOf(program('x/a'), hard('x', 'x/a')),
    ],
    [
      'layer-whiteout',
      'an opaque whiteout through a link',
      () => layerOf(program('x/a'), link('in', 'x'), { path: 'in/.wh..wh..opq' }),
    ],
    ['layer-path', 'a path through a file', () => layerOf(program('a'), program('a/b'))],
    ['layer-path', 'a loop of links', () => layerOf(link('a', 'b'), link('b', 'a'), program('a/x'))],
    ['layer-whiteout', 'a whiteout of nothing', () => layerOf({ path: 'a/.wh.' })],
    ['layer-whiteout', 'a whiteout of the parent', () => layerOf({ path: '.wh...' })],
    ['layer-too-large', 'more bytes than allowed', () => layerOf(program('a')), { maxBytes: 1000 }],
    [
      'tar-too-many-entries',
      'more entries than allowed',
      () => layerOf(program('a'), program('b')),
      { maxEntries: 1 },
    ],
    [
      'metadata-too-large',
      'more metadata than allowed',
      () => layerOf({ path: 'etc/passwd', content: 'x'.repeat(200) }),
      { maxMetadataBytes: 100 },
    ],
  ]
  test.each(cases.map(([reason, name, prepare, limits]) => ({ reason, name, prepare, limits })))(
    'with $reason: $name',
    async ({ reason, prepare, limits }) => {
      await prepare()
      expect(await reasonOfAsync(passed(limits))).toBe(reason)
    },
  )

  test('a refusal names its layer', async () => {
    const { layerDigests } = await makeLayout(dir, {
      layers: [{ files: [program('a')] }, { files: [hard('b', 'c')] }],
    })
    await expect(passed()).rejects.toThrow(
      `layer 2 (${layerDigests[1] ?? ''}): the archive holds a hard link to something that is not there: b`,
    )
  })

  test('several gzip members are one layer', async () => {
    const tar = await plain()
    await blobLayer(
      Buffer.concat([gzipSync(tar.subarray(0, 700)), gzipSync(tar.subarray(700))]),
      digestOf(tar),
    )
    expect(unexplained(await passed())).toEqual(['a'])
  })

  test('a blob that changed its size after it was opened', async () => {
    const made = await makeLayout(dir, { layers: [{ files: [program('a')] }] })
    const layout = await openLayout(dir, { name: 'x' })
    const [image] = layout.subject.platforms
    const [digest] = made.layerDigests
    if (image === undefined || digest === undefined) throw new Error('one layer is expected')
    await writeFile(blobPath(dir, digest), 'x', { flag: 'a' })
    expect(await reasonOfAsync(readLayers(layout, image))).toBe('blob-size-mismatch')
  })
})
