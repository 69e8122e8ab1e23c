import { mkdir, readdir, stat, symlink, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { describeError, GateError } from '../errors.js'
import { isDigest, type Digest } from '../evidence/digest.js'
import { parseManifestDocument } from '../evidence/oci-documents.js'
import { INDEX_TYPE } from '../evidence/oci-media.js'
import { blobPath, MAX_DOCUMENT_BYTES, readBlob, readLayoutFile } from '../oci/blobs.js'

const LAYOUT = 'oci-layout://'
const IMAGE = 'docker-image://'
const MANIFEST_TYPE = 'application/vnd.oci.image.manifest.v1+json'

/**
 * Named contexts in buildah's words. A layout is handed over as a private one that names nothing but the digest that
 * was asked for, because buildah cannot be told a digest; its blobs are links, and buildah checks each. Such places
 * are relative to `workDir`, where buildah is to be started.
 * Refuses (config) `context-unreadable`: a layout that is not there, or has not exactly one image and no digest given.
 */
export async function buildahContexts(
  contexts: Readonly<Record<string, string>>,
  workDir: string,
): Promise<Readonly<Record<string, string>>> {
  const named: [string, string][] = []
  for (const [index, [name, place]] of Object.entries(contexts).entries()) {
    named.push([name, await placeOf(name, place, { workDir, folder: `context-${index}` })])
  }
  return Object.fromEntries(named)
}

async function placeOf(
  name: string,
  place: string,
  { workDir, folder }: { readonly workDir: string; readonly folder: string },
): Promise<string> {
  if (place.startsWith(IMAGE)) return place
  if (!place.startsWith(LAYOUT)) return resolve(place)
  try {
    const [from, digest] = splitLayout(place.slice(LAYOUT.length))
    await linkLayout(from, digest ?? (await onlyDigest(from)), join(workDir, folder))
    // buildah 1.28 takes a layout for an image only in these words, and makes a name of the path: no capitals.
    return `${IMAGE}oci:${folder}`
  } catch (cause) {
    const message = `build-contexts: '${name}' cannot be read from '${place}': ${describeError(cause)}`
    throw new GateError('config', { reason: 'context-unreadable', message, cause })
  }
}

function splitLayout(text: string): readonly [string, Digest | undefined] {
  const at = text.lastIndexOf('@')
  if (at === -1) return [text, undefined]
  const digest = text.slice(at + 1)
  if (isDigest(digest)) return [text.slice(0, at), digest]
  throw new Error(`'${digest.slice(0, 100)}' is no digest sha256:…`)
}

async function onlyDigest(dir: string): Promise<Digest> {
  const bytes = await readLayoutFile(dir, 'index.json')
  const index = parseManifestDocument(bytes, { what: 'index.json', expectedType: null })
  const [only, ...more] = index.kind === 'index' ? index.manifests : []
  if (only !== undefined && more.length === 0) return only.digest
  throw new Error('it does not hold exactly one image: name one, oci-layout://DIR@sha256:…')
}

async function linkLayout(from: string, digest: Digest, dir: string): Promise<void> {
  const { size } = await stat(blobPath(from, digest))
  const bytes = await readBlob(from, { mediaType: '', digest, size }, MAX_DOCUMENT_BYTES)
  const { kind } = parseManifestDocument(bytes, { what: digest, expectedType: null })
  const blobs = join(dir, 'blobs', 'sha256')
  await mkdir(blobs, { recursive: true })
  const hex = digest.slice('sha256:'.length)
  await writeFile(join(blobs, hex), bytes)
  for (const name of await readdir(join(from, 'blobs', 'sha256'))) {
    if (name !== hex) await symlink(resolve(from, 'blobs', 'sha256', name), join(blobs, name))
  }
  const entry = { mediaType: kind === 'index' ? INDEX_TYPE : mediaTypeOf(bytes), digest, size }
  await writeFile(join(dir, 'index.json'), JSON.stringify({ schemaVersion: 2, manifests: [entry] }))
  await writeFile(join(dir, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}')
}

/** What the manifest says that it is; Docker's type must not be handed over as OCI's. */
function mediaTypeOf(bytes: Buffer): string {
  const document: unknown = JSON.parse(bytes.toString('utf8'))
  if (typeof document !== 'object' || document === null || !('mediaType' in document)) return MANIFEST_TYPE
  return typeof document.mediaType === 'string' ? document.mediaType : MANIFEST_TYPE
}
