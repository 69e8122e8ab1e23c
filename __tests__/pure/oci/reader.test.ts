import { copyFile, mkdir, mkdtemp, rename, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { blobPath, hashBlobs } from '../../../src/oci/blobs.js'
import { flattenPlatform } from '../../../src/oci/flatten.js'
import { openLayout } from '../../../src/oci/reader.js'
import {
  digestOf,
  makeIndexLayout,
  makeLayout,
  MEDIA,
  writeBlob,
  writeImage,
  writeIndex,
} from '../../support/layouts.js'
import type { MadeDescriptor } from '../../support/layouts.js'
import { reasonOfAsync } from '../../support/reasons.js'

const layers = [{ files: [{ path: 'hello', content: 'hello' }] }, { files: [], gzip: false }]
const arm = { os: 'linux', architecture: 'arm64', variant: 'v8' }
let dir = ''

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'layout-'))
})
afterEach(() => rm(dir, { recursive: true, force: true }))

const open = () => openLayout(dir, { name: 'example.test/app' })

/** Writes an image and lets `change` edit manifest and configuration before they are stored. */
async function hostile(change: {
  readonly manifest?: (manifest: Record<string, unknown>, layer: MadeDescriptor) => unknown
  readonly config?: (config: Record<string, unknown>) => unknown
  readonly entry?: (entry: MadeDescriptor) => object
}): Promise<void> {
  const diffId = digestOf('plain layer')
  const layer = await writeBlob(dir, MEDIA.layer, 'plain layer')
  const plain = {
    os: 'linux',
    architecture: 'amd64',
    config: {},
    rootfs: { type: 'layers', diff_ids: [diffId] },
    history: [{ created_by: 'COPY a b' }],
  }
  const config = await store(MEDIA.config, change.config?.(plain) ?? plain)
  const base = { schemaVersion: 2, mediaType: MEDIA.manifest, config, layers: [layer] }
  const manifest = await store(MEDIA.manifest, change.manifest?.(base, layer) ?? base)
  await writeIndex(dir, [{ ...manifest, ...change.entry?.(manifest) }])
}

const withoutType = (manifest: Record<string, unknown>) =>
  Object.fromEntries(Object.entries(manifest).filter(([key]) => key !== 'mediaType'))

const store = (type: string, document: unknown) =>
  writeBlob(dir, type, typeof document === 'string' ? document : JSON.stringify(document))

describe('openLayout, good layouts', () => {
  test('one image, named by index.json', async () => {
    const made = await makeLayout(dir, { layers, config: { User: 'app', Labels: { Version: '1' } } })
    const { subject, blobs } = await open()
    expect(subject).toMatchObject({ name: 'example.test/app', digest: made.manifestDigest })
    expect(subject.platforms).toHaveLength(1)
    expect(subject.platforms[0]).toMatchObject({
      platform: 'linux/amd64',
      configDigest: made.configDigest,
      config: { user: 'app', labels: { Version: '1' } },
    })
    expect(subject.platforms[0]?.layers.map(layer => layer.diffId)).toEqual(made.diffIds)
    expect(blobs.map(blob => blob.digest)).toEqual([
      made.manifestDigest,
      made.configDigest,
      ...made.layerDigests,
    ])
    expect(await hashBlobs({ dir, blobs })).toMatchObject({ objects: 4 })
  })

  test('an index of two platforms, shared blobs once', async () => {
    const made = await makeIndexLayout(dir, [{ layers }, { layers, platform: arm }])
    const { subject, blobs } = await open()
    expect(subject.digest).toBe(made.indexDigest)
    expect(subject.platforms.map(image => image.platform)).toEqual(['linux/amd64', 'linux/arm64'])
    expect(new Set(blobs.map(blob => blob.digest)).size).toBe(blobs.length)
    expect(blobs).toHaveLength(1 + 2 + 2 + 2)
  })

  test('an attestation that refers to its sibling is read but not run', async () => {
    await withAttestation({ type: 'application/vnd.in-toto+json' })
    const { subject, blobs } = await open()
    expect(subject.platforms).toHaveLength(1)
    expect(blobs.map(blob => blob.mediaType)).toContain('application/vnd.in-toto+json')
  })

  test('several tags of one digest', async () => {
    const image = await writeImage(dir, { layers })
    await writeIndex(dir, [image.descriptor, image.descriptor])
    expect((await open()).subject.digest).toBe(image.descriptor.digest)
  })

  test('no history, null fields, own media type left out, embedded data that is right', async () => {
    await hostile({
      config: config => ({ ...config, history: null, config: { Labels: null, Env: null } }),
      manifest: (manifest, layer) => ({
        ...withoutType(manifest),
        layers: [{ ...layer, data: Buffer.from('plain layer').toString('base64') }],
      }),
    })
    expect((await open()).subject.platforms[0]?.config.labels).toEqual({})
  })
})

