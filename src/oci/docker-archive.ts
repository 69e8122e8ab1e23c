import { createHash } from 'node:crypto'
import { mkdir, readdir, rm, writeFile } from 'node:fs/promises'
import { join, posix } from 'node:path'
import type { Readable } from 'node:stream'
import { GateError } from '../errors.js'
import { isDigest } from '../evidence/digest.js'
import type { Digest } from '../evidence/digest.js'
import { parseSavedManifest } from '../evidence/docker-archive.js'
import { parseImageConfig, parseManifestDocument } from '../evidence/oci-documents.js'
import type { ReferencedDescriptor } from '../evidence/oci-documents.js'
import { platformName } from '../evidence/oci-image.js'
import { checkOneImage } from './archive-agreement.js'
import { blobSink, storeBytes, unpackBlob } from './archive-blobs.js'
import type { StoredBlob } from './archive-blobs.js'
import { blobPath } from './blobs.js'
import { writeLayoutFiles } from './flatten.js'
import { openLayout } from './reader.js'
import type { TarEntry } from './tar-header.js'
import { readTar } from './tar-reader.js'
import type { EntrySink } from './tar-reader.js'

export interface ArchiveImport {
  /** A fresh folder for the layout; temporary files lie in it, too. */
  readonly outDir: string
  readonly gzipLevel: number
  /**
   * The engine's image id: must be the config digest, or the manifest digest of a containerd store. Without it
   * all descriptions in the archive must lead to one image.
   */
  readonly imageId?: Digest
}

export interface ImportedImage {
  readonly configDigest: Digest
  readonly manifestDigest: Digest
  /** Which of the two the engine calls its image id. */
  readonly store: 'classic' | 'containerd'
}

/** All that was in the archive: small documents in memory, everything else as blobs. */
interface Intake {
  readonly request: ArchiveImport
  readonly seen: Set<string>
  readonly documents: Map<string, Buffer>
  readonly blobs: Map<string, StoredBlob>
  readonly links: Map<string, string>
  count: number
}

const MAX_DOCUMENT = 4 * 1024 * 1024
const BLOB = /^blobs\/sha256\/([0-9a-f]{64})$/
const MANIFEST_TYPE = 'application/vnd.oci.image.manifest.v1+json'
const CONFIG_TYPE = 'application/vnd.oci.image.config.v1+json'
const LAYER_TYPE = 'application/vnd.oci.image.layer.v1.tar+gzip'

/**
 * Turns the stream of `docker save` into an OCI layout without holding it: layers are hashed and gzipped while
 * they arrive and must equal the diff_ids of the configuration, whose bytes are kept, so that its digest stays the
 * engine's image id. An archive of a containerd store is an OCI layout already and is kept as it is. Throws
 * GateError `integrity` or `evidence` with a reason of its own for each refusal; nothing is then usable, and the rest
 * of the stream is read away so that its writer can end.
 */
export async function importDockerArchive(tar: Readable, request: ArchiveImport): Promise<ImportedImage> {
  const { outDir } = request
  await mkdir(join(outDir, 'blobs', 'sha256'), { recursive: true })
  if ((await readdir(outDir)).length !== 1) throw refuse('archive-not-empty', `${outDir} is not empty`)
  const intake: Intake = {
    request,
    seen: new Set(),
    documents: new Map(),
    blobs: new Map(),
    links: new Map(),
    count: 0,
  }
  try {
    const chunks = tar.iterator({ destroyOnReturn: false })
    await readTar(chunks, entry => take(intake, entry), { maxEntries: 10_000 })
  } catch (error) {
    tar.resume()
    throw error
  }
  const kept = keptDescriptor(intake)
  const imported = kept === undefined ? await convert(intake) : await keepLayout(intake, kept)
  if (request.imageId === undefined) checkOneImage(intake.documents, imported.configDigest)
  return imported
}

