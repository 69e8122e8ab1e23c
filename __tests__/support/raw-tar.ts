/** Fields of one hand-made tar header; what is not given is an ordinary empty file. */
export interface RawEntry {
  readonly name?: string | Buffer
  readonly flag?: string
  readonly mode?: string
  readonly size?: number
  /** The 12 bytes of the size field as they are, instead of `size` in octal. */
  readonly sizeField?: Buffer
  readonly linkname?: string
  /** 8 bytes from offset 257. Default POSIX. */
  readonly magic?: string
  readonly prefix?: string
  /** Bytes put at an offset before the checksum is made. */
  readonly patch?: readonly (readonly [number, string])[]
  readonly badChecksum?: boolean
  readonly data?: string | Buffer
}

export const POSIX = 'ustar\x0000'
export const GNU = 'ustar  \0'
export const END = Buffer.alloc(1024)

/** Header and padded data of one entry, exactly as described and however wrong. */
export function rawEntry(entry: RawEntry): Buffer {
  const data = Buffer.from(entry.data ?? '')
  const block = Buffer.alloc(512)
  const put = (at: number, text: string | Buffer): unknown => Buffer.from(text).copy(block, at)
  const octal = (value: number, width: number): string => value.toString(8).padStart(width - 1, '0')
  put(0, entry.name ?? 'file')
  put(100, entry.mode ?? '0000644')
  put(108, '0000000')
  put(116, '0000000')
  put(124, entry.sizeField ?? octal(entry.size ?? data.length, 12))
  put(136, octal(0, 12))
  put(156, entry.flag ?? '0')
  put(157, entry.linkname ?? '')
  put(257, Buffer.from(entry.magic ?? POSIX, 'latin1'))
  put(345, entry.prefix ?? '')
  for (const [at, text] of entry.patch ?? []) put(at, Buffer.from(text, 'latin1'))
  put(148, '        ')
  const sum = block.reduce((total, byte) => total + byte, entry.badChecksum === true ? 1 : 0)
  put(148, `${octal(sum, 7)}\0 `)
  return Buffer.concat([block, data, Buffer.alloc((512 - (data.length % 512)) % 512)])
}

/** One PAX record: its own length, a space, `key=value`, a newline. */
export function paxRecord(key: string, value: string): string {
  const rest = ` ${key}=${value}\n`
  let length = Buffer.byteLength(rest) + 1
  while (Buffer.byteLength(`${length}${rest}`) !== length) length += 1
  return `${length}${rest}`
}

/** One archive that tar readers could take differently. */
export interface HostileTar {
  readonly what: string
  readonly bytes: Buffer
}

export type Part = RawEntry | Buffer

export const ZERO = Buffer.alloc(512)

/** The parts one after another and the end marker. */
export function tar(...parts: readonly Part[]): Buffer {
  return Buffer.concat([open(...parts), END])
}

/** As `tar`, without an end marker. */
export function open(...parts: readonly Part[]): Buffer {
  return Buffer.concat(parts.map(part => (Buffer.isBuffer(part) ? part : rawEntry(part))))
}

/** A PAX header with these records: local (`x`) or global (`g`). Letters are bytes. */
export function pax(flag: 'x' | 'g', ...records: readonly string[]): RawEntry {
  return { flag, name: 'header', data: records.join('') }
}
