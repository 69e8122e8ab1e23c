import type { DiffId } from '../evidence/digest.js'
import type { ImageContents, ImageUser, LayerFacts } from '../evidence/image.js'
import { isJavaArchive, packageDatabaseOf } from '../evidence/layer-names.js'
import { layerKind } from '../evidence/oci-media.js'
import { ownershipOf } from '../evidence/ownership.js'
import type { TreeFile } from '../evidence/ownership.js'
import { isPackageMetadata } from '../evidence/package-files.js'
import type { LayerDescriptor, PlatformImage } from '../evidence/subject.js'
import { GateError } from '../errors.js'
import { createTree, eachNode, findPlace, hide, hideAll, locate, put } from './file-tree.js'
import type { FileContent, Place, TreeNode } from './file-tree.js'
import { faultOfLayer } from './layer-fault.js'
import { layerStream } from './layer-stream.js'
import { bothSinks } from './layer-visitor.js'
import type { FoundPath, LayerVisitor } from './layer-visitor.js'
import { createMetadataPass, endLayer, metadataFacts, noteFile } from './metadata-pass.js'
import type { MetadataPass } from './metadata-pass.js'
import { isReleaseFile, watchSystem } from './system-files.js'
import type { SystemWatch } from './system-files.js'
import { malformed } from './tar-header.js'
import type { TarEntry } from './tar-header.js'
import { readTar } from './tar-reader.js'
import type { EntrySink } from './tar-reader.js'

/** What one pass over all layers of an image found. */
export interface LayerPass {
  readonly contents: ImageContents
}

/** Caps of the pass; beyond them it refuses, it never cuts. Bytes. */
export interface LayerLimits {
  /** Uncompressed, all layers together. Default 64 GiB. */
  readonly maxBytes?: number
  /** Text of metadata files that is kept at once. Default 192 MiB; no single file may have more than 16 MiB. */
  readonly maxMetadataBytes?: number
  /** Entries of one layer. Default 1,000,000. */
  readonly maxEntries?: number
}

interface Pass {
  readonly visitor: LayerVisitor | undefined
  readonly root: TreeNode
  readonly packages: MetadataPass
  readonly system: SystemWatch
  readonly maxMetadataBytes: number
  metadataBytes: number
  readonly packageDatabases: Set<string>
  javaArchives: number
}

const WHITEOUT = '.wh.'
const OPAQUE = '.wh..wh..opq'
const PASSWD = 'etc/passwd'
const MAX_METADATA_FILE = 16 * 1024 * 1024
const SETUID = 0o4000
const ANY_EXECUTE = 0o111

/**
 * Reads every layer of one image once, bottom up, and builds its final file tree: sizes, users, setuid files,
 * executables (any execute bit, and an ELF or `#!` start) and who owns them. Each layer must hash to its diff_id
 * and be a tar that all readers see alike. Throws GateError `integrity` or `evidence`, a reason per refusal.
 */
export async function readLayers(
  layout: { readonly dir: string },
  image: PlatformImage,
  limits: LayerLimits & { readonly visitor?: LayerVisitor } = {},
): Promise<LayerPass> {
  const pass: Pass = {
    visitor: limits.visitor,
    root: createTree(),
    packages: createMetadataPass(),
    system: watchSystem(),
    maxMetadataBytes: limits.maxMetadataBytes ?? 192 * 1024 * 1024,
    metadataBytes: 0,
    packageDatabases: new Set(),
    javaArchives: 0,
  }
  const made = image.config.history.filter(entry => !entry.emptyLayer)
  const layers: LayerFacts[] = []
  let left = limits.maxBytes ?? 64 * 1024 ** 3
  for (const [at, layer] of image.layers.entries()) {
    if (!['plain', 'gzip', 'zstd'].includes(layerKind(layer.mediaType))) {
      throw new GateError('evidence', {
        reason: 'layer-media-type',
        message: `layer ${layer.digest} cannot be read`,
      })
    }
    const { entries, uncompressedSize } = await readLayer(pass, layer, {
      ...{ dir: layout.dir, at, maxBytes: left },
      ...(limits.maxEntries === undefined ? {} : { maxEntries: limits.maxEntries }),
    })
    endLayer(pass.packages, pass.root, at)
    pass.system.afterLayer(pass.root)
    left -= uncompressedSize
    limits.visitor?.endLayer(layer, path => findWritten(pass.root, path, at))
    const { diffId, digest, size } = layer
    layers.push({ diffId, digest, size, uncompressedSize, entries, createdBy: made[at]?.createdBy ?? '' })
  }
  return { contents: contentsOf(pass, layers) }
}

