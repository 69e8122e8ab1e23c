import { createReadStream } from 'node:fs'
import { mkdtemp, readFile, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PassThrough, Readable } from 'node:stream'
import { gzipSync } from 'node:zlib'
import type { Digest } from '../../../src/evidence/digest.js'
import { blobPath, hashBlobs } from '../../../src/oci/blobs.js'
import { importDockerArchive } from '../../../src/oci/docker-archive.js'
import { readLayers } from '../../../src/oci/layers.js'
import { openLayout } from '../../../src/oci/reader.js'
import { digestOf, MEDIA, tarOf } from '../../support/layouts.js'
import type { LayoutFile } from '../../support/layouts.js'
import { reasonOfAsync } from '../../support/reasons.js'

const hex = (bytes: Buffer | string): string => digestOf(bytes).slice('sha256:'.length)
const file = (path: string, content: Buffer | string): LayoutFile => ({ path, content })
let dir = ''
let one: Buffer = Buffer.alloc(0)
let two: Buffer = Buffer.alloc(0)

beforeAll(async () => {
  one = await tarOf([file('a', 'a'.repeat(3000))])
  two = await tarOf([{ path: 'b', content: '#!/bin/sh\n', mode: 0o755 }])
})
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'archive-'))
})
afterEach(() => rm(dir, { recursive: true, force: true }))

function configOf(...layers: readonly Buffer[]): string {
  return JSON.stringify({
    architecture: 'amd64',
    os: 'linux',
    config: { User: 'app' },
    rootfs: { type: 'layers', diff_ids: layers.map(layer => digestOf(layer)) },
    history: layers.map(() => ({ created_by: 'COPY' })),
  })
}

const manifestOf = (config: string, layers: readonly string[]): LayoutFile =>
  file('manifest.json', JSON.stringify([{ Config: config, RepoTags: null, Layers: layers }]))

/** As Docker up to 24 saves: a folder per layer, a link for a layer that is there already. */
function classic(config = configOf(one, two, one)): readonly LayoutFile[] {
  return [
    { path: 'id1/', type: 'directory' },
    file('id1/VERSION', '1.0'),
    file('id1/json', '{"id":"id1"}'),
    file('id1/layer.tar', one),
    file('id2/layer.tar', two),
    { path: 'id3/layer.tar', type: 'symlink', linkname: '../id1/layer.tar' },
    file(`${hex(config)}.json`, config),
    manifestOf(`${hex(config)}.json`, ['id1/layer.tar', 'id2/layer.tar', 'id3/layer.tar']),
    file('repositories', '{}'),
  ]
}

/** As Docker 25 and later save: an OCI layout beside manifest.json; layers plain or, by a containerd store, packed. */
function modern(store: 'classic' | 'containerd'): {
  readonly files: readonly LayoutFile[]
  readonly config: Digest
  readonly manifest: Digest
} {
  const config = configOf(one, two)
  const packed = [one, two].map(layer => (store === 'containerd' ? gzipSync(layer) : layer))
  const describe = (bytes: Buffer | string, mediaType: string) => ({
    mediaType,
    digest: digestOf(bytes),
    size: Buffer.byteLength(bytes),
  })
  const layerType = store === 'containerd' ? MEDIA.layerGzip : MEDIA.layer
  const manifest = JSON.stringify({
    schemaVersion: 2,
    mediaType: MEDIA.manifest,
    config: describe(config, MEDIA.config),
    layers: packed.map(layer => describe(layer, layerType)),
  })
  const annotations = { 'io.containerd.image.name': 'docker.io/library/x:latest' }
  const blob = (bytes: Buffer | string): LayoutFile => file(`blobs/sha256/${hex(bytes)}`, bytes)
  return {
    config: digestOf(config),
    manifest: digestOf(manifest),
    files: [
      { path: 'blobs/', type: 'directory' },
      ...packed.map(blob),
      blob(config),
      blob(manifest),
      file(
        'index.json',
        JSON.stringify({
          schemaVersion: 2,
          manifests: [{ ...describe(manifest, MEDIA.manifest), annotations }],
        }),
      ),
      manifestOf(
        `blobs/sha256/${hex(config)}`,
        packed.map(bytes => `blobs/sha256/${hex(bytes)}`),
      ),
      file('oci-layout', '{"imageLayoutVersion":"1.0.0"}'),
    ],
  }
}