async function withAttestation(given: { readonly type: string; readonly refers?: string }): Promise<void> {
  const image = await writeImage(dir, { layers })
  const statement = await writeBlob(dir, given.type, '{}')
  const config = await store(MEDIA.config, { os: 'unknown', architecture: 'unknown', rootfs: {} })
  const attestation = await store(MEDIA.manifest, { schemaVersion: 2, config, layers: [statement] })
  const entry = {
    ...attestation,
    platform: { os: 'unknown', architecture: 'unknown' },
    annotations: {
      'vnd.docker.reference.type': 'attestation-manifest',
      'vnd.docker.reference.digest': given.refers ?? image.descriptor.digest,
    },
  }
  const index = await store(MEDIA.index, { schemaVersion: 2, manifests: [image.descriptor, entry] })
  await writeIndex(dir, [index])
}

describe('openLayout refuses', () => {
  const cases: readonly (readonly [string, string, () => Promise<unknown>])[] = [
    ['layout-missing', 'a folder that is no layout', () => Promise.resolve()],
    [
      'blob-missing',
      'no index.json',
      async () => {
        await makeLayout(dir, { layers })
        await rm(join(dir, 'index.json'))
      },
    ],
    [
      'layout-version',
      'another layout version',
      async () => {
        await makeLayout(dir, { layers })
        await writeFile(join(dir, 'oci-layout'), '{"imageLayoutVersion":"2.0.0"}')
      },
    ],
    ['index-empty', 'an index of nothing', async () => writeEmpty([])],
    [
      'index-empty',
      'an inner index of nothing',
      async () => writeIndex(dir, [await store(MEDIA.index, { schemaVersion: 2, manifests: [] })]),
    ],
    [
      'index-many-images',
      'two images in index.json',
      async () => {
        const one = await writeImage(dir, { layers })
        const two = await writeImage(dir, { layers: [] })
        await writeIndex(dir, [one.descriptor, two.descriptor])
      },
    ],
    [
      'index-missing',
      'a manifest as index.json',
      async () => {
        await makeLayout(dir, { layers })
        await writeFile(
          join(dir, 'index.json'),
          JSON.stringify({ schemaVersion: 2, config: descriptor(), layers: [] }),
        )
      },
    ],
    [
      'index-nested',
      'an index inside an index',
      async () => {
        const { descriptor } = await writeImage(dir, { layers })
        const inner = await store(MEDIA.index, { schemaVersion: 2, manifests: [descriptor] })
        await writeIndex(dir, [await store(MEDIA.index, { schemaVersion: 2, manifests: [inner] })])
      },
    ],
    [
      'platform-duplicate',
      'two children for one platform',
      () => makeIndexLayout(dir, [{ layers }, { layers: [] }]),
    ],
    [
      'platform-duplicate',
      'one platform with and without its default variant',
      () =>
        makeIndexLayout(dir, [
          { layers, platform: arm },
          { layers, platform: { os: 'linux', architecture: 'arm64' } },
        ]),
    ],
    [
      'platform-mismatch',
      'a descriptor of another platform',
      () => hostile({ entry: () => ({ platform: arm }) }),
    ],
    [
      'platform-mismatch',
      'unknown/unknown without the annotation',
      () => hostile({ entry: () => ({ platform: { os: 'unknown', architecture: 'unknown' } }) }),
    ],
    ['attestation-disguise', 'an image dressed as attestation', () => withAttestation({ type: MEDIA.layer })],
    [
      'attestation-disguise',
      'an attestation of an image that is not here',
      () => withAttestation({ type: 'application/vnd.in-toto+json', refers: digestOf('other') }),
    ],
    ['json-key-case', 'Layers beside layers', () => hostile({ manifest: m => ({ ...m, Layers: [] }) })],
    [
      'json-duplicate-key',
      'layers twice',
      () => hostile({ manifest: m => JSON.stringify(m).replace('{', '{"layers":[],') }),
    ],
    ['json-key-case', 'Rootfs in the configuration', () => hostile({ config: c => ({ ...c, Rootfs: {} }) })],
    [
      'oci-mixed-document',
      'an image with manifests',
      () => hostile({ manifest: m => ({ ...m, manifests: [] }) }),
    ],
    [
      'oci-media-type',
      'another own media type',
      () => hostile({ manifest: m => ({ ...m, mediaType: 'application/vnd.oci.image.index.v1+json' }) }),
    ],
    ['oci-media-type', 'an image listed as an index', () => hostileAs(MEDIA.index)],
    ['manifest-media-type', 'an unknown kind of manifest', () => hostileAs('application/json')],
    [
      'oci-schema-version',
      'schema version 1',
      () => hostile({ manifest: m => ({ ...m, schemaVersion: 1 }) }),
    ],
    ['oci-shape', 'layers that are no list', () => hostile({ manifest: m => ({ ...m, layers: {} }) })],
    ['oci-shape', 'a negative size', () => hostileLayer({ size: -1 })],
    ['json-syntax', 'half a manifest', () => hostile({ manifest: m => JSON.stringify(m).slice(0, -5) })],
    [
      'descriptor-digest',
      'a digest that climbs',
      () => hostileLayer({ digest: 'sha256:../../../etc/passwd' }),
    ],
    ['descriptor-digest', 'a short digest', () => hostileLayer({ digest: 'sha256:abc' })],
    ['descriptor-digest', 'sha512', () => hostileLayer({ digest: `sha512:${'a'.repeat(128)}` })],
    ['descriptor-digest', 'upper case', () => hostileLayer({ digest: `sha256:${'A'.repeat(64)}` })],
    ['descriptor-data', 'other embedded data', () => hostileLayer({ data: 'b3RoZXI=' })],
    ['layer-foreign', 'a layer with urls', () => hostileLayer({ urls: ['https://example.test/layer'] })],
    [
      'layer-foreign',
      'a nondistributable layer',
      () => hostileLayer({ mediaType: 'application/vnd.oci.image.layer.nondistributable.v1.tar+gzip' }),
    ],
    [
      'layer-media-type',
      'a zstd layer of another family',
      () => hostileLayer({ mediaType: 'application/vnd.docker.image.rootfs.diff.tar.zstd' }),
    ],
    ['layer-media-type', 'an unknown layer', () => hostileLayer({ mediaType: 'application/octet-stream' })],
    [
      'layer-table-of-contents',
      'an eStargz layer',
      () => hostileLayer({ annotations: { 'containerd.io/snapshot/stargz/toc.digest': 'sha256:0' } }),
    ],
    [
      'config-media-type',
      'an artifact',
      () =>
        hostile({
          manifest: m => ({
            ...m,
            config: { ...descriptor(), mediaType: 'application/vnd.oci.empty.v1+json' },
          }),
        }),
    ],
    [
      'layer-count',
      'more layers than diff_ids',
      () => hostile({ manifest: (m, layer) => ({ ...m, layers: [layer, layer] }) }),
    ],
    [
      'history-count',
      'a history of another length',
      () => hostile({ config: c => ({ ...c, history: [{ created_by: 'RUN a' }, { created_by: 'RUN b' }] }) }),
    ],
    [
      'descriptor-conflict',
      'one digest with two sizes',
      () =>
        hostile({
          config: c => ({
            ...c,
            history: [],
            rootfs: { type: 'layers', diff_ids: [digestOf('a'), digestOf('b')] },
          }),
          manifest: (m, layer) => ({ ...m, layers: [layer, { ...layer, size: layer.size + 1 }] }),
        }),
    ],
    [
      'blob-symlink',
      'a manifest behind a symbolic link',
      async () => {
        const { manifestDigest } = await makeLayout(dir, { layers })
        await rename(blobPath(dir, manifestDigest), join(dir, 'elsewhere'))
        await symlink(join(dir, 'elsewhere'), blobPath(dir, manifestDigest))
      },
    ],
    [
      'blob-symlink',
      'blobs behind a symbolic link',
      async () => {
        await makeLayout(dir, { layers })
        await rename(join(dir, 'blobs'), join(dir, 'elsewhere'))
        await symlink('elsewhere', join(dir, 'blobs'))
      },
    ],
    [
      'blob-digest-mismatch',
      'a manifest with other bytes',
      async () => {
        const { manifestDigest, configDigest } = await makeLayout(dir, { layers })
        const { size } = await stat(blobPath(dir, manifestDigest))
        expect(configDigest).not.toBe(manifestDigest)
        await writeFile(blobPath(dir, manifestDigest), ' '.repeat(size))
      },
    ],
    [
      'blob-size-mismatch',
      'a configuration that grew',
      async () => {
        const { configDigest } = await makeLayout(dir, { layers })
        await writeFile(blobPath(dir, configDigest), ' ', { flag: 'a' })
      },
    ],
    ['document-too-large', 'a huge manifest', () => hostile({ entry: () => ({ size: 5 * 1024 * 1024 }) })],
  ]

  test.each(cases)('with %s: %s', async (reason, _name, prepare) => {
    await prepare()
    expect(await reasonOfAsync(open())).toBe(reason)
  })
})

