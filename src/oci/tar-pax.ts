import { decode, malformed } from './tar-header.js'
import type { Overrides } from './tar-header.js'

const HARMLESS_GLOBALS: ReadonlySet<string> = new Set([
  'comment',
  'mtime',
  'atime',
  'ctime',
  'uname',
  'gname',
  'charset',
])

const SPARSE = /^(?:GNU\.sparse\.|SCHILY\.realsize$|SUN\.holesdata$)/
const TIMES: ReadonlySet<string> = new Set(['atime', 'mtime', 'ctime'])
const TEXTS: ReadonlySet<string> = new Set(['uname', 'gname'])

/**
 * Records of a PAX extended header (POSIX pax, "Extended Header"). Refuses duplicates, empty names and sizes,
 * sparse files and a header character set: readers disagree about each.
 */
export function paxOverrides(data: Buffer): Overrides {
  const records = paxRecords(data)
  for (const key of records.keys()) {
    if (SPARSE.test(key)) throw malformed('tar-sparse', 'a sparse file')
    if (key === 'hdrcharset')
      throw malformed('tar-pax-charset', 'an extended header in a character set of its own')
  }
  const path = named(records, 'path')
  const linkpath = named(records, 'linkpath')
  const size = counted(records, 'size')
  const uid = counted(records, 'uid')
  const gid = counted(records, 'gid')
  return {
    ...(path === undefined ? {} : { path }),
    ...(linkpath === undefined ? {} : { linkpath }),
    ...(size === undefined ? {} : { size }),
    ...(uid === undefined ? {} : { uid }),
    ...(gid === undefined ? {} : { gid }),
  }
}

/** Refuses a global extended header that would change names, sizes or owners of later entries: readers differ. */
export function checkGlobalPax(data: Buffer): void {
  for (const key of paxRecords(data).keys()) {
    if (!HARMLESS_GLOBALS.has(key)) throw malformed('tar-global-pax', `a global header that sets ${key}`)
  }
}

function paxRecords(data: Buffer): ReadonlyMap<string, Buffer> {
  const records = new Map<string, Buffer>()
  let at = 0
  while (at < data.length) {
    const space = data.indexOf(0x20, at)
    const digits = space === -1 ? '' : data.toString('latin1', at, space)
    const end = at + Number(digits)
    if (!/^[1-9][0-9]{0,7}$/.test(digits) || end > data.length || data[end - 1] !== 0x0a) {
      throw malformed('tar-pax-record', 'a broken extended header')
    }
    const record = data.subarray(space + 1, end - 1)
    const equals = record.indexOf(0x3d)
    if (equals <= 0) throw malformed('tar-pax-record', 'a broken extended header')
    const key = decode(record.subarray(0, equals))
    if (key.includes('\0')) throw malformed('tar-pax-record', 'an extended header with a zero byte in a name')
    checkUnused(key, record.subarray(equals + 1))
    if (records.has(key)) throw malformed('tar-pax-duplicate', `an extended header that sets ${key} twice`)
    records.set(key, record.subarray(equals + 1))
    at = end
  }
  return records
}

/** Values that nobody here needs, but that archive/tar refuses the whole entry for. An empty time is none. */
function checkUnused(key: string, value: Buffer): void {
  const wrong =
    (TEXTS.has(key) && value.includes(0)) ||
    (TIMES.has(key) && !/^(?:-?[0-9]{1,18}(?:\.[0-9]*)?)?$/.test(value.toString('latin1')))
  if (wrong) throw malformed('tar-pax-value', `an extended ${key} that is none`)
}

function named(records: ReadonlyMap<string, Buffer>, key: string): string | undefined {
  const value = records.get(key)
  if (value === undefined) return undefined
  if (value.length === 0 || value.includes(0))
    throw malformed('tar-pax-value', `an extended ${key} that is empty`)
  return decode(value)
}

function counted(records: ReadonlyMap<string, Buffer>, key: string): number | undefined {
  const value = records.get(key)?.toString('latin1')
  if (value === undefined) return undefined
  if (!/^[0-9]{1,15}$/.test(value)) throw malformed('tar-pax-value', `an extended ${key} that is no number`)
  return Number(value)
}
