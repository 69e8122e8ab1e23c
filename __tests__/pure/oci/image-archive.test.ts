import { mkdir, mkdtemp, readdir, rm, symlink, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { hashBlobs } from '../../../src/oci/blobs.js'
import { importImageArchive } from '../../../src/oci/image-archive.js'
import { openLayout } from '../../../src/oci/reader.js'
import { digestOf, MEDIA, tarOf } from '../../support/layouts.js'
import type { LayoutFile } from '../../support/layouts.js'
import { reasonOfAsync } from '../../support/reasons.js'

type Text = Buffer | string

const hex = (bytes: Text): string => digestOf(bytes).slice('sha256:'.length)
const file = (path: string, content: Text): LayoutFile => ({ path, content })
const blob = (bytes: Text): LayoutFile => file(`blobs/sha256/${hex(bytes)}`, bytes)
let dir = ''
let layer: Buffer = Buffer.alloc(0)
let other: Buffer = Buffer.alloc(0)

beforeAll(async () => {
  layer = await tarOf([file('a', 'a'.repeat(3000))])
  other = await tarOf([file('b', 'b')])
})
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'archive-'))
})
afterEach(() => rm(dir, { recursive: true, force: true }))

function descriptorOf(bytes: Text, mediaType: string) {
  return { mediaType, digest: digestOf(bytes), size: Buffer.byteLength(bytes) }
}

function configOf(plain: Buffer): string {
  return JSON.stringify({
    architecture: 'amd64',
    os: 'linux',
    config: {},
    rootfs: { type: 'layers', diff_ids: [digestOf(plain)] },
    history: [{ created_by: 'COPY' }],
  })
}

/** The blobs of one image, packed or plain, and the index.json that names it. */
function image(plain: Buffer, packed: boolean) {
  const bytes = packed ? gzipSync(plain) : plain
  const config = configOf(plain)
  const manifest = JSON.stringify({
    schemaVersion: 2,
    mediaType: MEDIA.manifest,
    config: descriptorOf(config, MEDIA.config),
    layers: [descriptorOf(bytes, packed ? MEDIA.layerGzip : MEDIA.layer)],
  })
  const descriptor = descriptorOf(manifest, MEDIA.manifest)
  const saved = JSON.stringify([
    { Config: `blobs/sha256/${hex(config)}`, RepoTags: null, Layers: [`blobs/sha256/${hex(bytes)}`] },
  ])
  return { blobs: [blob(bytes), blob(config), blob(manifest)], descriptor, saved }
}

const indexOf = (...manifests: readonly object[]): LayoutFile =>
  file('index.json', JSON.stringify({ schemaVersion: 2, manifests }))
const MARKER = file('oci-layout', '{"imageLayoutVersion":"1.0.0"}')

function ociArchive(): readonly LayoutFile[] {
  const { blobs, descriptor } = image(layer, true)
  const folders = ['blobs/', 'blobs/sha256/'].map(path => ({ path, type: 'directory' }) as const)
  return [MARKER, ...folders, ...blobs, indexOf(descriptor)]
}

async function imported(files: readonly LayoutFile[] | Buffer, maxBytes?: number) {
  const path = join(dir, 'image.tar')
  await writeFile(path, Buffer.isBuffer(files) ? files : await tarOf(files))
  const outDir = join(dir, 'out')
  const kind = await importImageArchive(path, { outDir, ...(maxBytes === undefined ? {} : { maxBytes }) })
  const layout = await openLayout(outDir, { name: 'x' })
  await hashBlobs(layout)
  return { kind, layout }
}

