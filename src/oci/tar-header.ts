import { isUtf8 } from 'node:buffer'
import { GateError } from '../errors.js'

export type EntryType = 'file' | 'link' | 'symlink' | 'device' | 'directory' | 'fifo'

/** One entry of a tar as every reader must see it. `size` is that of the data which follows, bytes. */
export interface TarEntry {
  readonly path: string
  readonly type: EntryType
  readonly size: number
  /** Permission and setuid, setgid, sticky bits. */
  readonly mode: number
  readonly uid: number
  readonly gid: number
  /** Target of a link as written; for hard links normalised like `path`. '' otherwise. */
  readonly linkname: string
}

/** Fields of a 512-byte header block before extended records are applied. */
export interface RawHeader {
  readonly flag: string
  readonly name: string
  readonly linkname: string
  readonly size: number
  readonly mode: number
  readonly uid: number
  readonly gid: number
}

/** Names and sizes that extended headers (PAX `x`, GNU `L` and `K`) put in place of the header's own. */
export interface Overrides {
  readonly path?: string
  readonly linkpath?: string
  readonly size?: number
  readonly uid?: number
  readonly gid?: number
}

const TYPES: Readonly<Record<string, EntryType>> = {
  '0': 'file',
  '\0': 'file',
  '7': 'file',
  '1': 'link',
  '2': 'symlink',
  '3': 'device',
  '4': 'device',
  '5': 'directory',
  '6': 'fifo',
}
const MAX_PATH = 4096
const NO_MODE = 0o7777

/** True for a block of zero bytes. */
export function isZero(block: Uint8Array): boolean {
  return block.every(byte => byte === 0)
}

/**
 * Reads one header block (POSIX ustar, GNU, old tar). Refuses a wrong checksum, numbers that are none, and forms
 * that tar readers disagree about (star headers, names in the time fields of GNU headers, old sparse files). Numbers
 * that nobody here needs (times, devices) are checked too: archive/tar refuses a header with a broken one.
 */
export function readHeader(block: Buffer): RawHeader {
  checkSum(block)
  const flag = String.fromCharCode(block[156] ?? 0)
  const magic = block.toString('latin1', 257, 265)
  const posix = magic.startsWith('ustar\0')
  const gnu = magic === 'ustar  \0'
  if (!posix && !gnu && !isZero(block.subarray(257, 265)))
    throw malformed('tar-magic', 'an unknown kind of header')
  if (posix && block.toString('latin1', 508, 512) === 'tar\0') throw malformed('tar-star', 'a star header')
  if (flag === 'S') throw malformed('tar-sparse', 'a sparse file')
  checkTime(block.subarray(136, 148))
  if (posix || gnu) for (const at of [329, 337]) number(block.subarray(at, at + 8), 'device number')
  if (gnu) checkGnu(block)
  const prefix = posix ? text(block.subarray(345, 500)) : ''
  const name = text(block.subarray(0, 100))
  return {
    flag,
    name: prefix === '' ? name : `${prefix}/${name}`,
    linkname: text(block.subarray(157, 257)),
    size: number(block.subarray(124, 136), 'size'),
    mode: number(block.subarray(100, 108), 'mode'),
    uid: number(block.subarray(108, 116), 'uid'),
    gid: number(block.subarray(116, 124), 'gid'),
  }
}

function checkSum(block: Buffer): void {
  let sum = 8 * 0x20
  for (let at = 0; at < 512; at += 1) if (at < 148 || at >= 156) sum += block[at] ?? 0
  if (octal(block.subarray(148, 156), 'checksum') !== sum) {
    throw malformed('tar-checksum', 'a header whose checksum is wrong')
  }
}

/** In GNU headers bytes 345 to 369 are times; some readers take other content there for a name prefix. */
function checkGnu(block: Buffer): void {
  for (const at of [345, 357]) checkTime(block.subarray(at, at + 12))
  if (!isZero(block.subarray(369, 500)))
    throw malformed('tar-sparse', 'a GNU header with sparse or name fields')
}

/** A time may lie before 1970: in base-256 it is negative when the second bit is set, too. */
function checkTime(field: Buffer): void {
  const negative = ((field[0] ?? 0) & 0xc0) === 0xc0
  const opposite = (byte: number, at: number): number => byte ^ (at === 0 ? 0x7f : 0xff)
  number(negative ? Buffer.from(field.map(opposite)) : field, 'time')
}

