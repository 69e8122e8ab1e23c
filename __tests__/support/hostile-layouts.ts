import { execFileSync } from 'node:child_process'
import { mkdir, rename, rm, symlink, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { HOSTILE_LAYERS } from './hostile-layers.js'
import { damaged, GIB, imageOf, inIndex, MIB, plain, textOf } from './hostile-making.js'
import type { Document, HostileLayout } from './hostile-making.js'
import { MEDIA, writeBlob } from './layouts.js'

const DOCUMENTS: readonly HostileLayout[] = [
  {
    what: 'a manifest of 64 MiB',
    ends: 'document-too-large',
    make: plain({ manifest: m => ({ ...m, annotations: { a: 'a'.repeat(64 * MIB) } }) }),
  },
  {
    what: 'a string of nearly 4 MiB',
    ends: 'read',
    make: plain({ manifest: m => ({ ...m, annotations: { a: 'a'.repeat(4 * MIB - 10_000) } }) }),
  },
  {
    what: 'a string of escapes of nearly 4 MiB',
    ends: 'read',
    make: plain({ manifest: m => ({ ...m, artifactType: '\u0001'.repeat(690_000) }) }),
  },
  {
    what: 'JSON a million lists deep',
    ends: 'json-too-deep',
    make: plain({
      manifest: m => textOf(m).replace('{', `{"x":${'['.repeat(1_000_000)}${']'.repeat(1_000_000)},`),
    }),
  },
  {
    what: 'a configuration of two million numbers',
    ends: 'json-too-many-values',
    make: plain({ config: c => textOf(c).replace('{', `{"x":[${'1,'.repeat(2_000_000)}1],`) }),
  },
  {
    what: '200,000 duplicate keys',
    ends: 'json-duplicate-key',
    make: plain({ manifest: m => textOf(m).replace('{', `{${'"a":1,'.repeat(200_000)}`) }),
  },
  {
    what: 'a key that differs by case',
    ends: 'json-key-case',
    make: plain({ manifest: m => ({ ...m, Layers: [] }) }),
  },
  {
    what: 'a key that differs by a Kelvin sign',
    ends: 'json-key-case',
    make: plain({ config: c => ({ ...c, rootfs: c['rootfs'], 'roOtf\u017f': {} }) }),
  },
  {
    what: 'a manifest and an index in one',
    ends: 'oci-mixed-document',
    make: plain({ manifest: m => ({ ...m, manifests: [] }) }),
  },
  {
    what: 'a history of a million steps',
    ends: 'document-too-large',
    make: plain({
      config: c => ({ ...c, history: Array.from({ length: 1_000_000 }, () => ({ empty_layer: true })) }),
    }),
  },
  {
    what: 'a layer with urls',
    ends: 'layer-foreign',
    make: plain({ manifest: m => withLayer(m, { urls: ['https://example.test/layer'] }) }),
  },
  {
    what: 'embedded data unlike the digest',
    ends: 'descriptor-data',
    make: plain({ manifest: m => withLayer(m, { data: 'b3RoZXI=' }) }),
  },
  {
    what: 'a layer of another size',
    ends: 'blob-size-mismatch',
    make: plain({ manifest: m => withLayer(m, { size: 12 }) }),
  },
  {
    what: 'a table of contents',
    ends: 'layer-table-of-contents',
    make: plain({
      manifest: m =>
        withLayer(m, { annotations: { 'io.github.containers.zstd-chunked.manifest-checksum': 'x' } }),
    }),
  },
  {
    what: 'an index with 10,000 children',
    ends: 'oci-shape',
    make: inIndex(image => Promise.resolve(Array.from({ length: 10_000 }, () => image))),
  },
  {
    what: 'an index with 500 children',
    ends: 'index-too-many',
    make: inIndex(image => Promise.resolve(Array.from({ length: 500 }, () => image))),
  },
  {
    what: 'an index in an index',
    ends: 'index-nested',
    make: inIndex(async (image, dir) => [
      await writeBlob(dir, MEDIA.index, JSON.stringify({ schemaVersion: 2, manifests: [image] })),
    ]),
  },
  {
    what: 'two children for one platform',
    ends: 'platform-duplicate',
    make: inIndex(async (image, dir) => [
      image,
      await imageOf(dir, [], { config: c => ({ ...c, author: 'x' }) }),
    ]),
  },
  {
    what: 'a child listed for another platform',
    ends: 'platform-mismatch',
    make: inIndex(image => Promise.resolve([{ ...image, platform: { os: 'linux', architecture: 'arm64' } }])),
  },
  {
    what: 'a child that is marked as an attestation',
    ends: 'attestation-disguise',
    make: inIndex(async (image, dir) => [
      image,
      {
        ...(await imageOf(dir, [], { config: c => ({ ...c, author: 'x' }) })),
        platform: { os: 'unknown', architecture: 'unknown' },
        annotations: {
          'vnd.docker.reference.type': 'attestation-manifest',
          'vnd.docker.reference.digest': image.digest,
        },
      },
    ]),
  },
]

function withLayer(manifest: Document, change: Document): Document {
  const layers: unknown = manifest['layers']
  return {
    ...manifest,
    layers: Array.isArray(layers) ? layers.map((one: object) => ({ ...one, ...change })) : [],
  }
}

const FILES: readonly HostileLayout[] = [
  {
    what: 'a blob behind a symbolic link',
    ends: 'blob-symlink',
    make: damaged(async (_dir, layer) => {
      await rename(layer, `${layer}.real`)
      await symlink(`${layer}.real`, layer)
    }),
  },
  {
    what: 'a named pipe as blob',
    ends: 'blob-symlink',
    make: damaged(async (_dir, layer) => {
      await rm(layer)
      execFileSync('mkfifo', [layer])
    }),
  },
  {
    what: 'a folder as blob',
    ends: 'blob-symlink',
    make: damaged(async (_dir, layer) => {
      await rm(layer)
      await mkdir(layer)
    }),
  },
  { what: 'a blob that is not there', ends: 'blob-missing', make: damaged((_dir, layer) => rm(layer)) },
  {
    what: 'a blob that grew to 100 GB of holes',
    ends: 'blob-size-mismatch',
    make: damaged((_dir, layer) => truncate(layer, 100 * GIB)),
  },
  {
    what: 'an index.json of 100 GB of holes',
    ends: 'document-too-large',
    make: damaged(dir => truncate(join(dir, 'index.json'), 100 * GIB)),
  },
  {
    what: 'index.json as a named pipe',
    ends: 'blob-symlink',
    make: damaged(async dir => {
      await rm(join(dir, 'index.json'))
      execFileSync('mkfifo', [join(dir, 'index.json')])
    }),
  },
  {
    what: 'an oci-layout that is no JSON',
    ends: 'json-syntax',
    make: damaged(dir => writeFile(join(dir, 'oci-layout'), '\0'.repeat(100))),
  },
]

/** Every hostile layout. */
export function hostileLayouts(): readonly HostileLayout[] {
  return [...DOCUMENTS, ...FILES, ...HOSTILE_LAYERS]
}
