import { mixedTars } from './hostile-tar-mix.js'
import { fieldTars } from './hostile-tar-fields.js'
import { END, GNU, open, pax, paxRecord, rawEntry, tar, ZERO } from './raw-tar.js'
import type { HostileTar, Part, RawEntry } from './raw-tar.js'

const V7 = '\0'.repeat(8)
const LONG = `${'d/'.repeat(80)}file`

function gnu(flag: 'L' | 'K', data: string | Buffer): RawEntry {
  return { flag, name: '././@LongLink', magic: GNU, data }
}

const path = (value: string): string => paxRecord('path', value)
const a: RawEntry = { name: 'a', data: 'first' }
const b: RawEntry = { name: 'b', data: 'second' }

function names(): readonly HostileTar[] {
  const name = (what: string, value: string | Buffer, more: RawEntry = {}): HostileTar => ({
    what: `name: ${what}`,
    bytes: tar({ name: value, data: 'abc', ...more }, b),
  })
  const folder: RawEntry = { flag: '5', data: '' }
  return [
    ...[name('plain', 'a'), name('./', './a'), name('absolute', '/a'), name('many slashes', '//a///b')],
    ...[name('inner .', 'a/./b'), name('..', '../a'), name('inner ..', 'a/../b'), name('only ..', '..')],
    ...[name('dots that are a name', 'a/...'), name('trailing slash', 'a/'), name('empty', '')],
    ...[name('root folder', './', folder), name('root file', '.'), name('folder', 'a/', folder)],
    ...[name('folder without slash', 'a', folder), name('/ as a folder', '/', folder)],
    ...[name('garbage behind NUL', 'a\0garbage'), name('NUL first', '\0a'), name('newline', 'a\nb')],
    ...[name('100 bytes', 'n'.repeat(100)), name('99 bytes', 'n'.repeat(99)), name('space', ' a ')],
    ...[name('not UTF-8', Buffer.from([0x61, 0xff])), name('UTF-8', 'straße'), name('control', 'a\x1b[2J')],
    ...[name('backslash', 'a\\b'), name('looks escaped', 'a\\xff'), name('cut UTF-8', Buffer.from([0xc3]))],
    ...[name('prefix', 'b', { prefix: 'a' }), name('prefix with ..', 'b', { prefix: '../a' })],
    ...[
      name('prefix, no name', '', { prefix: 'a' }),
      name('prefix of 155', 'b', { prefix: 'p'.repeat(155) }),
    ],
    name('prefix not UTF-8, backslash', 'b\\c', { patch: [[345, 'a\xff']] }),
    name('prefix with slash', 'b', { prefix: 'a/' }),
    name('prefix absolute', 'b', { prefix: '/a' }),
    name('prefix, garbage behind NUL', 'b', { prefix: 'a\0c' }),
    name('prefix in an old header', 'b', { prefix: 'a', magic: V7 }),
    name('prefix in a GNU header', 'b', { prefix: 'a', magic: GNU }),
    name('octal prefix in a GNU header', 'b', { prefix: '0001', magic: GNU }),
    name('vendor prefix', 'b', { patch: [[500, 'VENDOR']] }),
    name('star prefix', 'b', { prefix: 'a', patch: [[508, 'tar\0']] }),
  ]
}

