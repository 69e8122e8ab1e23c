import { createHash } from 'node:crypto'
import { isHashRecord, layerRecords, packageRecords } from '../../../src/evidence/package-hashes.js'

const MD5 = createHash('md5').update('x').digest('hex')
const SHA1 = createHash('sha1').update('x').digest()
const SHA256 = createHash('sha256').update('x').digest()
const WHEEL = `sha256=${SHA256.toString('base64url')}`

describe('hashes that packages recorded', () => {
  test.each<[string, string, string, readonly string[]]>([
    [
      'dpkg',
      'var/lib/dpkg/info/a.md5sums',
      `${MD5}  usr/bin/a\n${MD5}  usr/share/with two  words\n`,
      [`usr/bin/a md5 ${MD5}`, `usr/share/with two  words md5 ${MD5}`],
    ],
    [
      'dpkg, one file per package',
      'var/lib/dpkg/status.d/a.md5sums',
      `${MD5}  ./usr/bin/a\n`,
      [`usr/bin/a md5 ${MD5}`],
    ],
    ['dpkg, broken lines', 'var/lib/dpkg/info/a.md5sums', `${MD5}\n${MD5.slice(1)}  a\n${MD5}  /\nx\n`, []],
    [
      'apk',
      'lib/apk/db/installed',
      `P:a\nF:bin\nR:a\na:0:0:755\nZ:Q1${SHA1.toString('base64')}\nR:b\nF:\nR:c\nZ:Q1${SHA1.toString('base64')}\n`,
      [`bin/a sha1 ${SHA1.toString('hex')}`, `c sha1 ${SHA1.toString('hex')}`],
    ],
    ['apk, another kind of hash', 'usr/lib/apk/db/installed', `F:bin\nR:a\nZ:Q2abc=\nR:b\nZ:Q1abc=\n`, []],
    [
      'Python',
      'opt/site/a-1.dist-info/RECORD',
      `a/b.py,${WHEEL},1\n"a/c,d ""e"".py",${WHEEL},1\r\n../../bin/a,${WHEEL},2\na/p.pyc,,\n`,
      [
        `opt/site/a/b.py sha256 ${SHA256.toString('hex')}`,
        `opt/site/a/c,d "e".py sha256 ${SHA256.toString('hex')}`,
        `bin/a sha256 ${SHA256.toString('hex')}`,
      ],
    ],
    ['Python, out of the root', 'a-1.dist-info/RECORD', `../../b.py,${WHEEL},1\n`, []],
    ['Python, another kind of hash', 'a-1.dist-info/RECORD', 'b.py,md5=abc,1\n', []],
  ])('%s', (_what, path, text, expected) => {
    expect(isHashRecord(path)).toBe(true)
    const files = packageRecords([{ path, text }]).flat()
    expect(files.map(file => `${file.path} ${file.hash.algorithm} ${file.hash.hex}`)).toEqual(expected)
  })

  test.each(['var/lib/dpkg/status', 'var/lib/dpkg/info/a.list', 'app/RECORD', 'app/installed'])(
    '%s holds none',
    path => expect(isHashRecord(path)).toBe(false),
  )
})

describe('what the records of a layer say of its files', () => {
  const file = (path: string) => ({ path, hash: { algorithm: 'md5', hex: MD5 } as const })
  const here = new Set(['usr/bin/a', 'usr/bin/b', 'usr/share/d/e'])
  const find = (path: string) =>
    path === 'bin/a'
      ? { path: 'usr/bin/a', here: true }
      : path.startsWith('gone')
        ? undefined
        : { path, here: here.has(path) }

  test.each<[string, readonly string[], Readonly<Record<string, boolean>>]>([
    ['all there', ['usr/bin/a', 'usr/bin/b'], { 'usr/bin/a': true, 'usr/bin/b': true }],
    ['through a link of a folder', ['bin/a'], { 'usr/bin/a': true }],
    ['documents left out', ['usr/bin/a', 'usr/share/doc/1', 'usr/share/doc/2'], { 'usr/bin/a': true }],
    ['documents alone', ['usr/share/d/e', 'usr/share/d/f', 'gone'], { 'usr/share/d/e': false }],
    ['mostly in a lower layer', ['usr/bin/a', 'usr/bin/x', 'usr/bin/y'], { 'usr/bin/a': false }],
    ['mostly gone', ['usr/bin/a', 'gone/1', 'gone/2'], { 'usr/bin/a': false }],
    ['only in a lower layer', ['usr/bin/x'], {}],
  ])('%s', (_what, paths, expected) => {
    const found = layerRecords([paths.map(file)], find)
    expect(Object.fromEntries([...found].map(([path, record]) => [path, record.installed]))).toEqual(expected)
  })

  test('two packages with one file: either hash is the recorded one', () => {
    const other = { ...file('usr/bin/a'), hash: { algorithm: 'sha1', hex: 'f' } as const }
    const record = layerRecords([[file('usr/bin/a')], [other]], find).get('usr/bin/a')
    expect(record?.hashes.map(hash => hash.algorithm)).toEqual(['md5', 'sha1'])
  })
})
