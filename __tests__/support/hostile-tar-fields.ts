import { GNU, pax, paxRecord, POSIX, rawEntry, tar } from './raw-tar.js'
import type { HostileTar, RawEntry } from './raw-tar.js'

const V7 = '\0'.repeat(8)
const next: RawEntry = { name: 'next', data: 'second' }
const hex = (text: string): string => Buffer.from(text, 'hex').toString('latin1')

/** Archives whose numbers, checksums, magics and PAX records are odd. */
export function fieldTars(): readonly HostileTar[] {
  return [
    ...sizes(),
    ...otherNumbers(),
    ...checksums(),
    ...magics(),
    ...records(),
    ...overrides(),
    ...sparse(),
  ]
}

function sizes(): readonly HostileTar[] {
  const fields: readonly string[] = [
    ...[
      '3           ',
      '         3\0\0',
      '\0\0\0\0\0\0\0\x003\0\0\0',
      '00000000003 ',
      '000000000003',
      '3 3\0',
    ],
    ...[
      '3\0garbage\0\0',
      '9\0',
      '-1\0',
      '+3\0',
      '0x3\0',
      '3.\0',
      '\t3\0',
      '            ',
      '777777777777',
      '\xa03\0',
    ],
    hex('800000000000000000000003'),
    hex('80ffffffffffffffffffffff'),
    hex('800000007fffffffffffffff'),
    hex('ffffffffffffffffffffffff'),
    hex('c00000000000000000000000'),
    hex('a00000000000000000000003'),
  ]
  return fields.map(field => {
    const patch = [[124, field.padEnd(12, '\0')]] as const
    return { what: `size: ${JSON.stringify(field)}`, bytes: tar({ name: 'a', data: 'abc', patch }, next) }
  })
}

function otherNumbers(): readonly HostileTar[] {
  const fields: readonly (readonly [string, number, string])[] = [
    ['mode in base-256', 100, hex('80000000000001ed')],
    ['mode of many bits', 100, '7777777\0'],
    ['mode that is none', 100, 'rwxr-xr-'],
    ['negative mode', 100, hex('ffffffffffffffff')],
    ['uid in base-256', 108, hex('8000000080000000')],
    ['negative uid', 108, hex('ffffffffffffffff')],
    ['uid that is none', 108, 'root\0\0\0\0'],
    ['gid beyond 2^53', 116, hex('80ffffffffffffff')],
    ['time that is none', 136, 'yesterday\0\0\0'],
    ['negative time', 136, hex('ffffffffffffffffffffff00')],
    ['time out of range', 136, hex('8fffffffffffffffffffffff')],
    ['device number that is none', 329, 'major\0\0\0'],
    ['minor number that is none', 337, '00000089'],
  ]
  const made = [POSIX, GNU].flatMap(magic =>
    fields.map(([what, at, field]) => ({
      what: `number: ${what}, ${magic === GNU ? 'GNU' : 'POSIX'}`,
      bytes: tar({ name: 'a', data: 'abc', magic, patch: [[at, field]] }, next),
    })),
  )
  const old = { name: 'a', magic: V7, patch: [[329, 'major\0\0\0']] } as const
  return [...made, { what: 'number: device number that is none, old', bytes: tar(old, next) }]
}

function checksums(): readonly HostileTar[] {
  const high: RawEntry = { name: Buffer.from([0x61, 0xe4]) }
  const sums: readonly (readonly [string, RawEntry, (unsigned: number, signed: number) => string])[] = [
    ['unsigned', high, sum => `${sum.toString(8).padStart(6, '0')}\0 `],
    ['signed', high, (_, sum) => `${sum.toString(8).padStart(6, '0')}\0 `],
    ['with spaces', {}, sum => ` ${sum.toString(8)} \0`.padEnd(8, '\0')],
    ['without end', {}, sum => sum.toString(8).padStart(8, '0')],
    ['one off', {}, sum => `${(sum + 1).toString(8).padStart(6, '0')}\0 `],
    ['empty', {}, () => '        '],
    ['in base-256', {}, sum => hex(`80${sum.toString(16).padStart(14, '0')}`)],
    ['garbage behind NUL', {}, sum => `${sum.toString(8).padStart(6, '0')}\0x`],
    ['decimal', {}, sum => `${sum}\0`.padEnd(8, '\0')],
  ]
  return sums.map(([what, entry, field]) => {
    const block = rawEntry({ name: 'a', ...entry })
    block.fill(' ', 148, 156)
    const unsigned = block.reduce((sum, byte) => sum + byte, 0)
    const signed = block.reduce((sum, byte) => sum + (byte > 127 ? byte - 256 : byte), 0)
    block.write(field(unsigned, signed), 148, 8, 'latin1')
    return { what: `checksum: ${what}`, bytes: tar(block, next) }
  })
}