describe('an OCI archive', () => {
  test('is unpacked byte by byte', async () => {
    const { kind, layout } = await imported(ociArchive())
    expect(kind).toBe('oci')
    expect(layout.subject.digest).toBe(image(layer, true).descriptor.digest)
    expect((await readdir(layout.dir)).sort()).toEqual(['blobs', 'index.json', 'oci-layout'])
  })

  test('may have its names written with ./', async () => {
    const files = ociArchive().map(entry => ({ ...entry, path: `./${entry.path}` }))
    expect((await imported([{ path: './', type: 'directory' }, ...files])).kind).toBe('oci')
  })

  test.each<[string, string, () => readonly LayoutFile[]]>([
    ['archive-entry', 'another file', () => [...ociArchive(), file('notes', 'x')]],
    ['archive-entry', 'a blob of another kind', () => [...ociArchive(), file('blobs/sha512/aa', 'x')]],
    [
      'archive-entry',
      'a link',
      () => [
        ...ociArchive(),
        { path: `blobs/sha256/${'a'.repeat(64)}`, type: 'symlink', linkname: '/etc/passwd' },
      ],
    ],
    ['archive-entry', 'another folder', () => [{ path: 'etc/', type: 'directory' }, ...ociArchive()]],
    ['tar-path-escape', 'a path that climbs out', () => [...ociArchive(), file('../x', 'x')]],
    ['archive-duplicate', 'a file twice', () => [...ociArchive(), MARKER]],
    [
      'archive-blob-digest',
      'a blob of another name',
      () => [...ociArchive(), file(`blobs/sha256/${'a'.repeat(64)}`, 'x')],
    ],
    [
      'archive-document-size',
      'a huge document',
      () => [file('index.json', ' '.repeat(5 * 1024 * 1024)), MARKER],
    ],
    ['archive-kind', 'no index.json', () => ociArchive().filter(entry => entry.path !== 'index.json')],
    ['archive-kind', 'no oci-layout', () => ociArchive().filter(entry => entry !== MARKER)],
    ['archive-kind', 'nothing', () => []],
    [
      'blob-missing',
      'a layer less',
      () => ociArchive().filter(entry => entry.path !== image(layer, true).blobs[0]?.path),
    ],
    [
      'index-many-images',
      'two images',
      () => {
        const [one, two] = [image(layer, true), image(other, true)]
        return [MARKER, ...one.blobs, ...two.blobs, indexOf(one.descriptor, two.descriptor)]
      },
    ],
  ])('%s: refused with %s', async (reason, _, files) => {
    expect(await reasonOfAsync(imported(files()))).toBe(reason)
  })
})

describe('an archive of docker save', () => {
  test.each([
    ['plain layers', false],
    ['packed layers', true],
  ])('with %s is told by its content', async (_, packed) => {
    const { blobs, descriptor, saved } = image(layer, packed)
    const files = [MARKER, ...blobs, indexOf(descriptor), file('manifest.json', saved)]
    const { kind, layout } = await imported(files)
    expect(kind).toBe('docker')
    expect(layout.subject.platforms[0]?.configDigest).toBe(digestOf(configOf(layer)))
  })

  test.each([
    ['plain', false],
    ['packed', true],
  ])('whose two descriptions name different images is refused (%s)', async (_, packed) => {
    const [one, two] = [image(layer, packed), image(other, packed)]
    const files = [
      MARKER,
      ...one.blobs,
      ...two.blobs,
      indexOf(two.descriptor),
      file('manifest.json', one.saved),
    ]
    expect(await reasonOfAsync(imported(files))).toBe('archive-two-images')
  })

  test('whose index.json names more images than manifest.json is refused', async () => {
    const [one, two] = [image(layer, false), image(other, false)]
    const index = indexOf(one.descriptor, two.descriptor)
    const files = [MARKER, ...one.blobs, ...two.blobs, index, file('manifest.json', one.saved)]
    expect(await reasonOfAsync(imported(files))).toBe('archive-many-images')
  })

  test('whose index.json leads nowhere is refused', async () => {
    const [one, two] = [image(layer, false), image(other, false)]
    const files = [MARKER, ...one.blobs, indexOf(two.descriptor), file('manifest.json', one.saved)]
    expect(await reasonOfAsync(imported(files))).toBe('archive-two-images')
  })
})

describe('a file that is no archive', () => {
  test.each<[string, () => Buffer]>([
    ['archive-packed', () => gzipSync(layer)],
    ['archive-packed', () => Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0, 0, 0, 0])],
    ['archive-kind', () => Buffer.alloc(0)],
    ['tar-number', () => Buffer.alloc(1024, 'x')],
  ])('is refused as %s', async (reason, bytes) => {
    expect(await reasonOfAsync(imported(bytes()))).toBe(reason)
  })

  test('is refused when it is larger than the limit', async () => {
    expect(await reasonOfAsync(imported(ociArchive(), 1000))).toBe('archive-too-large')
  })

  test('is refused when it ends too early', async () => {
    const tar = await tarOf(ociArchive())
    expect(await reasonOfAsync(imported(tar.subarray(0, 1000)))).toBe('tar-truncated')
  })

  test.each([
    ['archive-absent', 'absent.tar'],
    ['archive-not-file', 'folder'],
    ['archive-not-file', 'device'],
  ])('is refused as %s: %s', async (reason, name) => {
    await mkdir(join(dir, 'folder'))
    await symlink('/dev/zero', join(dir, 'device'))
    const outDir = join(dir, 'out')
    expect(await reasonOfAsync(importImageArchive(join(dir, name), { outDir }))).toBe(reason)
  })

  test('a sparse file of the greatest size is not read', async () => {
    const path = join(dir, 'huge.tar')
    await writeFile(path, '')
    await truncate(path, 65 * 1024 ** 3)
    expect(await reasonOfAsync(importImageArchive(path, { outDir: join(dir, 'out') }))).toBe(
      'archive-too-large',
    )
  })
})
