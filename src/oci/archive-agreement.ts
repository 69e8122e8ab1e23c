import { createHash } from 'node:crypto'
import { posix } from 'node:path'
import { GateError } from '../errors.js'
import type { Digest } from '../evidence/digest.js'
import { parseSavedManifest } from '../evidence/docker-archive.js'
import { parseManifestDocument } from '../evidence/oci-documents.js'

/**
 * A saved image may be described twice, by `manifest.json` and by `index.json`, and engines load one or the other.
 * Refuses an archive in which the two do not lead to the configuration that was imported
 * (`archive-two-images`) or in which `index.json` names several images (`archive-many-images`).
 */
export function checkOneImage(documents: ReadonlyMap<string, Buffer>, configDigest: Digest): void {
  const saved = documents.get('manifest.json')
  if (saved !== undefined) {
    const place = posix.normalize(parseSavedManifest(saved).config).replace(/^\.?\//, '')
    if (digestOf(documents.get(place)) !== configDigest) throw twoImages('manifest.json', configDigest)
  }
  const index = documents.get('index.json')
  if (index !== undefined) checkIndex(index, documents, configDigest)
}

function checkIndex(bytes: Buffer, documents: ReadonlyMap<string, Buffer>, configDigest: Digest): void {
  const index = parseManifestDocument(bytes, { what: 'index.json of the saved image', expectedType: null })
  const listed = index.kind === 'index' ? index.manifests : []
  const digests = new Set(listed.map(descriptor => descriptor.digest))
  if (digests.size > 1) {
    const message = `index.json of the saved image names ${digests.size} images; save exactly one`
    throw new GateError('evidence', { reason: 'archive-many-images', message })
  }
  const [first] = listed
  const manifest = first && documents.get(`blobs/sha256/${first.digest.slice('sha256:'.length)}`)
  if (first === undefined || manifest === undefined || digestOf(manifest) !== first.digest) {
    throw twoImages('index.json', configDigest)
  }
  const { mediaType, digest } = first
  const document = parseManifestDocument(manifest, { what: `manifest ${digest}`, expectedType: mediaType })
  // An index was read by the strict reader before: it has one platform, with this configuration.
  if (document.kind === 'manifest' && document.config.digest !== configDigest) {
    throw twoImages('index.json', configDigest)
  }
}

function digestOf(bytes: Buffer | undefined): string {
  return bytes === undefined ? '' : `sha256:${createHash('sha256').update(bytes).digest('hex')}`
}

function twoImages(file: string, configDigest: Digest): GateError {
  const message = `${file} of the saved image does not lead to ${configDigest}, its other description does: engines would load different images. Save the image again.`
  return new GateError('integrity', { reason: 'archive-two-images', message })
}