function magics(): readonly HostileTar[] {
  const known = [
    'ustar\x0000',
    'ustar\x0001',
    'ustar\0\0\0',
    'ustar  \0',
    'ustar   ',
    'ustar 00',
    'USTAR\x0000',
  ]
  return [...known, V7, 'ustar000', '\0\0\0\0\0\x0000', 'GNUtar \0'].map(magic => ({
    what: `magic: ${JSON.stringify(magic)}`,
    bytes: tar({ name: 'a', data: 'abc', magic, prefix: magic === GNU ? '' : 'p' }, next),
  }))
}

function records(): readonly HostileTar[] {
  const broken: readonly string[] = [
    ...[
      '',
      '9 path=b\n',
      '10 path=b\n',
      '8 path=b\n',
      '09 path=b\n',
      '+9 path=b\n',
      '9  path=b',
      '9 path=bb',
    ],
    ...['9path=b\n', '5 =b\n', '4 =\n', '8 pathb\n', '0 path=b\n', '-9 path=b\n', '9 path=b\n\0\0', '\0\0'],
    ...['99999999999999999999 path=b\n', '10 path=b=\n', '9 path=b\n9 path=c\n', '3 \n', '11 path=b\nc\n'],
    ...['9 path=b\n\n', 'x path=b\n', '10 PATH=bb\n'],
  ]
  return broken.map(text => ({
    what: `PAX record: ${JSON.stringify(text)}`,
    bytes: tar(pax('x', text), { name: 'a', data: 'abc' }, next),
  }))
}

function overrides(): readonly HostileTar[] {
  const names = [
    'path=',
    'path=b\0c',
    'path=/b',
    'path=./b',
    'path=b/../c',
    'path=bäh',
    'linkpath=x',
    'linkpath=',
  ]
  const numbers = ['size=3', 'size=0', 'size=', 'size=-1', 'size=+3', 'size=03', 'size= 3', 'size=3.0']
  const huge = ['size=9223372036854775807', 'size=9223372036854775808', 'uid=4294967296']
  const owners = ['uid=-1', 'uid=', 'gid=x', 'uname=a\0', 'uname=root', 'gname=\0', 'linkpath=x\0']
  const times = ['mtime=1.5', 'mtime=-1.5', 'mtime=now', 'mtime=', 'atime=1,5', 'ctime=1e3', 'mtime=.5']
  const others = [
    'mtime=99999999999999999999',
    'comment=\0',
    'k\0ey=v',
    'hdrcharset=BINARY',
    'mode=7',
    'charset=x',
  ]
  const star = ['SCHILY.xattr.user.a=\0', 'SCHILY.realsize=9', 'SCHILY.filetype=sym']
  const values = [...names, ...numbers, ...huge, ...owners, ...times, ...others, ...star]
  const local = values.map(value => ({
    what: `PAX value: ${JSON.stringify(value)}`,
    bytes: tar(pax('x', assigned(value)), { name: 'a', data: 'abc' }, next),
  }))
  const named = pax('x', paxRecord('path', 'p'))
  const whole = values
    .filter((_, at) => at % 3 === 0)
    .map(value => ({
      what: `global: ${JSON.stringify(value)}`,
      bytes: tar(pax('g', assigned(value)), named, { name: 'a', data: 'abc' }, next),
    }))
  return [...local, ...whole]
}

/** The PAX record of `key=value`. */
function assigned(text: string): string {
  const at = text.indexOf('=')
  return paxRecord(text.slice(0, at), text.slice(at + 1))
}

function sparse(): readonly HostileTar[] {
  const map = '0000000000000000003'
  const file: RawEntry = { name: 's', data: 'abc' }
  const as = (what: string, ...keys: readonly string[]): HostileTar => ({
    what: `sparse: ${what}`,
    bytes: tar(pax('x', ...keys.map(key => assigned(`GNU.sparse.${key}`))), file, next),
  })
  return [
    {
      what: 'sparse: old GNU',
      bytes: tar(
        {
          ...file,
          flag: 'S',
          magic: GNU,
          patch: [
            [386, map],
            [483, '00000000100'],
          ],
        },
        next,
      ),
    },
    as('0.0', 'size=100', 'numblocks=1', 'offset=0', 'numbytes=3'),
    as('0.1', 'size=100', 'numblocks=1', 'map=0,3', 'name=real'),
    as('1.0', 'major=1', 'minor=0', 'name=real', 'realsize=100'),
    {
      what: 'sparse: 1.0 with a map',
      bytes: tar(
        pax('x', ...['major=1', 'minor=0', 'realsize=100'].map(key => assigned(`GNU.sparse.${key}`))),
        { name: 's', data: Buffer.concat([Buffer.from('1\n0\n3\n'.padEnd(512, '\0')), Buffer.from('abc')]) },
        next,
      ),
    },
    as('only a name', 'name=real'),
    as('unknown version', 'major=2', 'minor=0', 'name=real'),
  ]
}
