import { createHash, randomBytes } from 'node:crypto'
import { mkdir, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { configParts, manifestParts } from '../evidence/config-parts.js'
import type { DiffId, Digest } from '../evidence/digest.js'
import { NOT_SEARCHED, type NotSearched } from '../evidence/scan.js'
import type { Searched } from '../evidence/secret-report.js'
import type { Descriptor, LayerDescriptor, PlatformImage } from '../evidence/subject.js'
import { blobPath, MAX_DOCUMENT_BYTES, readBlob } from './blobs.js'
import { writeLayoutFiles } from './flatten.js'
import type { FoundPath, LayerVisitor } from './layer-visitor.js'
import { type FileToSearch, MAX_SEARCHED, planLayer, type SpooledFile } from './search-layer.js'
import { addEntry, endTar } from './search-tar.js'
import { createSpool, type Spool } from './spool.js'

/** A one-image layout that holds what is to be searched for secrets, and nothing else, under neutral names. */
export interface SearchLayout {
  readonly imageId: Digest
  readonly diffIds: readonly DiffId[]
  readonly index: ReadonlyMap<string, Searched>
  /** Files of the image that are searched, over all layers. */
  readonly searched: number
  readonly notSearched: readonly NotSearched[]
}

export interface SearchWriter {
  readonly visitor: LayerVisitor
  /** To be called when the pass over the layers has ended well. */
  readonly finish: () => Promise<SearchLayout>
  /** Closes what is open and removes what is on disk but the layout. */
  readonly close: () => Promise<void>
}

const CONFIG = 'application/vnd.oci.image.config.v1+json'
const MANIFEST = 'application/vnd.oci.image.manifest.v1+json'
const LAYER = 'application/vnd.oci.image.layer.v1.tar'
const PIECE = 4 * 1024 * 1024
// Longer than any secret that the scanner finds across the edge of what it reads at once.
const OVERLAP = 16 * 1024
const EXAMPLES = 20
// Some rules of the scanner apply to files of these names only.
const NAME_MATTERS = /(?:^|\/)(settings(?:-security)?\.xml)$/i

/** What is known while the layers are read. */
interface Work {
  readonly dir: string
  readonly index: Map<string, Searched>
  readonly leftOut: Map<NotSearched['reason'], { files: number; examples: string[] }>
  readonly layers: Descriptor[]
  readonly spool: Spool
  files: SpooledFile[]
  searched: number
}

/**
 * Writes into the folder `outDir` (made here) a layout for the secret scan: for each layer of the image one layer
 * with the files that no package explains, and one with the texts of the configuration. The names tell the scanner
 * nothing, so that none of its rules about paths applies; a name that ends in `.pyc` is searched even when the content
 * is binary. Every layer ends with a secret of ours, made afresh, that the scanner must report. `spoolPath` is a file
 * beside it that holds the content of one layer at a time.
 */
export async function createSearchWriter(
  layout: { readonly dir: string },
  image: PlatformImage,
  given: { readonly outDir: string; readonly spoolPath: string },
): Promise<SearchWriter> {
  await mkdir(join(given.outDir, 'blobs', 'sha256'), { recursive: true })
  const spool = createSpool(given.spoolPath)
  const work: Work = {
    ...{ dir: given.outDir, index: new Map(), leftOut: new Map(), layers: [], spool },
    ...{ files: [], searched: 0 },
  }
  const pending: { readonly path: string; readonly layer: Descriptor }[] = []
  return {
    visitor: visitorOf(work, pending),
    finish: () => finish(work, { layout, image, pending }),
    async close() {
      spool.close()
      await rm(given.spoolPath, { force: true })
    },
  }
}

type Pending = { readonly path: string; readonly layer: Descriptor }[]

function visitorOf(work: Work, pending: Pending): LayerVisitor {
  const { spool } = work
  return {
    file(path, size) {
      if (size > MAX_SEARCHED) {
        noteLeftOut(work, path, 'too-large')
        return undefined
      }
      const at = spool.size()
      return {
        write: piece => spool.append(piece),
        end: () => void work.files.push({ path, at, size }),
      }
    },
    endLayer(layer, find) {
      pending.push(writeLayer(work, layer, find))
      spool.clear()
      work.files = []
    },
  }
}

function writeLayer(
  work: Work,
  layer: LayerDescriptor,
  find: (path: string) => FoundPath | undefined,
): Pending[number] {
  const { search, leftOut } = planLayer(layer, { files: work.files, spool: work.spool, find })
  for (const { path, reason } of leftOut) noteLeftOut(work, path, reason)
  return writeTar(work, tar => {
    for (const file of search) addFile(work, tar, { file, layer: layer.diffId })
    work.searched += search.length
    plantCanary(work, tar, '')
  })
}

function noteLeftOut(work: Work, path: string, reason: NotSearched['reason']): void {
  const noted = work.leftOut.get(reason) ?? { files: 0, examples: [] }
  noted.files += 1
  if (noted.examples.length < EXAMPLES) noted.examples.push(path)
  work.leftOut.set(reason, noted)
}

/** Adds one file, a large one in pieces that overlap, so that nothing is held in memory as a whole. */
function addFile(
  work: Work,
  tar: Spool,
  given: { readonly file: FileToSearch; readonly layer: DiffId },
): void {
  const { path, at, size, binary, owner } = given.file
  const named = binary ? undefined : NAME_MATTERS.exec(path)?.[1]
  let lines = 0
  for (let start = 0; start === 0 || start + OVERLAP < size; start += PIECE) {
    const content = work.spool.read(at + start, Math.min(PIECE + OVERLAP, size - start))
    const name = nextName(work, named)
    work.index.set(name, {
      ...{ kind: 'file', path, layer: given.layer, binary, lines, bytes: start },
      ...(owner !== undefined && { owner }),
    })
    addEntry(tar, name, content)
    if (start + PIECE < size) lines += countLines(content.subarray(0, PIECE))
  }
}

function countLines(bytes: Buffer): number {
  let lines = 0
  for (let at = bytes.indexOf(10); at !== -1; at = bytes.indexOf(10, at + 1)) lines += 1
  return lines
}

function nextName(work: Work, named?: string): string {
  const number = work.index.size.toString(36)
  return named === undefined ? `${number}.pyc` : `${number}/${named}`
}

/** A secret in the form of a token, valid nowhere; `before` makes the file a text or a binary one. */
function plantCanary(work: Work, tar: Spool, before: string): void {
  const name = nextName(work)
  work.index.set(name, { kind: 'canary' })
  const token = ['ghp', randomBytes(18).toString('hex')].join('_')
  addEntry(tar, name, Buffer.from(`${before}token = ${token}\n`, 'latin1'))
}

function writeTar(work: Work, fill: (tar: Spool) => void): Pending[number] {
  const path = join(work.dir, `layer-${work.index.size}.tar`)
  const tar = createSpool(path, true)
  try {
    fill(tar)
    endTar(tar)
    const digest: Digest = `sha256:${tar.digest()}`
    return { path, layer: { mediaType: LAYER, digest, size: tar.size() } }
  } finally {
    tar.close()
  }
}

async function finish(
  work: Work,
  given: {
    readonly layout: { readonly dir: string }
    readonly image: PlatformImage
    readonly pending: Pending
  },
): Promise<SearchLayout> {
  const { layout, image, pending } = given
  const asked = { mediaType: '', digest: image.configDigest, size: image.configSize }
  const config = await readBlob(layout.dir, asked, MAX_DOCUMENT_BYTES)
  const manifest = await readBlob(layout.dir, image.manifest, MAX_DOCUMENT_BYTES)
  const parts = [...configParts(config.toString('utf8')), ...manifestParts(manifest.toString('utf8'))]
  const own = writeTar(work, tar => {
    for (const part of parts) {
      const name = nextName(work)
      work.index.set(name, { kind: 'part', part })
      addEntry(tar, name, Buffer.from(part.text))
    }
    plantCanary(work, tar, '')
    plantCanary(work, tar, '\0\x01\x02binary\0')
  })
  const layers = [...pending, own]
  for (const { path, layer } of layers) await rename(path, blobPath(work.dir, layer.digest))
  const diffIds = layers.map(one => one.layer.digest)
  const imageId = await writeDocuments(
    work.dir,
    image.platform,
    layers.map(one => one.layer),
  )
  return { imageId, diffIds, index: work.index, searched: work.searched, notSearched: notSearched(work) }
}

function notSearched(work: Work): readonly NotSearched[] {
  return NOT_SEARCHED.flatMap(reason => {
    const noted = work.leftOut.get(reason)
    return noted === undefined ? [] : [{ reason, ...noted }]
  })
}

/** No history: the scanner guesses base layers from it and does not search those. */
async function writeDocuments(dir: string, platform: string, layers: readonly Descriptor[]): Promise<Digest> {
  const [os = '', architecture = ''] = platform.split('/')
  const rootfs = { type: 'layers', diff_ids: layers.map(layer => layer.digest) }
  const config = await writeDocument(dir, CONFIG, { architecture, os, config: {}, rootfs })
  const manifest = await writeDocument(dir, MANIFEST, {
    schemaVersion: 2,
    mediaType: MANIFEST,
    config,
    layers,
  })
  await writeLayoutFiles(dir, manifest, platform)
  return config.digest
}

async function writeDocument(dir: string, mediaType: string, content: object): Promise<Descriptor> {
  const bytes = Buffer.from(JSON.stringify(content))
  const digest: Digest = `sha256:${createHash('sha256').update(bytes).digest('hex')}`
  await writeFile(blobPath(dir, digest), bytes)
  return { mediaType, digest, size: bytes.length }
}
