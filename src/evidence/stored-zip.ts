const LOCAL = 0x04034b50
const CENTRAL = 0x02014b50
const END = 0x06054b50
// 1980-01-01, the first day that a zip archive can name.
const DOS_DATE = 0x21

/**
 * A zip archive with these files, none of them compressed (PKWARE APPNOTE 6.3, 4.3). The same files give the same
 * bytes. Names are ASCII.
 */
export function storedZip(files: readonly { readonly path: string; readonly content: string }[]): Buffer {
  const parts: Buffer[] = []
  const directory: Buffer[] = []
  let offset = 0
  for (const { path, content } of files) {
    const name = Buffer.from(path, 'ascii')
    const body = Buffer.from(content, 'utf8')
    const shared = sharedFields(body, name)
    const local = Buffer.concat([number(LOCAL, 4), shared, number(0, 2), name, body])
    directory.push(
      Buffer.concat([
        ...[number(CENTRAL, 4), number(10, 2), shared, number(0, 2)],
        ...[number(0, 2), number(0, 2), number(0, 2), number(0, 4), number(offset, 4), name],
      ]),
    )
    parts.push(local)
    offset += local.length
  }
  const listed = Buffer.concat(directory)
  const counts = [number(files.length, 2), number(files.length, 2)]
  const end = [number(END, 4), number(0, 2), number(0, 2), ...counts]
  return Buffer.concat([...parts, listed, ...end, number(listed.length, 4), number(offset, 4), number(0, 2)])
}

/** From "version needed" to "file name length": the fields that both headers of a file have in one order. */
function sharedFields(body: Buffer, name: Buffer): Buffer {
  const sizes = [number(crc32(body), 4), number(body.length, 4), number(body.length, 4)]
  const head = [number(10, 2), number(0, 2), number(0, 2), number(0, 2), number(DOS_DATE, 2)]
  return Buffer.concat([...head, ...sizes, number(name.length, 2)])
}

function number(value: number, bytes: 2 | 4): Buffer {
  const out = Buffer.alloc(bytes)
  if (bytes === 2) out.writeUInt16LE(value)
  else out.writeUInt32LE(value)
  return out
}

/** CRC-32 as zip uses it (ISO 3309, reflected, polynomial 0xEDB88320). */
function crc32(bytes: Buffer): number {
  let crc = 0xffffffff
  for (const byte of bytes) {
    crc ^= byte
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0)
  }
  return (crc ^ 0xffffffff) >>> 0
}
