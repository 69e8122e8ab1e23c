import { isFetchable, parseToolOrigin } from '../../../src/tools/sources.js'
import { retryAfter } from '../../../src/tools/download.js'
import { reasonOf } from '../../support/reasons.js'

test.each(['auto', 'release', 'path', 'source'])('%s is a source', kind => {
  expect(parseToolOrigin(kind)).toEqual({ kind })
})

test('a mirror and a folder carry their place', () => {
  expect(parseToolOrigin('mirror:https://m.example/gh')).toEqual({
    kind: 'mirror',
    base: 'https://m.example/gh',
  })
  expect(parseToolOrigin('mirror:http://127.0.0.1:8080/')).toEqual({
    kind: 'mirror',
    base: 'http://127.0.0.1:8080/',
  })
  expect(parseToolOrigin('dir:/opt/tools')).toEqual({ kind: 'dir', folder: '/opt/tools' })
})

test.each([
  ...[
    '',
    'Auto',
    'latest',
    'dir:',
    'mirror:',
    'mirror:m.example',
    'mirror:http://m.example',
    'mirror:ftp://m.example',
  ],
  ...['mirror:https://user:word@m.example', 'mirror:https://m.example/?token=1', 'release '],
])('"%s" is refused', text => {
  expect(reasonOf(() => parseToolOrigin(text))).toBe('tools-source')
})

test.each([
  ['https://a.example/', true],
  ['http://127.0.0.1:1/', true],
  ['http://[::1]:1/', true],
  ['http://localhost:1/', true],
  ['http://127.0.0.1.evil.example/', false],
  ['http://a.example/', false],
  ['file:///etc/passwd', false],
])('%s may be fetched: %s', (url, allowed) => {
  expect(isFetchable(new URL(url))).toBe(allowed)
})

test.each([
  [null, undefined],
  ['7', 7000],
  ['soon', undefined],
  ['Sun, 22 Nov 2026 00:00:10 GMT', 10_000],
  ['Sat, 21 Nov 2026 00:00:00 GMT', 0],
])('Retry-After %s', (value, expected) => {
  expect(retryAfter(value, Date.parse('2026-11-22T00:00:00Z'))).toBe(expected)
})