/** Octal digits, or base-256 when the first bit is set (GNU). Empty counts as 0. */
function number(field: Buffer, what: string): number {
  const first = field[0] ?? 0
  if ((first & 0x80) === 0) return octal(field, what)
  let value = first & 0x7f
  for (const byte of field.subarray(1)) value = value * 256 + byte
  if (!Number.isSafeInteger(value)) throw malformed('tar-number', `a ${what} that is out of range`)
  return value
}

function octal(field: Buffer, what: string): number {
  const digits = field.toString('latin1').replace(/^[ \0]+|[ \0]+$/g, '')
  if (!/^[0-7]*$/.test(digits)) throw malformed('tar-number', `a ${what} that is no octal number`)
  return digits === '' ? 0 : Number.parseInt(digits, 8)
}

function text(field: Buffer): string {
  const end = field.indexOf(0)
  return decode(end === -1 ? field : field.subarray(0, end))
}

const LOOKS_ESCAPED = /\\x[89a-f][0-9a-f]/

/**
 * Bytes of a path as text. Bytes of names that are not UTF-8 become `\xNN`; in such names, and in those that look
 * like one, every backslash is doubled, so that no two names become one. Each name between slashes is taken alone: a
 * folder is called the same whatever lies in it.
 */
export function decode(bytes: Buffer): string {
  if (isUtf8(bytes)) {
    const path = bytes.toString('utf8')
    if (!LOOKS_ESCAPED.test(path)) return path
  }
  const names = bytes.toString('latin1').split('/')
  return names.map(name => decodeName(Buffer.from(name, 'latin1'))).join('/')
}

function decodeName(bytes: Buffer): string {
  if (isUtf8(bytes)) {
    const name = bytes.toString('utf8')
    return LOOKS_ESCAPED.test(name) ? name.replaceAll('\\', '\\\\') : name
  }
  const name = bytes.toString('latin1').replaceAll('\\', '\\\\')
  return name.replace(/[\x80-\xff]/g, byte => `\\x${byte.charCodeAt(0).toString(16)}`)
}

/** The entry that header and overrides describe. Refuses what readers take differently, or what leaves the root. */
export function entryOf(header: RawHeader, overrides: Overrides): TarEntry {
  const given = overrides.path ?? header.name
  const slash = given.endsWith('/')
  const type = header.flag === '\0' && slash ? 'directory' : TYPES[header.flag]
  if (type === undefined) {
    throw malformed('tar-entry-type', `an entry of unknown type ${JSON.stringify(header.flag)}`)
  }
  const size = overrides.size ?? header.size
  if (size > 0 && type !== 'file') throw malformed('tar-link-size', `data behind a ${type}: ${quoted(given)}`)
  if (slash && type !== 'directory')
    throw malformed('tar-path', `a ${type} named as a folder: ${quoted(given)}`)
  const linkname = overrides.linkpath ?? header.linkname
  const linked = type === 'link' || type === 'symlink'
  if (linkname.length > MAX_PATH)
    throw malformed('tar-path-length', `a target of ${linkname.length} characters: ${quoted(given)}`)
  if (linked && linkname === '') throw malformed('tar-link-target', `a link without target: ${quoted(given)}`)
  const path = normalPath(given)
  if (path === '' && type !== 'directory') throw malformed('tar-path', `a ${type} in place of the root`)
  return {
    path,
    type,
    size,
    mode: header.mode & NO_MODE,
    uid: overrides.uid ?? header.uid,
    gid: overrides.gid ?? header.gid,
    linkname: type === 'link' ? normalPath(linkname) : linked ? linkname : '',
  }
}

/** Path below the root, without leading `/` or `./`; '' is the root itself. Refuses `..` and over-long paths. */
function normalPath(path: string): string {
  if (path.length > MAX_PATH) throw malformed('tar-path-length', `a path of ${path.length} characters`)
  if (path.includes('\0')) throw malformed('tar-path', 'a path with a zero byte')
  const parts = path.split('/').filter(part => part !== '' && part !== '.')
  if (parts.includes('..')) throw malformed('tar-path-escape', `a path that climbs out: ${quoted(path)}`)
  return parts.join('/')
}

function quoted(path: string): string {
  return JSON.stringify(path.slice(0, 200))
}

/** GateError for a tar that readers could take differently or that is broken. */
export function malformed(reason: string, what: string): GateError {
  return new GateError('integrity', {
    reason,
    message: `the archive holds ${what}; rebuild it with a sound tool`,
  })
}
