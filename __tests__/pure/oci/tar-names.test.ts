import { decode } from '../../../src/oci/tar-header.js'

const BACKSLASH = 0x5c

it.each([
  ['plain text', Buffer.from('usr/bin/env'), 'usr/bin/env'],
  ['UTF-8', Buffer.from('srv/naïve'), 'srv/naïve'],
  ['a backslash, as systemd writes it', Buffer.from('dev-disk\\x2dby'), 'dev-disk\\x2dby'],
  ['a byte that is not UTF-8', Buffer.from([0x61, 0xff]), 'a\\xff'],
])('%s is readable', (_name, bytes, expected) => {
  expect(decode(bytes)).toBe(expected)
})

it('a folder has the same name whatever lies in it', () => {
  const folder = decode(Buffer.from('a\\b'))
  expect(decode(Buffer.from('a\\b/c'))).toBe(`${folder}/c`)
  expect(decode(Buffer.concat([Buffer.from('a\\b/'), Buffer.from([0xff])]))).toBe(`${folder}/\\xff`)
  expect(decode(Buffer.from('a\\b/\\xff'))).toBe(`${folder}/\\\\xff`)
})

it('no two names become one', () => {
  const names = [
    Buffer.from([0x61, 0xff]),
    Buffer.from('a\\xff'),
    Buffer.from('a\\\\xff'),
    Buffer.from([0x61, BACKSLASH, 0xff]),
    Buffer.from([0x61, BACKSLASH, BACKSLASH, 0xff]),
    Buffer.concat([Buffer.from('\\xff'), Buffer.from([0xff])]),
    Buffer.from([0xff, 0xff]),
    Buffer.from('\\xff\\xff'),
  ]
  expect(new Set(names.map(name => decode(name))).size).toBe(names.length)
})
