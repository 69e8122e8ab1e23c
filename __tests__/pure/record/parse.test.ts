import { readFileSync } from 'node:fs'
import type * as z from 'zod'
import { GateError } from '../../../src/errors.js'
import { recordSchemaText } from '../../../src/record/json-schema.js'
import { MAX_RECORD, parseRecord } from '../../../src/record/parse.js'
import type { RunRecord } from '../../../src/record/record.js'
import type { recordSchema } from '../../../src/record/schema.js'
import { ENDINGS } from '../../support/record-endings.js'
import { aRecord, aRelease } from '../../support/records.js'

/** Checked by `npm run check:types`: schema and interface say the same, in both directions. */
type ReadOnly<T> = T extends object ? { readonly [K in keyof T]: ReadOnly<T[K]> } : T
type Both<A, B> = [A] extends [B] ? ([B] extends [A] ? true : false) : false
const SAME: Both<ReadOnly<z.infer<typeof recordSchema>>, ReadOnly<RunRecord>> = true

type Json = Record<string, unknown>

function messageOf(text: string): string {
  try {
    parseRecord(text)
  } catch (thrown) {
    if (!(thrown instanceof GateError)) throw thrown
    expect([thrown.code, thrown.reason]).toEqual(['config', 'record-invalid'])
    return thrown.message
  }
  return 'taken'
}

/** A record with one more or one other member at the top. */
function changed(members: Json): string {
  return messageOf(JSON.stringify({ ...aRecord(), ...members }))
}

it('says the same as the interface', () => {
  expect(SAME).toBe(true)
})

describe('parseRecord', () => {
  it.each(Object.entries(ENDINGS))('reads back the record of: %s', (_, record) => {
    expect(parseRecord(JSON.stringify(record))).toEqual(record)
    expect(parseRecord(JSON.stringify(record, null, 2))).toEqual(record)
  })

  it.each([
    ['nothing', '', '$: not JSON, or cut off'],
    ['half a record', JSON.stringify(aRecord()).slice(0, 500), '$: not JSON, or cut off'],
    ['null', 'null', '$: Invalid input: expected object, received null'],
    ['a list', '[]', '$: Invalid input: expected object, received array'],
    ['an empty object', '{}', '$.verdict'],
    ['two documents', `${JSON.stringify(aRecord())}{}`, '$: not JSON, or cut off'],
  ])('refuses %s', (_, text, problem) => {
    expect(messageOf(text)).toContain(problem)
  })

  it.each<[string, Json, string]>([
    ['another schema', { schema: 'portcullis/record/v2' }, '$.schema:'],
    ['an unknown key', { extra: 1 }, '$.extra: unknown key'],
    ['a strange unknown key', { '\u001b[31m': 1 }, '$["\\u001b[31m"]: unknown key'],
    ['an unknown outcome', { outcome: 'clean' }, '$.outcome:'],
    ['a pass with exit code 1', { exitCode: 1 }, '$.exitCode: expected an exit code that belongs'],
    [
      'an incomplete with exit code 0',
      { outcome: 'incomplete' },
      '$.exitCode: expected an exit code that belongs',
    ],
    ['an exit code of another program', { exitCode: 4 }, '$.exitCode:'],
    ['a reason of several words', { reason: 'clean ::error::' }, '$.reason: expected a word'],
    ['a digest in capitals', { imageId: `sha256:${'A'.repeat(64)}` }, '$.imageId: expected sha256:'],
    ['a digest that is too short', { imageId: 'sha256:ab' }, '$.imageId: expected sha256:'],
    ['another hash', { imageId: `sha512:${'a'.repeat(64)}` }, '$.imageId: expected sha256:'],
    ['a negative count', { packages: -1 }, '$.packages:'],
    ['half a package', { packages: 0.5 }, '$.packages:'],
    ['a missing severity', { counts: { critical: 0, high: 0, medium: 0, low: 0 } }, '$.counts.unknown:'],
    [
      'a further severity',
      { counts: { critical: 0, high: 0, medium: 0, low: 0, unknown: 0, worst: 1 } },
      '$.counts.worst: unknown key',
    ],
    ['a time that is none', { startedAt: 'yesterday' }, '$.startedAt: expected a time'],
    ['warnings that are no list', { warnings: 'none' }, '$.warnings:'],
    ['a text beyond the cap', { warnings: ['x'.repeat(1024 * 1024 + 1)] }, '$.warnings[0]:'],
    ['a list beyond the cap', { warnings: Array.from({ length: 10_001 }, () => '') }, '$.warnings:'],
    ['a release that is absent', { release: null }, '$.release:'],
    ['a key of a signer that is no hash', { release: aRelease({ signer: 'me' }) }, '$.release.signer:'],
    ['a nested unknown key', { release: { ...aRelease(), force: true } }, '$.release.force: unknown key'],
  ])('refuses %s', (_, members, problem) => {
    expect(changed(members)).toContain(problem)
  })

  it.each(['/etc/passwd', '../x', 'a/../../b', '..', 'a\\..\\b', '\\x', 'a\0b', ''])(
    'refuses the file path %j',
    path => {
      const file = { path, kind: 'sbom-spdx', sha256: '1'.repeat(64), size: 1 }
      expect(changed({ files: [file] })).toContain('$.files[0].path: expected a path inside')
    },
  )

  it.each(['a', 'a..b', 'a/b.json', '..a', '.hidden/x'])('takes the file path %j', path => {
    const file = { path, kind: 'sbom-spdx', sha256: '1'.repeat(64), size: 1 }
    expect(changed({ files: [file] })).toBe('taken')
  })

  it('lists every problem at once, up to fifty, and how many more', () => {
    const two = changed({ extra: 1, packages: 'many', imageId: 1 })
    expect(two).toContain('$.extra')
    expect(two).toContain('$.packages')
    expect(two).toContain('$.imageId')
    const many = changed({ warnings: Array.from({ length: 120 }, () => 1) })
    expect(many.split('\n')).toHaveLength(52)
    expect(many).toContain('and 70 more')
  })

  it('is not fooled by members that objects inherit', () => {
    const text = JSON.stringify(aRecord())
    expect(messageOf(text.replace('{', '{"__proto__":{"outcome":"pass"},'))).toContain('unknown key')
    expect(messageOf(text.replace('{', '{"constructor":1,'))).toContain('$.constructor: unknown key')
    const { outcome, ...rest } = aRecord()
    expect(outcome).toBe('pass')
    expect(messageOf(JSON.stringify(rest).replace('{', '{"__proto__":{"outcome":"pass"},'))).toContain(
      '$.outcome',
    )
  })

  it('refuses a text beyond the cap without reading it', () => {
    const text = ' '.repeat(MAX_RECORD + 1)
    expect(messageOf(text)).toContain(`longer than the ${MAX_RECORD} characters`)
  })
})

it('has the committed JSON Schema', () => {
  expect(readFileSync('schemas/record.schema.json', 'utf8')).toBe(recordSchemaText())
})