function take(intake: Intake, entry: TarEntry): EntrySink | undefined {
  const { path, type } = entry
  if (type === 'directory') return undefined
  if (intake.seen.has(path)) throw refuse('archive-duplicate', `the saved image holds ${path} twice`)
  intake.seen.add(path)
  if (type === 'symlink') {
    intake.links.set(path, posix.normalize(posix.join(posix.dirname(path), entry.linkname)))
    return undefined
  }
  if (type !== 'file') throw refuse('archive-entry', `the saved image holds a ${type}: ${path}`)
  return fileSink(intake, entry)
}

/** Looks at the first bytes: documents are kept in memory, gzip as it is, all else is a plain layer. */
function fileSink(intake: Intake, { path, size }: TarEntry): EntrySink {
  let sink: EntrySink | undefined
  const wanted = BLOB.exec(path)?.[1]
  const small = size <= MAX_DOCUMENT && !path.endsWith('/layer.tar')
  const pieces: Buffer[] = []
  return {
    async write(piece) {
      if (sink === undefined && pieces.length === 0 && !(small && startsDocument(piece, path))) {
        sink = streamSink(intake, { path, wanted, gzip: piece[0] === 0x1f && piece[1] === 0x8b })
      }
      if (sink === undefined) pieces.push(Buffer.from(piece))
      else await sink.write(piece)
    },
    async end() {
      if (sink !== undefined) return sink.end()
      const bytes = Buffer.concat(pieces)
      checkName(wanted, sha256(bytes))
      intake.documents.set(path, bytes)
    },
  }
}

function startsDocument(piece: Buffer, path: string): boolean {
  return piece[0] === 0x7b || piece[0] === 0x5b || !BLOB.test(path)
}

function streamSink(
  intake: Intake,
  file: { readonly path: string; readonly wanted: string | undefined; readonly gzip: boolean },
): EntrySink {
  return blobSink(target(intake, file.gzip ? 'gzip' : 'plain'), blob => {
    checkName(file.wanted, blob.original)
    intake.blobs.set(file.path, blob)
  })
}

function target(intake: Intake, kind: 'plain' | 'gzip'): Parameters<typeof blobSink>[0] {
  intake.count += 1
  const { outDir, gzipLevel } = intake.request
  return { outDir, gzipLevel, number: intake.count, kind }
}

function checkName(wanted: string | undefined, digest: Digest): void {
  if (wanted === undefined || digest === `sha256:${wanted}`) return
  throw new GateError('integrity', {
    reason: 'archive-blob-digest',
    message: `blob ${wanted} of the saved image holds other bytes (${digest})`,
  })
}

/** The image of an archive that is to be kept byte by byte; undefined when it has to be converted. */
function keptDescriptor(intake: Intake): ReferencedDescriptor | undefined {
  const bytes = intake.documents.get('index.json')
  if (bytes === undefined) return undefined
  const index = parseManifestDocument(bytes, { what: 'index.json of the saved image', expectedType: null })
  const [first] = index.kind === 'index' ? index.manifests : []
  if (first === undefined) return undefined
  if (intake.request.imageId !== undefined) {
    return intake.request.imageId === first.digest ? first : undefined
  }
  return [...intake.blobs.values()].some(blob => blob.kind === 'plain') ? undefined : first
}