const descriptor = () => ({ mediaType: MEDIA.config, digest: digestOf(''), size: 0 })

async function writeEmpty(manifests: readonly MadeDescriptor[]): Promise<void> {
  await mkdir(join(dir, 'blobs', 'sha256'), { recursive: true })
  await writeIndex(dir, manifests)
}

function hostileAs(mediaType: string): Promise<void> {
  return hostile({ manifest: withoutType, entry: () => ({ mediaType }) })
}

function hostileLayer(change: object): Promise<void> {
  return hostile({ manifest: (manifest, layer) => ({ ...manifest, layers: [{ ...layer, ...change }] }) })
}

describe('hashBlobs refuses', () => {
  test.each([
    ['blob-missing', (path: string) => rm(path)],
    ['blob-size-mismatch', (path: string) => writeFile(path, 'x', { flag: 'a' })],
    ['blob-digest-mismatch', async (path: string) => writeFile(path, Buffer.alloc((await stat(path)).size))],
    [
      'blob-symlink',
      async (path: string) => {
        await rename(path, `${path}.real`)
        await symlink(`${path}.real`, path)
      },
    ],
  ])('%s in a layer', async (reason, damage) => {
    const made = await makeLayout(dir, { layers })
    const layout = await open()
    const [layer = digestOf('')] = made.layerDigests
    await damage(blobPath(dir, layer))
    expect(await reasonOfAsync(hashBlobs(layout))).toBe(reason)
  })
})

describe('flattenPlatform', () => {
  test('writes one platform by hard links that opens as the same image', async () => {
    await makeIndexLayout(dir, [{ layers }, { layers, platform: arm }])
    const layout = await open()
    const [, image] = layout.subject.platforms
    if (image === undefined) throw new Error('two platforms are expected')
    const out = join(dir, 'flat')
    await flattenPlatform(layout, image, out)
    const flat = await openLayout(out, { name: 'flat' })
    expect(flat.subject.platforms).toEqual([image])
    expect((await stat(blobPath(out, image.configDigest))).ino).toBe(
      (await stat(blobPath(dir, image.configDigest))).ino,
    )
    await copyFile(join(dir, 'index.json'), join(out, 'extra'))
    expect(await reasonOfAsync(flattenPlatform(layout, image, out))).toBe('flatten-not-empty')
  })
})