/** The entries of one layer into the tree; a refusal names the layer. */
async function readLayer(
  pass: Pass,
  layer: LayerDescriptor,
  given: {
    readonly dir: string
    readonly at: number
    readonly maxBytes: number
    readonly maxEntries?: number
  },
): Promise<{ readonly entries: number; readonly uncompressedSize: number }> {
  const { dir, at, maxBytes, ...limits } = given
  try {
    const stream = layerStream(dir, layer, maxBytes)
    const entries = await readTar(stream.chunks, entry => visit(pass, entry, at), limits)
    return { entries, uncompressedSize: stream.finish() }
  } catch (thrown) {
    throw faultOfLayer(thrown, layer, at)
  }
}

function visit(pass: Pass, entry: TarEntry, layer: number): EntrySink | undefined {
  noteName(pass, entry)
  const base = entry.path.slice(entry.path.lastIndexOf('/') + 1)
  if (base.startsWith(WHITEOUT)) {
    whiteout(pass.root, entry.path, layer)
    return entry.type === 'file' ? pass.visitor?.file(entry.path, entry.size) : undefined
  }
  const place = locate(pass.root, entry.path, layer)
  if (place === null) return undefined
  dropMetadata(pass, place)
  if (entry.type === 'link') {
    linkTo(pass, entry, { place, layer })
    noteFile(pass.packages, place.path)
    return undefined
  }
  const { type, mode, linkname } = entry
  if (type !== 'file') {
    put(place, { type, mode, layer, target: type === 'symlink' ? linkname : '' })
    return undefined
  }
  noteFile(pass.packages, place.path)
  const sink = contentSink(pass, { entry, path: place.path }, content =>
    put(place, { type, mode, layer, target: '', content }),
  )
  return bothSinks(sink, pass.visitor?.file(place.path, entry.size))
}

/** By the name in the layer, links not followed: that is how scanners look at it. */
function noteName(pass: Pass, { path, type }: TarEntry): void {
  const database = packageDatabaseOf(path)
  if (database !== undefined) pass.packageDatabases.add(database)
  if (type !== 'directory' && isJavaArchive(path)) pass.javaArchives += 1
}

function findWritten(root: TreeNode, path: string, layer: number): FoundPath | undefined {
  const place = findPlace(root, path)
  const node = place?.parent.children.get(place.name)
  return place && node ? { path: place.path, here: node.layer === layer } : undefined
}

function whiteout(root: TreeNode, path: string, layer: number): void {
  const name = path.slice(path.lastIndexOf('/') + 1)
  const hidden = name.slice(WHITEOUT.length)
  if (hidden === '' || hidden === '.' || hidden === '..')
    throw malformed('layer-whiteout', 'a whiteout of nothing')
  const place = findPlace(root, path)
  if (place === null || place === undefined) return
  // Some engines follow the link and empty the folder behind it, others do not.
  if (name === OPAQUE && place.path !== path)
    throw malformed('layer-whiteout', `an opaque whiteout through a link: ${path}`)
  if (name === OPAQUE) hideAll(root, place.parent, layer)
  else if (!name.startsWith('.wh..wh.')) hide(root, place, { name: hidden, layer })
}