async function imported(files: readonly LayoutFile[], imageId?: Digest) {
  const tar = await tarOf(files)
  const pieces = Array.from({ length: Math.ceil(tar.length / 1000) }, (_, at) =>
    tar.subarray(at * 1000, at * 1000 + 1000),
  )
  return importDockerArchive(Readable.from(pieces), {
    outDir: join(dir, 'out'),
    gzipLevel: 1,
    ...(imageId === undefined ? {} : { imageId }),
  })
}

async function opened() {
  const layout = await openLayout(join(dir, 'out'), { name: 'x' })
  const { objects } = await hashBlobs(layout)
  const [image] = layout.subject.platforms
  if (image === undefined) throw new Error('one platform is expected')
  return { layout, image, objects, contents: (await readLayers(layout, image)).contents }
}

describe('importDockerArchive', () => {
  test('a classic archive becomes a layout that keeps the configuration', async () => {
    const config = configOf(one, two, one)
    const found = await imported(classic(), digestOf(config))
    const { image, contents, layout } = await opened()
    expect(found).toEqual({
      configDigest: digestOf(config),
      manifestDigest: layout.subject.digest,
      store: 'classic',
    })
    expect(image.configDigest).toBe(digestOf(config))
    expect(await readFile(blobPath(layout.dir, image.configDigest), 'utf8')).toBe(config)
    expect(image.layers.map(layer => [layer.diffId, layer.mediaType])).toEqual(
      [one, two, one].map(layer => [digestOf(layer), MEDIA.layerGzip]),
    )
    expect(contents).toMatchObject({ files: 2, executables: 1 })
    expect((await readdir(layout.dir)).sort()).toEqual(['blobs', 'index.json', 'oci-layout'])
  })

  test('an archive that Docker 20.10 really saved', async () => {
    const fixture = join(import.meta.dirname, '../../fixtures/docker-archives/docker-20.10-classic.tar')
    const id = 'sha256:6a48023db118755325a41e7f5361951f9ae697081e008692481c47da9ac942ca'
    const outDir = join(dir, 'out')
    const found = await importDockerArchive(createReadStream(fixture), { outDir, gzipLevel: 1, imageId: id })
    expect(found).toMatchObject({ configDigest: id, store: 'classic' })
    const { image, contents } = await opened()
    expect(image.config.user).toBe('1000')
    expect(contents).toMatchObject({ files: 2, executables: 1, unexplained: [{ path: 'a' }] })
  })

  test('the same archive gives the same layout', async () => {
    const first = await imported(classic())
    await rm(join(dir, 'out'), { recursive: true })
    expect(await imported(classic())).toEqual(first)
  })

  test('a modern archive of the classic store is packed', async () => {
    const { files, config } = modern('classic')
    expect(await imported(files, config)).toMatchObject({ configDigest: config, store: 'classic' })
    const { image } = await opened()
    expect(image.layers.map(layer => layer.mediaType)).toEqual([MEDIA.layerGzip, MEDIA.layerGzip])
  })

  test.each(['classic', 'containerd'] as const)(
    'an archive whose image id is its manifest (%s layers) is kept byte by byte',
    async kind => {
      const { files, config, manifest } = modern(kind)
      expect(await imported(files, manifest)).toEqual({
        configDigest: config,
        manifestDigest: manifest,
        store: 'containerd',
      })
      const { layout, contents } = await opened()
      expect(layout.subject.digest).toBe(manifest)
      expect(contents.files).toBe(2)
      expect((await readdir(layout.dir)).sort()).toEqual(['blobs', 'index.json', 'oci-layout'])
    },
  )

  test('without an image id packed layers decide', async () => {
    const { files, manifest } = modern('containerd')
    expect(await imported(files)).toMatchObject({ manifestDigest: manifest, store: 'containerd' })
  })

  const without = (files: readonly LayoutFile[], path: RegExp) => files.filter(item => !path.test(item.path))
  const swapped = (files: readonly LayoutFile[], path: RegExp, content: Buffer | string) =>
    files.map(item => (path.test(item.path) ? { ...item, content } : item))
  const cases: readonly (readonly [string, string, () => readonly LayoutFile[], Digest | undefined])[] = [
    ['archive-no-manifest', 'no manifest.json', () => without(classic(), /^manifest/), undefined],
    ['archive-shape', 'another manifest.json', () => swapped(classic(), /^manifest/, '{}'), undefined],
    ['archive-many-images', 'no image', () => swapped(classic(), /^manifest/, '[]'), undefined],
    [
      'json-key-case',
      'keys in another case',
      () => swapped(classic(), /^manifest/, '[{"config":"a","Layers":[]}]'),
      undefined,
    ],
    ['archive-missing', 'no configuration', () => without(classic(), /^[0-9a-f]{64}\.json/), undefined],
    ['archive-missing', 'no layer', () => without(classic(), /^id2/), undefined],
    [
      'archive-config-digest',
      'another configuration',
      () => swapped(classic(), /^[0-9a-f]{64}\.json/, configOf(one)),
      undefined,
    ],
    ['archive-image-id', 'another image id', () => classic(), digestOf('other')],
    ['archive-image-id', 'another image id, containerd', () => modern('containerd').files, digestOf('other')],
    ['archive-layer-count', 'fewer diff_ids', () => classic(configOf(one)), undefined],
    ['archive-diff-id', 'another layer', () => swapped(classic(), /^id2\/layer/, one), undefined],
    [
      'archive-compressed',
      'a packed classic layer',
      () => swapped(classic(), /^id2\/layer/, gzipSync(two)),
      undefined,
    ],
    [
      'archive-blob-digest',
      'a blob of other bytes',
      () => swapped(modern('containerd').files, new RegExp(hex(gzipSync(one))), gzipSync(two)),
      undefined,
    ],
    ['archive-duplicate', 'an entry twice', () => [...classic(), file('id1/layer.tar', two)], undefined],
    [
      'archive-entry',
      'a hard link',
      () => [...classic(), { path: 'x', type: 'link', linkname: 'id1/layer.tar' }],
      undefined,
    ],
    ['tar-path-escape', 'a name that climbs', () => [...classic(), file('../x', '')], undefined],
    [
      'blob-missing',
      'a containerd archive without a layer',
      () => without(modern('containerd').files, new RegExp(hex(gzipSync(one)))),
      undefined,
    ],
  ]
  test.each(cases)('refuses with %s: %s', async (reason, _name, make, id) => {
    const outcome = await reasonOfAsync(imported(make(), id))
    if (reason !== 'blob-missing') expect(outcome).toBe(reason)
    else expect(await reasonOfAsync(opened())).toBe(reason)
  })

  test('refuses an archive that is cut off, and a folder in use', async () => {
    const tar = await tarOf(classic())
    const cut = importDockerArchive(Readable.from([tar.subarray(0, 5000)]), {
      outDir: join(dir, 'cut'),
      gzipLevel: 1,
    })
    expect(await reasonOfAsync(cut)).toBe('tar-truncated')
    expect(
      await reasonOfAsync(importDockerArchive(Readable.from([tar]), { outDir: dir, gzipLevel: 1 })),
    ).toBe('archive-not-empty')
  })

  test('a refusal reads the rest away, so that the writer can end', async () => {
    const writer = new PassThrough({ highWaterMark: 1024 })
    const refused = reasonOfAsync(importDockerArchive(writer, { outDir: join(dir, 'out'), gzipLevel: 1 }))
    const tar = await tarOf([file('../x', 'y'), file('big', 'z'.repeat(500_000))])
    await new Promise<void>(resolve => writer.end(tar, () => resolve()))
    expect(await refused).toBe('tar-path-escape')
  })
})
