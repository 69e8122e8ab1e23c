import { parseStrictJson } from '../../../src/evidence/strict-json.js'
import { reasonOf } from '../../support/reasons.js'

const rules = {
  what: 'manifest',
  knownKeys: new Set(['layers', 'config', 'digest', 'Labels']),
  freeMaps: new Set(['Labels']),
}

function parse(text: string | Uint8Array): unknown {
  return parseStrictJson(typeof text === 'string' ? new TextEncoder().encode(text) : text, rules)
}

describe('parseStrictJson', () => {
  test.each([
    '{}',
    '[]',
    ' {"layers": [1, -2.5e3, true, false, null, "a\\u00e9\\n\\"" ], "x": {"y": {}}} ',
    '"text"',
    '0',
    '{"Labels":{"Layers":"1","layers":"2","CONFIG":"3"}}',
    '{"a":"\\ud83d\\ude00 \u{1F600}"}',
  ])('reads %s as JSON.parse does', text => {
    expect(parse(text)).toEqual(JSON.parse(text))
  })

  test.each([
    ['json-duplicate-key', '{"layers":[],"layers":[]}'],
    ['json-duplicate-key', '{"Labels":{"a":"1","a":"2"}}'],
    ['json-duplicate-key', '{"a":1,"\\u0061":2}'],
    ['json-key-case', '{"layers":[],"Layers":[]}'],
    ['json-key-case', '{"LAYERS":[]}'],
    ['json-key-case', '{"layer\\u017f":[]}'],
    ['json-key-case', '{"x":[{"Digest":"d"}]}'],
    ['json-key-case', '{"labels":{}}'],
    ['json-key-case', '{"Labels":{"a":{"Config":1}}}'],
    ['json-reserved-key', '{"__proto__":{}}'],
    ['json-encoding', '"\\ud800"'],
    ['json-encoding', new Uint8Array([0x22, 0xff, 0x22])],
    ['json-syntax', ''],
    ['json-syntax', '{'],
    ['json-syntax', '{"a":1,}'],
    ['json-syntax', '[1,]'],
    ['json-syntax', '{} {}'],
    ['json-syntax', '{a:1}'],
    ['json-syntax', "{'a':1}"],
    ['json-syntax', '01'],
    ['json-syntax', '"a\nb"'],
    ['json-syntax', 'NaN'],
    ['json-syntax', '\ufeff{}'],
    ['json-too-deep', '['.repeat(40) + ']'.repeat(40)],
    ['json-too-many-values', `[${'0,'.repeat(200_001)}0]`],
    ['json-too-large', ' '.repeat(4 * 1024 * 1024) + '1'],
  ])('refuses with %s', (reason, text) => {
    expect(reasonOf(() => parse(text))).toBe(reason)
  })
})
