import { below, type MetadataFile } from './package-files.js'

/** Hash of a file's content as its package recorded it, in lower-case hex. */
export interface RecordedHash {
  readonly algorithm: 'md5' | 'sha1' | 'sha256'
  readonly hex: string
}

/** One regular file that a package recorded. `path` has no leading slash; links of its folders are not followed. */
export interface RecordedFile {
  readonly path: string
  readonly hash: RecordedHash
}

/** All hashes that one package recorded for its files. */
export type PackageRecord = readonly RecordedFile[]

const KINDS: readonly RegExp[] = [
  /^var\/lib\/dpkg\/(?:info|status\.d)\/[^/]+\.md5sums$/,
  /^(?:usr\/)?lib\/apk\/db\/installed$/,
  /\.dist-info\/RECORD$/,
]
const HEX_LENGTH = { md5: 32, sha1: 40, sha256: 64 } as const

/** Whether this file records hashes of a package's files. */
export function isHashRecord(path: string): boolean {
  return KINDS.some(kind => kind.test(path))
}

/**
 * The hashes that packages recorded: dpkg (MD5), apk (SHA-1, `Z:` of its installed database), Python wheels (SHA-256,
 * Python packaging, "Recording installed projects"). Lines that record no hash, or one of another kind, are left out.
 */
export function packageRecords(metadata: readonly MetadataFile[]): readonly PackageRecord[] {
  return metadata.flatMap(({ path, text }): readonly PackageRecord[] => {
    if (path.endsWith('.md5sums')) return [text.split('\n').flatMap(dpkgLine)]
    if (path.endsWith('/installed')) return text.split(/\n\n+/).map(apkBlock)
    if (!path.endsWith('/RECORD')) return []
    const folder = path.slice(0, path.lastIndexOf('/'))
    const site = folder.includes('/') ? folder.slice(0, folder.lastIndexOf('/')) : ''
    return [text.split('\n').flatMap(line => wheelLine(site, line))]
  })
}

/** `MD5  PATH`, as md5sum writes it. */
function dpkgLine(line: string): readonly RecordedFile[] {
  const match = /^([0-9a-f]{32}) [ *](.+)$/.exec(line)
  const path = match?.[2]?.replace(/^(?:\.?\/)+/, '') ?? ''
  return path === '' ? [] : [{ path, hash: { algorithm: 'md5', hex: match?.[1] ?? '' } }]
}

/** `F:` names a folder, `R:` a file in it, `Z:Q1` the SHA-1 of that file in Base64. */
function apkBlock(block: string): PackageRecord {
  const files: RecordedFile[] = []
  let folder = ''
  let file = ''
  for (const line of block.split('\n')) {
    const value = line.slice(2)
    if (line.startsWith('F:')) folder = value
    else if (line.startsWith('R:')) file = folder === '' ? value : `${folder}/${value}`
    else if (line.startsWith('Z:Q1') && file !== '') {
      files.push(...recorded(file, 'sha1', Buffer.from(value.slice(2), 'base64')))
      file = ''
    }
  }
  return files
}

/** `PATH,sha256=HASH,SIZE`; a path with a comma or a quote stands in quotes (RFC 4180). */
function wheelLine(site: string, line: string): readonly RecordedFile[] {
  const match = /^(?:"((?:[^"]|"")*)"|([^",]*)),sha256=([A-Za-z0-9_-]{43})=?,[0-9]*\r?$/.exec(line)
  if (match === null) return []
  const path = match[1]?.replaceAll('""', '"') ?? match[2] ?? ''
  const bytes = Buffer.from(match[3] ?? '', 'base64url')
  return below(site, path).flatMap(found => recorded(found, 'sha256', bytes))
}

function recorded(
  path: string,
  algorithm: RecordedHash['algorithm'],
  bytes: Buffer,
): readonly RecordedFile[] {
  const hex = bytes.toString('hex')
  return hex.length === HEX_LENGTH[algorithm] ? [{ path, hash: { algorithm, hex } }] : []
}

/** What the records of one layer say of one of its files. */
export interface FileRecord {
  readonly hashes: readonly RecordedHash[]
  /** True when this layer installed one of the packages that recorded the file. */
  readonly installed: boolean
}

/**
 * What the packages recorded in one layer say of the files that the same layer wrote, by path with links followed.
 * `find` follows links of folders and tells whether this layer wrote the file. A layer installed a package when it
 * wrote at least half of the files that the package recorded; those below usr/share, which small images leave out,
 * count only where there are no others. A line added to the record of a package further down does not do that.
 */
export function layerRecords(
  records: readonly PackageRecord[],
  find: (path: string) => { readonly path: string; readonly here: boolean } | undefined,
): ReadonlyMap<string, FileRecord> {
  const found = new Map<string, FileRecord>()
  for (const record of records) {
    const files = record.map(file => ({ ...file, at: find(file.path) }))
    const installed = isInstalled(files)
    for (const { at, hash } of files) {
      if (at?.here !== true) continue
      const before = found.get(at.path)
      found.set(at.path, {
        hashes: [...(before?.hashes ?? []), hash],
        installed: installed || before?.installed === true,
      })
    }
  }
  return found
}

function isInstalled(
  files: readonly { readonly path: string; readonly at: { readonly here: boolean } | undefined }[],
): boolean {
  const others = files.filter(file => !file.path.startsWith('usr/share/'))
  const counted = others.length > 0 ? others : files
  return counted.filter(file => file.at?.here === true).length * 2 >= counted.length
}
