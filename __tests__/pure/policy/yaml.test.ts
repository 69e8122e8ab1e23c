import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { CORE_SCHEMA, dump, load } from 'js-yaml'
import { GateError } from '../../../src/errors.js'
import { readPolicyDocument } from '../../../src/policy/document.js'
import { readYaml } from '../../../src/policy/yaml.js'
import { nodeAt, pathText, plainValue } from '../../../src/policy/yaml-node.js'

function valueOf(text: string): unknown {
  const { root, mistakes } = readYaml(text)
  expect(mistakes).toEqual([])
  return root === undefined ? undefined : plainValue(root)
}

const yamlText = fc
  .array(
    fc.constantFrom(
      'a',
      'b',
      ':',
      ' ',
      '\n',
      '- ',
      '[',
      ']',
      '{',
      '}',
      ', ',
      '"',
      "'",
      '&x ',
      '*x',
      '!t ',
      '<<',
      '? ',
      '|',
      '>',
      '#',
      '---\n',
      '...\n',
      '0x1f',
      '1e9',
      '~',
      '.inf',
      '\t',
      '%',
      '@',
      '\r\n',
      '\u0000',
      'é',
    ),
    { maxLength: 40 },
  )
  .map(parts => parts.join(''))

describe('readYaml', () => {
  test('reads what js-yaml itself writes, to the value that it reads', () => {
    const json = fc.jsonValue({ maxDepth: 5 }).filter(value => !JSON.stringify(value).includes('__proto__'))
    fc.assert(
      fc.property(fc.dictionary(fc.constantFrom('a', 'b-c', 'd e', 'true', '1'), json), value => {
        const text = dump(value, { schema: CORE_SCHEMA, noRefs: true })
        const wild = readYaml(text).mistakes.some(
          one => one.message.includes('2^53') || one.message.includes('<<'),
        )
        fc.pre(!wild)
        expect(valueOf(text)).toEqual(load(text, { schema: CORE_SCHEMA }))
      }),
    )
  })

  test('whatever the text: a value or mistakes, and no policy by accident', () => {
    fc.assert(
      fc.property(yamlText, text => {
        const { root, mistakes } = readYaml(text)
        expect(root === undefined && mistakes.length === 0).toBe(false)
        if (mistakes.length === 0) expect(valueOf(text)).toEqual(load(text, { schema: CORE_SCHEMA }))
        expect(() => readPolicyDocument(text, 'p.yml')).toThrow(GateError)
      }),
      { numRuns: 2000 },
    )
  })

  test.each([
    ['a: 1\n', 1],
    ['a: 0x1f\n', 31],
    ['a: "1"\n', '1'],
    ['a: yes\n', 'yes'],
    ['a: 2026-11-22\n', '2026-11-22'],
    ['a: True\n', true],
    ['a: ~\n', null],
    ['a: |\n  x\n  y\n', 'x\ny\n'],
    ['\ufeffa: 1\n', 1],
  ])('%j', (text, value) => {
    expect(valueOf(text)).toEqual({ a: value })
  })

  test('knows where things stand, with any line end', () => {
    const { root } = readYaml('a:\r\n  - b: "x"\r\n    c: [1,\r\n        2]\r\n')
    if (root === undefined) throw new Error('nothing read')
    expect(nodeAt(root, ['a', 0, 'b'])?.at).toEqual({ line: 2, column: 8 })
    expect(nodeAt(root, ['a', 0, 'c', 1])?.at).toEqual({ line: 4, column: 9 })
    expect(nodeAt(root, ['a', 1])).toBeUndefined()
    expect(pathText(['a', 0, 'c', 1])).toBe('a[0].c[1]')
  })
})
