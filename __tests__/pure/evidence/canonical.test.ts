import { expect, test } from '@jest/globals'
import fc from 'fast-check'
import { canonicalJson, sha256Hex } from '../../../src/evidence/canonical.js'

test('sorts keys at every level and leaves out undefined', () => {
  expect(canonicalJson({ b: [{ d: 1, c: 'é' }], a: undefined, A: null })).toBe(
    '{"A":null,"b":[{"c":"é","d":1}]}',
  )
})

test('reads back as the same value, whatever the order of keys', () => {
  fc.assert(
    fc.property(fc.jsonValue(), value => {
      const text = canonicalJson(value)
      expect(canonicalJson(JSON.parse(text))).toBe(text)
      expect(canonicalJson(reversed(value))).toBe(text)
      expect(JSON.parse(text)).toEqual(JSON.parse(JSON.stringify(value)))
    }),
  )
})

const loop: unknown[] = []
loop.push(loop)
const holes: unknown[] = []
holes.length = 2

test.each([
  [NaN],
  [Infinity],
  [1n],
  [new Date(0)],
  [new Map()],
  [() => 1],
  [[undefined]],
  [loop],
  [holes],
  [undefined],
])('refuses value %#', value => {
  expect(() => canonicalJson({ value: [value] })).toThrow(TypeError)
})

test('sha256Hex', () => {
  expect(sha256Hex('abc')).toBe('ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad')
})

function reversed(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) return value.map(reversed)
  return Object.fromEntries(
    Object.entries(value)
      .map(([key, item]): [string, unknown] => [key, reversed(item)])
      .reverse(),
  )
}
