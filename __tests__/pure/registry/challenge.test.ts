import { parseChallenge } from '../../../src/registry/challenge.js'

test.each([
  ['Basic realm="r"', { scheme: 'basic', parameters: { realm: 'r' } }],
  ['basic', { scheme: 'basic', parameters: {} }],
  [
    'Bearer realm="https://auth.io/token",service="reg",scope="repository:a/b:pull,push"',
    {
      scheme: 'bearer',
      parameters: { realm: 'https://auth.io/token', service: 'reg', scope: 'repository:a/b:pull,push' },
    },
  ],
  ['Bearer Realm = "x" , SERVICE=plain', { scheme: 'bearer', parameters: { realm: 'x', service: 'plain' } }],
  ['Negotiate, Bearer realm="x"', { scheme: 'bearer', parameters: { realm: 'x' } }],
  ['Bearer realm="a\\"b"', { scheme: 'bearer', parameters: { realm: 'a"b' } }],
  ['Bearer realm="first",realm="second"', { scheme: 'bearer', parameters: { realm: 'first' } }],
])('%s', (header, expected) => {
  expect(parseChallenge(header)).toEqual(expected)
})

test.each([null, '', 'Negotiate', 'Digest realm="x"', `Bearer realm="${'x'.repeat(9000)}"`])(
  '%j is no challenge',
  header => {
    expect(parseChallenge(header)).toBeNull()
  },
)