function longNames(): readonly HostileTar[] {
  const as = (what: string, ...parts: readonly Part[]): HostileTar => ({
    what: `long: ${what}`,
    bytes: tar(...parts),
  })
  const link: RawEntry = { name: 'l', flag: '2', linkname: 'short', magic: GNU }
  return [
    as('GNU name', gnu('L', `${LONG}\0`), { ...a, magic: GNU }, b),
    as('GNU name without NUL', gnu('L', LONG), { ...a, magic: GNU }),
    as('GNU name of 512', gnu('L', 'n'.repeat(512)), a),
    as('GNU name, garbage behind NUL', gnu('L', 'x\0y'), a),
    as('GNU name empty', gnu('L', '\0'), a),
    as('GNU name without data', gnu('L', ''), a),
    as('GNU name with ..', gnu('L', '../x\0'), a),
    as('GNU name not UTF-8', gnu('L', Buffer.from([0x62, 0x5c, 0xfe, 0])), a),
    as('GNU name over a prefix', gnu('L', 'x\0'), { ...a, prefix: 'p' }),
    as('GNU name of a folder', gnu('L', `${LONG}/\0`), { name: 'f', flag: '\0' }, b),
    as('GNU name twice', gnu('L', 'x\0'), gnu('L', 'y\0'), a),
    as('GNU name and nothing', a, gnu('L', 'x\0')),
    as('GNU name in a POSIX header', { ...gnu('L', 'x\0'), magic: 'ustar\x0000' }, a),
    as('GNU target', gnu('K', `${LONG}\0`), link, b),
    as('GNU target and name', gnu('K', 't\0'), gnu('L', 'n\0'), link),
    as('GNU name and target', gnu('L', 'n\0'), gnu('K', 't\0'), link),
    as('GNU target of a file', gnu('K', 't\0'), a),
    as('GNU target of a hard link', a, gnu('K', 'a\0'), { name: 'l', flag: '1', linkname: 'x' }),
    as('GNU target empty', gnu('K', '\0'), link),
    as('GNU name before PAX', gnu('L', 'x\0'), pax('x', path('y')), a),
    as('GNU name behind PAX', pax('x', path('y')), gnu('L', 'x\0'), a),
    as('GNU name, then global', gnu('L', 'x\0'), pax('g', paxRecord('comment', 'c')), a),
    as('PAX name of 4096', pax('x', path('n'.repeat(4096))), a),
    as('PAX name of 4097', pax('x', path('n'.repeat(4097))), a),
    as('PAX name of 1 MiB', pax('x', path('n'.repeat(1024 * 1024))), a),
  ]
}

function links(): readonly HostileTar[] {
  const link = (what: string, flag: string, more: RawEntry): HostileTar => ({
    what: `link: ${what}`,
    bytes: tar(a, { name: 'l', flag, linkname: 'a', ...more }, b),
  })
  return [
    ...[link('hard', '1', {}), link('symbolic', '2', {}), link('hard ./', '1', { linkname: './a' })],
    ...[link('hard absolute', '1', { linkname: '/a' }), link('hard ..', '1', { linkname: '../a' })],
    ...[
      link('hard inner ..', '1', { linkname: 'x/../a' }),
      link('symbolic ..', '2', { linkname: '../../x' }),
    ],
    ...[link('symbolic absolute', '2', { linkname: '/x/' }), link('symbolic //', '2', { linkname: 'x//y' })],
    ...[link('hard to nothing', '1', { linkname: '' }), link('symbolic to nothing', '2', { linkname: '' })],
    ...[link('hard with data', '1', { data: 'abc' }), link('hard with a size', '1', { size: 3 })],
    ...[link('symbolic with a size', '2', { size: 3 }), link('symbolic with data', '2', { data: 'abc' })],
    ...[link('hard to itself', '1', { linkname: 'l' }), link('named as a folder', '2', { name: 'l/' })],
    ...[link('target of 100', '2', { linkname: 't'.repeat(100) }), link('old', '2', { magic: V7 })],
    link('garbage behind NUL', '2', { linkname: 'a\0garbage' }),
    link('not UTF-8', '2', { patch: [[157, 'a\\\xff/b\\c']] }),
    link('target of a file', '0', {}),
    link('target of a folder', '5', { name: 'd/' }),
  ]
}