function linkTo(pass: Pass, entry: TarEntry, given: { readonly place: Place; readonly layer: number }): void {
  const source = findPlace(pass.root, entry.linkname)
  const node = source?.parent.children.get(source.name)
  if (node === undefined || node.type === 'directory') {
    throw malformed('layer-hard-link', `a hard link to something that is not there: ${entry.path}`)
  }
  if (`${source?.path}/`.startsWith(`${given.place.path}/`))
    throw malformed('layer-hard-link', `a hard link in place of what it leads to: ${entry.path}`)
  const { type, mode, target, content } = node
  const linkedTo = node.linkedTo ?? source?.path
  if (content?.text !== undefined) keepMetadata(pass, content.size, given.place.path)
  put(given.place, {
    ...{ type, mode, target, layer: given.layer },
    ...(content === undefined ? {} : { content }),
    ...(linkedTo === undefined ? {} : { linkedTo }),
  })
}

function contentSink(
  pass: Pass,
  file: { readonly entry: TarEntry; readonly path: string },
  done: (content: FileContent) => void,
): EntrySink {
  const { entry, path } = file
  const kept = path === PASSWD || isReleaseFile(path) || isPackageMetadata(path)
  if (kept) keepMetadata(pass, entry.size, path)
  const wanted = kept ? entry.size : Math.min(4, entry.size)
  const bytes = Buffer.alloc(wanted)
  let have = 0
  return {
    write(piece) {
      if (have < wanted) have += piece.copy(bytes, have)
    },
    end() {
      done({ size: entry.size, head: headOf(bytes), ...(kept ? { text: bytes.toString('utf8') } : {}) })
    },
  }
}

/** Counts what is kept of metadata; a hard link to it counts as much, since it outlives what it is linked to. */
function keepMetadata(pass: Pass, size: number, path: string): void {
  pass.metadataBytes += size
  if (size <= MAX_METADATA_FILE && pass.metadataBytes <= pass.maxMetadataBytes) return
  throw new GateError('evidence', {
    reason: 'metadata-too-large',
    message: `the package metadata of the image is larger than can be looked at, with ${path} of ${size} bytes`,
  })
}

/** Metadata that the next entry takes the place of is not kept any longer. */
function dropMetadata(pass: Pass, place: Place): void {
  const content = place.parent.children.get(place.name)?.content
  if (content?.text !== undefined) pass.metadataBytes -= content.size
}

function headOf(bytes: Buffer): FileContent['head'] {
  const head = bytes.toString('latin1', 0, 4)
  if (head === '\x7fELF') return 'elf'
  return head.startsWith('#!') ? 'script' : 'other'
}

function contentsOf(pass: Pass, layers: readonly LayerFacts[]): ImageContents {
  const { root, packages, system } = pass
  const files = new Map<string, TreeFile>()
  let passwd = ''
  eachNode(root, (path, node) => {
    const layer = layers[node.layer]?.diffId
    if (node.type !== 'file' || node.content === undefined || layer === undefined) return
    files.set(path, treeFile(path, node, { content: node.content, layer }))
    if (path === PASSWD) passwd = node.content.text ?? ''
  })
  const all = [...files.values()]
  const diffIds = layers.map(layer => layer.diffId)
  return {
    layers,
    files: files.size,
    executables: all.filter(file => file.executable).length,
    users: usersOf(passwd),
    setuid: all
      .filter(file => file.setuid)
      .map(file => file.path)
      .sort(),
    ...ownershipOf({ files, claims: packages.claims, resolve: path => findPlace(root, path)?.path }),
    packageDatabases: [...pass.packageDatabases].sort(),
    javaArchives: pass.javaArchives,
    ...metadataFacts(packages, root, { files, layers: diffIds }),
    system: system.facts(root, diffIds),
  }
}

function treeFile(
  path: string,
  node: TreeNode,
  given: { readonly content: FileContent; readonly layer: DiffId },
): TreeFile {
  const { content, layer } = given
  return {
    path,
    size: content.size,
    executable: (node.mode & ANY_EXECUTE) !== 0 && content.head !== 'other',
    setuid: (node.mode & SETUID) !== 0,
    layer,
    at: node.layer,
  }
}

function usersOf(passwd: string): readonly ImageUser[] {
  return passwd.split('\n').flatMap(line => {
    const [name = '', , uid = ''] = line.split(':')
    return name === '' || !/^[0-9]{1,10}$/.test(uid) ? [] : [{ name, uid: Number(uid) }]
  })
}