async function keepLayout(intake: Intake, image: ReferencedDescriptor): Promise<ImportedImage> {
  const { outDir } = intake.request
  for (const [path, blob] of intake.blobs) {
    if (blob.kind !== 'plain') continue
    const unpacked = await unpackBlob(outDir, blob)
    if (unpacked.digest !== blob.original)
      throw refuse('archive-blob-digest', `${path} changed while unpacking`)
    await rm(blobPath(outDir, blob.digest), { force: true })
  }
  for (const [path, bytes] of intake.documents) {
    if (BLOB.test(path)) await writeFile(blobPath(outDir, sha256(bytes)), bytes)
  }
  const { mediaType, digest, size } = image
  await writeFile(
    join(outDir, 'index.json'),
    JSON.stringify({ schemaVersion: 2, manifests: [{ mediaType, digest, size }] }),
  )
  await writeFile(join(outDir, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}')
  const { subject } = await openLayout(outDir, { name: 'saved' })
  const [platform] = subject.platforms
  if (platform === undefined || subject.platforms.length > 1) {
    throw refuse('archive-many-images', 'the saved image holds several platforms; build one')
  }
  return { configDigest: platform.configDigest, manifestDigest: subject.digest, store: 'containerd' }
}

async function convert(intake: Intake): Promise<ImportedImage> {
  const { request, documents } = intake
  const manifest = documents.get('manifest.json')
  if (manifest === undefined) throw refuse('archive-no-manifest', 'the saved image has no manifest.json')
  const saved = parseSavedManifest(manifest)
  const config = documents.get(inside(saved.config))
  if (config === undefined) throw refuse('archive-missing', `the saved image lacks ${saved.config}`)
  const configDigest = sha256(config)
  if (!saved.config.includes(configDigest.slice('sha256:'.length))) {
    throw refuse('archive-config-digest', `${saved.config} of the saved image is ${configDigest}`)
  }
  if (request.imageId !== undefined && request.imageId !== configDigest) {
    throw refuse('archive-image-id', `the engine names ${request.imageId} but saved ${configDigest}`)
  }
  const facts = parseImageConfig(config, 'configuration of the saved image')
  const layers = await layersOf(intake, saved.layers, facts.diffIds)
  const configBlob = { mediaType: CONFIG_TYPE, digest: configDigest, size: config.length }
  const bytes = Buffer.from(
    JSON.stringify({ schemaVersion: 2, mediaType: MANIFEST_TYPE, config: configBlob, layers }),
  )
  const digest = sha256(bytes)
  await writeFile(blobPath(request.outDir, configDigest), config)
  await writeFile(blobPath(request.outDir, digest), bytes)
  const descriptor = { mediaType: MANIFEST_TYPE, digest, size: bytes.length }
  await writeLayoutFiles(request.outDir, descriptor, platformName(facts.platform))
  return { configDigest, manifestDigest: digest, store: 'classic' }
}

async function layersOf(
  intake: Intake,
  paths: readonly string[],
  diffIds: readonly Digest[],
): Promise<readonly { readonly mediaType: string; readonly digest: Digest; readonly size: number }[]> {
  if (paths.length !== diffIds.length) {
    throw refuse('archive-layer-count', `the saved image has ${paths.length} layers, not ${diffIds.length}`)
  }
  const layers = []
  for (const [at, path] of paths.entries()) {
    const { digest, size, original, kind } = await layerAt(intake, path)
    if (kind === 'gzip') throw refuse('archive-compressed', `layer ${path} of the saved image is compressed`)
    if (original !== diffIds[at]) {
      throw refuse(
        'archive-diff-id',
        `layer ${path} of the saved image is ${original}, not ${String(diffIds[at])}`,
      )
    }
    layers.push({ mediaType: LAYER_TYPE, digest, size })
  }
  return layers
}

/** Equal layers are saved once; the others are symbolic links to it. */
async function layerAt(intake: Intake, path: string): Promise<StoredBlob> {
  const plain = inside(path)
  const place = intake.links.get(plain) ?? plain
  const known = intake.blobs.get(place)
  if (known !== undefined) return known
  const bytes = intake.documents.get(place)
  if (bytes === undefined) throw refuse('archive-missing', `the saved image lacks ${path}`)
  const blob = await storeBytes(target(intake, 'plain'), bytes)
  intake.blobs.set(place, blob)
  return blob
}

function inside(path: string): string {
  return posix.normalize(path).replace(/^\.?\//, '')
}

function sha256(bytes: Buffer): Digest {
  const digest = `sha256:${createHash('sha256').update(bytes).digest('hex')}`
  if (!isDigest(digest)) throw new Error('SHA-256 always has 64 hex digits')
  return digest
}

function refuse(reason: string, message: string): GateError {
  return new GateError('integrity', { reason, message: `${message}; save the image again` })
}