function types(): readonly HostileTar[] {
  const flags = ['7', '3', '4', '6', '8', '9', 'A', 'D', 'I', 'M', 'N', 'S', 'V', 'X', 'Z', ' ', '\x80', 'a']
  const typed = flags.map(flag => ({
    what: `type: ${JSON.stringify(flag)}`,
    bytes: tar({ name: 't', patch: [[156, flag]] }, b),
  }))
  const as = (what: string, ...parts: readonly Part[]): HostileTar => ({
    what: `type: ${what}`,
    bytes: tar(...parts, b),
  })
  const twice: RawEntry = { name: 'a', data: 'other' }
  return [
    ...typed,
    as('7 with data', { name: 't', flag: '7', data: 'abc' }),
    as('old file', { name: 't', flag: '\0', magic: V7, data: 'abc' }),
    as('old folder', { name: 't/', flag: '\0', magic: V7 }),
    as('old folder with data', { name: 't/', flag: '\0', magic: V7, data: 'abc' }),
    as('old folder by its PAX name', pax('x', path('t/')), { name: 't', flag: '\0' }),
    as('folder with a size', { name: 't/', flag: '5', size: 512 }),
    as('folder with data', { name: 't/', flag: '5', data: rawEntry({ name: 'inner' }) }),
    as('device with a size', { name: 't', flag: '3', size: 512 }),
    as('pipe with a size', { name: 't', flag: '6', size: 1 }),
    as('folder with a PAX size', pax('x', paxRecord('size', '512')), { name: 't/', flag: '5' }),
    as('file, then the same', a, twice),
    as('file, then folder', a, { name: 'a/', flag: '5' }),
    as('folder, then link', { name: 'a/', flag: '5' }, { name: 'a', flag: '2', linkname: 'x' }),
    as('whiteout', { name: 'd/.wh.a' }),
  ]
}

function endings(): readonly HostileTar[] {
  const data: RawEntry = { name: 'a', data: 'x'.repeat(700) }
  const end = (what: string, bytes: Buffer): HostileTar => ({ what: `end: ${what}`, bytes })
  return [
    ...[
      end('nothing at all', Buffer.alloc(0)),
      end('only the marker', END),
      end('one zero block alone', ZERO),
    ],
    ...[
      end('missing', open(a)),
      end('one zero block', open(a, ZERO)),
      end('behind it an entry', tar(a, END, b)),
    ],
    ...[end('one zero block, entry', tar(a, ZERO, b)), end('marker, entry', tar(a, ZERO, ZERO, b))],
    ...[end('half a header', open(a, rawEntry(b).subarray(0, 300))), end('1 byte', Buffer.from('x'))],
    ...[end('data cut', open(data).subarray(0, 900)), end('no data', open(data).subarray(0, 512))],
    ...[end('padding cut', open(data).subarray(0, 1300)), end('no padding', open(data).subarray(0, 1212))],
    ...[end('half a zero block', open(a, ZERO.subarray(1))), end('511 zero bytes alone', ZERO.subarray(1))],
    end('one zero block and a half', open(a, ZERO, ZERO.subarray(200))),
    end('marker and a half', open(a, END, ZERO.subarray(200))),
    end('much padding', open(a, END, Buffer.alloc(9728))),
    end('text behind the marker', open(a, END, Buffer.from('text'))),
    end('text far behind', open(a, END, Buffer.alloc(5000), Buffer.from('text'))),
    end('garbage in the padding', open(rawEntry({ name: 'a', data: 'abc' }).fill('g', 520), b, END)),
    end('header cut behind PAX', open(pax('x', path('p')), rawEntry(a).subarray(0, 100))),
    end('PAX cut', open(pax('x', path('p'.repeat(600)))).subarray(0, 900)),
    end('PAX padding cut', open(pax('x', path('p'))).subarray(0, 700)),
    end('PAX and nothing', tar(a, pax('x', path('p')))),
    end('empty PAX and nothing', tar(a, pax('x'))),
    end('gzip of something', Buffer.from('1f8b0800000000000003', 'hex')),
  ]
}

/** 400 archives, the same each time: what we thought of, and mixtures of it by chance. */
export function hostileTars(): readonly HostileTar[] {
  const made = [...names(), ...longNames(), ...links(), ...types(), ...endings(), ...fieldTars()]
  return [...made, ...mixedTars({ count: 400 - made.length, seed: 20_261_122 })]
}
