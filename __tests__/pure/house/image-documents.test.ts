import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

const SRC = join(import.meta.dirname, '../../../src')

/** Shapes of the documents of an image: index, manifest, configuration (OCI image specification). */
const SHAPE = /\b(?:manifests|layers|rootfs|diff_ids|fsLayers)\b['"]?: *(?:z\b|list\()/

/**
 * Files that may describe such a shape beside the one strict reader, and why no image is judged by what they read:
 * two readers of one document could see two images.
 */
const OTHERS: Readonly<Record<string, string>> = {
  'registry/referrers.ts': 'a list of referrers: each bundle behind it is verified by itself',
  'registry/bundles.ts': 'the manifest of a referrer, by its digest; the bundle in it is verified by itself',
  'oci/derive.ts': 'a configuration that was read strictly, written again with layers of ours for a scanner',
  'build/buildah-result.ts':
    'what the engine says of its image, compared with the layout that is read strictly',
  'evidence/image.ts': 'our own evidence',
  'record/evidence-schema.ts': 'our own evidence, read back',
  'record/image-schema.ts': 'our own record, read back',
}

function sources(folder: string): readonly string[] {
  return readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter(entry => entry.isFile() && entry.name.endsWith('.ts'))
    .map(entry => join(entry.parentPath, entry.name).slice(SRC.length + 1))
}

test('manifests, indexes and configurations of images are read in one place', () => {
  const readers = sources(SRC).filter(file => SHAPE.test(readFileSync(join(SRC, file), 'utf8')))
  expect(readers).toContain('evidence/oci-documents.ts')
  const strange = readers.filter(file => file !== 'evidence/oci-documents.ts' && OTHERS[file] === undefined)
  expect(strange).toEqual([])
})

test('what is strict about that place: no other file parses JSON of a blob', () => {
  const readers = sources(SRC).filter(file =>
    /JSON\.parse\([^)]*(?:readBlob|readLayoutFile|index\.json)/.test(readFileSync(join(SRC, file), 'utf8')),
  )
  expect(readers).toEqual([])
})
