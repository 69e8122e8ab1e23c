import { Readable } from 'node:stream'
import { readTar } from '../../../src/oci/tar-reader.js'
import type { TarEntry } from '../../../src/oci/tar-header.js'
import { tarOf } from '../../support/layouts.js'
import { END, GNU, paxRecord, rawEntry } from '../../support/raw-tar.js'
import type { RawEntry } from '../../support/raw-tar.js'
import { reasonOfAsync } from '../../support/reasons.js'

/** Reads a tar handed over in pieces of this many bytes. */
async function read(tar: Buffer, piece = 700): Promise<readonly (TarEntry & { readonly data: string })[]> {
  const pieces: Buffer[] = []
  for (let at = 0; at < tar.length; at += piece) pieces.push(tar.subarray(at, at + piece))
  const entries: (TarEntry & { data: string })[] = []
  await readTar(Readable.from(pieces), entry => {
    const seen = { ...entry, data: '' }
    entries.push(seen)
    return { write: bytes => void (seen.data += bytes.toString('latin1')), end: () => undefined }
  })
  return entries
}

const tar = (...entries: readonly (RawEntry | Buffer)[]): Buffer =>
  Buffer.concat([...entries.map(entry => (Buffer.isBuffer(entry) ? entry : rawEntry(entry))), END])
const pax = (flag: string, ...records: readonly string[]): RawEntry => ({
  flag,
  name: 'header',
  data: records.join(''),
})

function checksumBase256(entry: Buffer): Buffer {
  const sum = Number.parseInt(entry.toString('latin1', 148, 154), 8)
  entry.fill(0, 148, 156).writeUInt32BE(sum, 152)
  return entry.fill(0x80, 148, 149)
}

