import { hideSecrets } from '../../../src/evidence/exposed.js'

const SECRET = 'ab"c\\d<e>&f-0123456789'

test.each<[string, string]>([
  ['as it is', JSON.stringify({ a: 'plain-0123456789 in it' })],
  ['escaped', JSON.stringify({ env: [`A=${SECRET}`] })],
  [
    'escaped as Go does it',
    JSON.stringify({ a: SECRET }).replace('<', '\\u003c').replace('>', '\\u003e').replace('&', '\\u0026'),
  ],
  ['as a name', JSON.stringify({ [SECRET]: 1 })],
  [
    'in Base64',
    JSON.stringify({
      config: Buffer.from(JSON.stringify({ Env: [SECRET], more: 'x'.repeat(60) })).toString('base64'),
    }),
  ],
])('a secret is hidden %s', (_how, json) => {
  const hidden = hideSecrets(json, [SECRET, 'plain-0123456789'])
  expect(hidden).toContain('***')
  expect(hidden).not.toContain('0123456789')
  expect(JSON.parse(hidden)).toBeInstanceOf(Object)
})

test('what holds none stays as it is', () => {
  const json = JSON.stringify({
    a: 'nothing',
    digest: 'a'.repeat(64),
    b: Buffer.alloc(90, 'x').toString('base64'),
  })
  expect(hideSecrets(json, [SECRET])).toBe(json)
  expect(hideSecrets(json, [])).toBe(json)
})

test('of two secrets the longer one goes first', () => {
  expect(hideSecrets('"token-12345678"', ['token-12', 'token-12345678'])).toBe('"***"')
})
