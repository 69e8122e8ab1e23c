import { createHash } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { systemErrorCode } from '../errors.js'
import { isDigest } from '../evidence/digest.js'
import { parseManifestDocument } from '../evidence/oci-documents.js'
import type { ReferencedDescriptor } from '../evidence/oci-documents.js'
import { INDEX_TYPE, MANIFEST_TYPES } from '../evidence/oci-media.js'
import { blobPath, checkLayoutFolders, readLayoutFile } from './blobs.js'

const REF_NAME = 'org.opencontainers.image.ref.name'

/**
 * Some builders name the images of several platforms in index.json itself, without an index of their own. Such a
 * layout gets one: index.json, byte for byte, becomes the index that the new index.json names, so that its digest is
 * that of the file. Only done where every entry names its platform and all have one reference name (or none): else
 * they may be different images, and `openLayout` refuses them. Returns whether the layout was changed.
 */
export async function nestFlatIndex(dir: string): Promise<boolean> {
  await checkLayoutFolders(dir)
  const bytes = await readLayoutFile(dir, 'index.json')
  const outer = parseManifestDocument(bytes, { what: 'index.json', expectedType: null })
  if (outer.kind !== 'index' || !isOneImage(outer.manifests)) return false
  const digest = `sha256:${createHash('sha256').update(bytes).digest('hex')}`
  if (!isDigest(digest)) return false
  await writeFile(blobPath(dir, digest), bytes, { flag: 'wx' }).catch(ignorePresent)
  const entry = { mediaType: INDEX_TYPE, digest, size: bytes.byteLength }
  const index = { schemaVersion: 2, mediaType: INDEX_TYPE, manifests: [entry] }
  await writeFile(join(dir, 'index.json'), JSON.stringify(index))
  return true
}

/** A file of that name is there already: `openLayout` reads and checks it like every other. */
function ignorePresent(thrown: unknown): void {
  if (systemErrorCode(thrown) !== 'EEXIST') throw thrown
}

function isOneImage(entries: readonly ReferencedDescriptor[]): boolean {
  const digests = new Set(entries.map(entry => entry.digest))
  const names = new Set(entries.map(entry => entry.annotations[REF_NAME]))
  const whole = entries.every(entry => entry.platform !== undefined && MANIFEST_TYPES.has(entry.mediaType))
  return digests.size > 1 && names.size === 1 && whole
}
