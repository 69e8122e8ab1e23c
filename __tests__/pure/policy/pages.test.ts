import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from '@jest/globals'
import { readPolicyDocument } from '../../../src/policy/document.js'
import { policySchemaText } from '../../../src/policy/json-schema.js'
import { readProfile } from '../../../src/policy/profiles.js'
import { RULE_IDS } from '../../../src/policy/rule-ids.js'
import { rulesPageText } from '../../../src/policy/rules-page.js'
import { LATER_KEYS, policySchema } from '../../../src/policy/schema.js'

const ROOT = join(import.meta.dirname, '../../..')

function fileText(path: string): string {
  return readFileSync(join(ROOT, path), 'utf8')
}

describe('what is made from the source is up to date (npm run schemas)', () => {
  test('schemas/policy.schema.json', () =>
    expect(fileText('schemas/policy.schema.json')).toBe(policySchemaText()))
  test('docs/rules.md', () => expect(fileText('docs/rules.md')).toBe(rulesPageText()))
})

test('the profile sets a mode for every rule', () => {
  expect(Object.keys(readProfile('recommended').values.rules ?? {}).sort()).toEqual([...RULE_IDS].sort())
})

test('docs/policy.md names every key, and its example is a policy', () => {
  const page = fileText('docs/policy.md')
  for (const key of Object.keys(policySchema.shape)) expect(page).toContain(key)
  const example = /```yaml\n([^`]+)```/.exec(page)?.[1] ?? ''
  expect(readPolicyDocument(example, 'example').values.bind).toEqual([{ image: 'ghcr.io/acme/api' }])
})

test('no key of a later version is known already', () => {
  for (const key of LATER_KEYS[''] ?? []) expect(Object.keys(policySchema.shape)).not.toContain(key)
})
