import {
  parseImageName,
  parseReference,
  parseTag,
  parseTags,
  pinnedReference,
  registryOrigin,
} from '../../../src/evidence/reference.js'
import { gateError } from '../../support/gate-error.js'

const D = `sha256:${'ab'.repeat(32)}` as const

// The normal forms are those of github.com/distribution/reference for the same text.
test.each([
  ['debian', 'docker.io/library/debian'],
  ['acme/app', 'docker.io/acme/app'],
  ['docker.io/debian', 'docker.io/library/debian'],
  ['index.docker.io/acme/app', 'docker.io/acme/app'],
  ['ghcr.io/acme/app', 'ghcr.io/acme/app'],
  ['localhost/app', 'localhost/app'],
  ['localhost:5000/app', 'localhost:5000/app'],
  ['127.0.0.1:5000/team/a/b/c', '127.0.0.1:5000/team/a/b/c'],
  ['registry:5000/app', 'registry:5000/app'],
  ['HOST/app', 'HOST/app'],
  ['ghcr.io/a--b/c__d/e.f', 'ghcr.io/a--b/c__d/e.f'],
])('%s is %s', (text, name) => {
  expect(parseImageName(text).name).toBe(name)
})

test.each([
  ['', 'characters'],
  ['app:1.0', 'leave out the tag'],
  ['ghcr.io/acme/app:1.0', 'leave out the tag'],
  [`app@${D}`, 'leave out the digest'],
  ['https://ghcr.io/acme/app', 'scheme'],
  ['[::1]:5000/app', 'IPv6'],
  ['Acme', 'lower case'],
  ['acme/App', 'lower case'],
  ['ghcr.io//app', 'empty component'],
  ['ghcr.io/app/', 'empty component'],
  ['/app', 'empty component'],
  ['a___b', 'name component'],
  ['a..b/c', 'registry host'],
  ['acme/a..b', 'name component'],
  ['-a', 'name component'],
  ['a-/b', 'name component'],
  ['ghcr.io:99999/app', 'registry host'],
  ['ghcr.io:0/app', 'registry host'],
  ['-bad.io/app', 'registry host'],
  ['ghcr.io/app name', 'name component'],
  ['ghcr.io/app\n', 'name component'],
  ['ghcr.io/../etc', 'name component'],
  ['ghcr.io/app?x=1', 'name component'],
  ['ghcr.io/app#x', 'name component'],
  ['user@ghcr.io/app', 'leave out the digest'],
  [`ghcr.io/${'ab'.repeat(32)}`, 'image id'],
  [`ghcr.io/${'a'.repeat(300)}`, 'characters'],
])('%j is refused: %s', (text, words) => {
  expect(() => parseImageName(text)).toThrow(gateError({ code: 'config', reason: 'image-name-invalid' }))
  expect(() => parseImageName(text)).toThrow(words)
})

test.each(['1.0.0', 'latest', 'v1', '_x', 'A-b.C_d', 'a'.repeat(128), 'sha256-short'])(
  'tag %s is taken',
  tag => {
    expect(parseTag(tag)).toBe(tag)
  },
)

test.each([
  '',
  '.1',
  '-1',
  'a b',
  'a/b',
  'a:b',
  'ä',
  'a\n',
  'a'.repeat(129),
  `sha256-${'ab'.repeat(32)}`,
  `sha256-${'ab'.repeat(32)}.sig`,
])('tag %j is refused', tag => {
  expect(() => parseTag(tag)).toThrow(gateError({ code: 'config', reason: 'tag-invalid' }))
})

test('tags keep their order and are said once', () => {
  expect(parseTags(['2', '1', '2'])).toEqual(['2', '1'])
})

test.each([
  ['127.0.0.1:5000/app', 'http://127.0.0.1:5000'],
  ['localhost:5000/app', 'http://localhost:5000'],
  ['127.0.0.1.nip.io:5000/app', 'https://127.0.0.1.nip.io:5000'],
  ['localhost.evil.io/app', 'https://localhost.evil.io'],
  ['10.0.0.1:5000/app', 'https://10.0.0.1:5000'],
  ['debian', 'https://registry-1.docker.io'],
  ['ghcr.io/acme/app', 'https://ghcr.io'],
])('%s is spoken to at %s', (text, origin) => {
  expect(registryOrigin(parseImageName(text))).toBe(origin)
})

test('a full reference is read into its parts', () => {
  expect(parseReference(`localhost:5000/app:1.0@${D}`)).toMatchObject({
    image: { name: 'localhost:5000/app' },
    tag: '1.0',
    digest: D,
  })
  expect(parseReference('localhost:5000/app')).toEqual({ image: parseImageName('localhost:5000/app') })
  expect(pinnedReference(parseImageName('a/b'), D)).toBe(`docker.io/a/b@${D}`)
  expect(() => parseReference('a@sha256:AB')).toThrow('64 lower-case')
  expect(() => parseReference(`a@sha512:${'ab'.repeat(64)}`)).toThrow('64 lower-case')
})