describe('readTar', () => {
  test.each([1, 511, 512, 513, 100_000])('reads what was packed, in pieces of %d bytes', async piece => {
    const long = `${'d/'.repeat(80)}file`
    const bytes = await tarOf([
      { path: 'etc/', type: 'directory' },
      { path: 'etc/name', content: 'x'.repeat(1500), mode: 0o4755, uid: 7, gid: 8 },
      { path: long, content: 'deep' },
      { path: 'straße', content: '' },
      { path: 'link', type: 'symlink', linkname: '../etc/name' },
      { path: 'hard', type: 'link', linkname: './etc/name' },
    ])
    expect(await read(bytes, piece)).toMatchObject([
      { path: 'etc', type: 'directory' },
      { path: 'etc/name', type: 'file', mode: 0o4755, uid: 7, gid: 8, size: 1500, data: 'x'.repeat(1500) },
      { path: long, data: 'deep' },
      { path: 'straße', size: 0 },
      { path: 'link', type: 'symlink', linkname: '../etc/name' },
      { path: 'hard', type: 'link', linkname: 'etc/name' },
    ])
  })

  const good: readonly (readonly [string, Buffer, readonly object[]])[] = [
    ['nothing', Buffer.alloc(0), []],
    ['only the end marker', END, []],
    ['no end marker', rawEntry({ name: 'a' }), [{ path: 'a' }]],
    ['much padding', Buffer.concat([tar({ name: 'a' }), Buffer.alloc(9000)]), [{ path: 'a' }]],
    ['absolute names', tar({ name: '/./a//b' }), [{ path: 'a/b' }]],
    [
      'an old folder',
      tar({ name: 'a/', flag: '\0', magic: '\0'.repeat(8) }),
      [{ path: 'a', type: 'directory' }],
    ],
    ['a prefix', tar({ name: 'b', prefix: 'a' }), [{ path: 'a/b' }]],
    [
      'a base-256 size',
      tar(rawEntry({ sizeField: Buffer.from('800000000000000000000003', 'hex'), data: 'abc' })),
      [{ size: 3, data: 'abc' }],
    ],
    [
      'GNU long names',
      tar(
        { flag: 'L', magic: GNU, data: `${'n'.repeat(200)}\0` },
        { flag: 'K', magic: GNU, data: 'target\0' },
        {
          flag: '2',
          linkname: 'short',
          magic: GNU,
        },
      ),
      [{ path: 'n'.repeat(200), linkname: 'target' }],
    ],
    [
      'PAX path, owner and size',
      tar(
        pax(
          'x',
          paxRecord('path', 'p/q'),
          paxRecord('size', '3'),
          paxRecord('uid', '5'),
          paxRecord('mtime', '1.5'),
        ),
        rawEntry({ name: 'other', sizeField: Buffer.from('00000000003'), data: 'abc' }),
        { name: 'next' },
      ),
      [{ path: 'p/q', size: 3, uid: 5, data: 'abc' }, { path: 'next' }],
    ],
    [
      'a harmless global header',
      tar(pax('g', paxRecord('comment', 'commit')), { name: 'a' }),
      [{ path: 'a' }],
    ],
    [
      'times before 1970',
      tar({ name: 'a', patch: [[136, '\xff'.repeat(12)]] }, pax('x', paxRecord('mtime', '-1.5')), {}),
      [{ path: 'a' }, { path: 'file' }],
    ],
    ['names that are no UTF-8, kept apart', tar({ name: Buffer.from([0x61, 0xff]) }), [{ path: 'a\\xff' }]],
  ]
  test.each(good)('takes %s', async (_name, bytes, expected) => {
    expect(await read(bytes)).toMatchObject(expected)
  })

  const bad: readonly (readonly [string, string, Buffer])[] = [
    ['tar-trailing-data', 'an entry after the end marker', tar({ name: 'a' }, END, { name: 'b' })],
    ['tar-trailing-data', 'an entry after one zero block', tar(END.subarray(512), { name: 'b' })],
    [
      'tar-trailing-data',
      'a byte far behind the end',
      Buffer.concat([tar({}), Buffer.alloc(4000), Buffer.from('x')]),
    ],
    ['tar-truncated', 'half a header', rawEntry({}).subarray(0, 300)],
    ['tar-truncated', 'data cut off', rawEntry({ data: 'x'.repeat(600) }).subarray(0, 900)],
    ['tar-truncated', 'padding cut off', rawEntry({ data: 'abc' }).subarray(0, 600)],
    ['tar-truncated', 'an extended header alone', tar(pax('x', paxRecord('path', 'a')))],
    ['tar-truncated', 'half a zero block at the end', Buffer.concat([rawEntry({}), Buffer.alloc(900)])],
    ['tar-checksum', 'a wrong checksum', tar({ badChecksum: true })],
    ['tar-number', 'a checksum in base-256', tar(checksumBase256(rawEntry({})))],
    ['tar-number', 'a time that is no number', tar({ patch: [[136, 'yesterday']] })],
    ['tar-number', 'a time that is out of range', tar({ patch: [[136, '\x8f']] })],
    ['tar-number', 'a device number that is none', tar({ patch: [[329, 'major']] })],
    ['tar-number', 'a GNU minor number that is none', tar({ magic: GNU, patch: [[337, '9']] })],
    ['tar-magic', 'an unknown magic', tar({ magic: 'ustat\x0000' })],
    ['tar-star', 'a star header', tar({ patch: [[508, 'tar\0']] })],
    ['tar-number', 'a size that is no number', tar({ sizeField: Buffer.from('9999') })],
    ['tar-number', 'a huge size', tar({ sizeField: Buffer.from('80ffffffffffffffffffffff', 'hex') })],
    ['tar-number', 'a negative size', tar({ sizeField: Buffer.alloc(12, 0xff) })],
    ['tar-number', 'a GNU header with a name in its times', tar({ magic: GNU, prefix: 'folder' })],
    ['tar-sparse', 'a GNU header with more names', tar({ magic: GNU, patch: [[400, 'x']] })],
    ['tar-sparse', 'an old sparse file', tar({ flag: 'S', magic: GNU })],
    ['tar-sparse', 'a PAX sparse file', tar(pax('x', paxRecord('GNU.sparse.major', '1')), {})],
    ['tar-global-pax', 'a global path', tar(pax('g', paxRecord('path', 'a')), {})],
    ['tar-global-pax', 'a global size', tar(pax('g', paxRecord('size', '0')), {})],
    ['tar-global-pax', 'a global link target', tar(pax('g', paxRecord('linkpath', 'a')), {})],
    [
      'tar-pax-order',
      'two PAX headers',
      tar(pax('x', paxRecord('path', 'a')), pax('x', paxRecord('path', 'b')), {}),
    ],
    [
      'tar-pax-order',
      'PAX and GNU names',
      tar(pax('x', paxRecord('path', 'a')), { flag: 'L', magic: GNU, data: 'b\0' }, {}),
    ],
    ['tar-pax-order', 'a global header in between', tar(pax('x', paxRecord('path', 'a')), pax('g'), {})],
    ['tar-pax-duplicate', 'a path twice', tar(pax('x', paxRecord('path', 'a'), paxRecord('path', 'b')), {})],
    ['tar-pax-record', 'a wrong record length', tar(pax('x', '99 path=a\n'), {})],
    ['tar-pax-record', 'a record without end', tar(pax('x', '9 path=ab'), {})],
    ['tar-pax-record', 'a record without key', tar(pax('x', '5 =a\n'), {})],
    ['tar-pax-value', 'an empty path', tar(pax('x', paxRecord('path', '')), {})],
    ['tar-pax-value', 'a zero byte in a path', tar(pax('x', paxRecord('path', 'a\0b')), {})],
    ['tar-pax-value', 'a size that is no number', tar(pax('x', paxRecord('size', '-1')), {})],
    ['tar-pax-value', 'an empty long name', tar({ flag: 'L', magic: GNU, data: '\0' }, {})],
    ['tar-pax-value', 'a PAX time that is none', tar(pax('x', paxRecord('mtime', 'now')), {})],
    ['tar-pax-value', 'a global time that is none', tar(pax('g', paxRecord('mtime', 'now')), {})],
    ['tar-pax-value', 'a zero byte in the name of a user', tar(pax('x', paxRecord('uname', 'a\0')), {})],
    ['tar-pax-value', 'a zero byte in a global group', tar(pax('g', paxRecord('gname', 'a\0')), {})],
    ['tar-pax-record', 'a zero byte in a key', tar(pax('x', paxRecord('k\0', 'v')), {})],
    ['tar-sparse', 'a star sparse file', tar(pax('x', paxRecord('SCHILY.realsize', '9')), {})],
    ['tar-pax-charset', 'a character set of its own', tar(pax('x', paxRecord('hdrcharset', 'BINARY')), {})],
    ['tar-pax-size', 'a huge extended header', tar(rawEntry({ flag: 'x', size: 2_000_000 }))],
    ['tar-entry-type', 'an unknown type', tar({ flag: 'V' })],
    ['tar-link-size', 'data behind a hard link', tar({ flag: '1', linkname: 'a', data: 'abc' })],
    ['tar-link-target', 'a link to nothing', tar({ flag: '2' })],
    ['tar-path', 'a file named as a folder', tar({ name: 'a/' })],
    ['tar-path', 'a file in place of the root', tar({ name: './.' })],
    ['tar-path-escape', 'a name that climbs', tar({ name: 'a/../../b' })],
    ['tar-path-escape', 'an inner ..', tar({ name: 'a/../b' })],
    ['tar-path-escape', 'a hard link that climbs', tar({ flag: '1', linkname: '../etc/passwd' })],
    ['tar-path-length', 'a name of 5000 characters', tar(pax('x', paxRecord('path', 'a'.repeat(5000))), {})],
  ]
  test.each(bad)('refuses with %s: %s', async (reason, _name, bytes) => {
    expect(await reasonOfAsync(read(bytes))).toBe(reason)
  })

  test('refuses more entries than allowed', async () => {
    const reading = readTar(Readable.from([tar({}, {}, {})]), () => undefined, { maxEntries: 2 })
    expect(await reasonOfAsync(reading)).toBe('tar-too-many-entries')
  })
})
