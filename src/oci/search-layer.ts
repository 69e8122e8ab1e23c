import { createHash } from 'node:crypto'
import { ownershipOf, type TreeFile } from '../evidence/ownership.js'
import { type FileRecord, isHashRecord, layerRecords, packageRecords } from '../evidence/package-hashes.js'
import { isPackageMetadata, type MetadataFile, packageClaims } from '../evidence/package-files.js'
import type { NotSearched } from '../evidence/scan.js'
import { GateError } from '../errors.js'
import type { LayerDescriptor } from '../evidence/subject.js'
import type { FoundPath } from './layer-visitor.js'
import type { Spool } from './spool.js'

/** One regular file of a layer, its bytes at `at` in the spool. */
export interface SpooledFile {
  readonly path: string
  readonly at: number
  readonly size: number
}

/** One file to be searched. */
export interface FileToSearch extends SpooledFile {
  readonly binary: boolean
  readonly owner?: string
}

export interface LayerPlan {
  readonly search: readonly FileToSearch[]
  readonly leftOut: readonly { readonly path: string; readonly reason: NotSearched['reason'] }[]
}

// Shorter than anything that a rule matches.
const SHORTEST = 10
/** Largest file that is searched, in bytes. */
export const MAX_SEARCHED = 512 * 1024 * 1024
const MAX_BINARY = 64 * 1024 * 1024
const MAX_METADATA = 256 * 1024 * 1024
const HEAD = 300
const PIECE = 4 * 1024 * 1024
// gzip, xz, Zstandard, zip, 7z, bzip2: what packed data starts with.
const PACKED = ['1f8b08', 'fd377a585a00', '28b52ffd', '504b0304', '377abcaf271c', '425a68']

/**
 * Sorts the files of one layer: those to be searched, and those that need not or cannot be. A file is left out as a
 * package's own only where this very layer installed the package and wrote the file with the hash of the record. It is named as a package's where this layer's records claim it and no hash contradicts.
 */
export function planLayer(
  layer: LayerDescriptor,
  given: {
    readonly files: readonly SpooledFile[]
    readonly spool: Spool
    readonly find: (path: string) => FoundPath | undefined
  },
): LayerPlan {
  const { files, spool, find } = given
  const texts = metadataOf(files, spool)
  const records = layerRecords(packageRecords(texts), find)
  const owners = ownersOf(layer, files, { texts, find })
  const search: FileToSearch[] = []
  const leftOut: LayerPlan['leftOut'][number][] = []
  const unchanged = new Map<string, number>()
  const others = files.filter(file => {
    const record = records.get(file.path)
    if (record?.installed !== true || file.size < SHORTEST || !isRecorded(file, record, spool)) return true
    unchanged.set(file.path, file.size)
    leftOut.push({ path: file.path, reason: 'package-unchanged' })
    return false
  })
  for (const file of others) {
    if (file.size < SHORTEST) continue
    const { path } = file
    const head = spool.read(file.at, Math.min(HEAD, file.size))
    const binary = isBinary(head)
    const reason = whyNot({ ...file, head, binary }, unchanged)
    if (reason !== undefined) leftOut.push({ path, reason })
    else {
      const record = records.get(path)
      const own = record !== undefined && !isRecorded(file, record, spool)
      const owner = own ? undefined : owners[path]
      search.push({ ...file, binary, ...(owner !== undefined && { owner }) })
    }
  }
  return { search, leftOut }
}

function whyNot(
  file: SpooledFile & { readonly head: Buffer; readonly binary: boolean },
  unchanged: ReadonlyMap<string, number>,
): NotSearched['reason'] | undefined {
  if (isPacked(file.head)) return 'compressed'
  if (file.size > (file.binary ? MAX_BINARY : MAX_SEARCHED)) return 'too-large'
  return isCompiledFrom(file, unchanged) ? 'package-compiled' : undefined
}

/**
 * Whether this is what Python compiled of a file that is left out: it lies where that is put (PEP 3147) and its
 * header says the size of the source, or that the source is known by its hash (PEP 552).
 */
function isCompiledFrom(
  file: { readonly path: string; readonly head: Buffer },
  sources: ReadonlyMap<string, number>,
): boolean {
  const match = /^(.*\/)__pycache__\/([^/]+)\.cpython-[0-9]+(?:\.opt-[12])?\.pyc$/.exec(file.path)
  const size = match === null ? undefined : sources.get(`${match[1] ?? ''}${match[2] ?? ''}.py`)
  if (size === undefined || file.head.length < 16) return false
  const flags = file.head.readUInt32LE(4)
  return flags === 0 ? file.head.readUInt32LE(12) === size : flags === 1 || flags === 3
}

function metadataOf(files: readonly SpooledFile[], spool: Spool): readonly MetadataFile[] {
  const wanted = files.filter(file => isHashRecord(file.path) || isPackageMetadata(file.path))
  if (wanted.reduce((sum, file) => sum + file.size, 0) > MAX_METADATA) {
    throw new GateError('evidence', {
      reason: 'metadata-too-large',
      message: `the package metadata of one layer is larger than ${MAX_METADATA} bytes`,
    })
  }
  return wanted.map(({ path, at, size }) => ({ path, text: spool.read(at, size).toString('utf8') }))
}

function ownersOf(
  layer: LayerDescriptor,
  files: readonly SpooledFile[],
  given: {
    readonly texts: readonly MetadataFile[]
    readonly find: (path: string) => FoundPath | undefined
  },
): Readonly<Record<string, string>> {
  const facts = { executable: false, setuid: false, layer: layer.diffId, at: 0 }
  const tree = new Map(files.map(({ path, size }): [string, TreeFile] => [path, { path, size, ...facts }]))
  const resolve = (path: string): string | undefined => given.find(path)?.path
  const metadata = given.texts.filter(file => isPackageMetadata(file.path))
  const claims = packageClaims(metadata, path => tree.has(path))
  return ownershipOf({ files: tree, claims, resolve }).owners
}

function isRecorded(file: SpooledFile, record: FileRecord, spool: Spool): boolean {
  return record.hashes.some(({ algorithm, hex }) => {
    const hash = createHash(algorithm)
    for (let done = 0; done < file.size; done += PIECE) {
      hash.update(spool.read(file.at + done, Math.min(PIECE, file.size - done)))
    }
    return hash.digest('hex') === hex
  })
}

/** Whether the scanner takes a file that starts like this for a binary one (Trivy 0.74.0). */
function isBinary(head: Buffer): boolean {
  return head.some(
    byte => byte < 7 || byte === 11 || (byte > 13 && byte < 27) || (byte > 27 && byte < 32) || byte === 127,
  )
}

function isPacked(head: Buffer): boolean {
  const hex = head.toString('hex', 0, 6)
  return PACKED.some(magic => hex.startsWith(magic))
}
