import { databaseProblems } from '../../../src/commands/database-problems.js'
import { missing, present } from '../../../src/evidence/known.js'
import type { DatabaseFacts } from '../../../src/evidence/tooling.js'
import { endingOf } from '../../../src/record/assemble.js'
import { goodEvidence, NOW, policyOf, verdictOf } from '../../pure/policy/sample.js'

const OFF = 'rules:\n  database.age: {mode: off, reason: the mirror is slow}\n'
const AHEAD = '2026-11-23T12:00:00Z'

function ending(change: Partial<DatabaseFacts>, text: string): readonly unknown[] {
  const facts = { sha256: 'd'.repeat(64), size: 1000, updatedAt: NOW.toISOString(), origin: 'folder' }
  const evidence = goodEvidence({ database: present({ ...facts, ...change }) })
  const policy = policyOf(text)
  const problems = databaseProblems(evidence, policy, NOW)
  const verdict = verdictOf(evidence, policy)
  const { outcome, reason } = endingOf({
    verdict,
    problems,
    release: { state: 'not-wanted', bundles: [], tags: [] },
  })
  return [verdict.outcome, outcome, reason]
}

test.each<[string, Partial<DatabaseFacts>, string, readonly unknown[]]>([
  ['of today', {}, '', ['pass', 'pass', 'clean']],
  ['ahead', { updatedAt: AHEAD }, '', ['incomplete', 'incomplete', 'database-from-future']],
  ['ahead, its rule off', { updatedAt: AHEAD }, OFF, ['pass', 'incomplete', 'database-from-future']],
  ['old, its rule off', { updatedAt: '2020-01-01T00:00:00Z' }, OFF, ['pass', 'pass', 'clean']],
  ['shrunk', { lastSize: 3000 }, OFF, ['pass', 'incomplete', 'database-shrunk']],
  ['shrunk, accepted', { lastSize: 3000 }, 'database: {min_size_bytes: 900}\n', ['pass', 'pass', 'clean']],
  ['too small', {}, 'database: {min_size_bytes: 1001}\n', ['pass', 'incomplete', 'database-shrunk']],
])('a database that is %s', (_name, change, text, expected) => {
  expect(ending(change, text)).toEqual(expected)
})

test('a database that is missing is the affair of the rules', () => {
  const evidence = goodEvidence({ database: missing('build', 'gone') })
  expect(databaseProblems(evidence, policyOf(), NOW)).toEqual([])
})
