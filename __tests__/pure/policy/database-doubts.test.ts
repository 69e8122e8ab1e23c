import type { DatabaseFacts, JavaDatabaseFacts } from '../../../src/evidence/tooling.js'
import { databaseDoubts } from '../../../src/policy/database-doubts.js'

const NOW = new Date('2026-11-22T12:00:00Z')
const PUBLIC = `ghcr.io/aquasecurity/trivy-db@sha256:${'a'.repeat(64)}`
const MIRROR = `mirror.gcr.io/aquasec/trivy-db@sha256:${'a'.repeat(64)}`
const OWN = `registry.example/security/trivy-db@sha256:${'a'.repeat(64)}`
const TODAY = '2026-11-22T06:00:00Z'

function facts(change: Partial<DatabaseFacts>): DatabaseFacts {
  return { sha256: 'd'.repeat(64), size: 1000, updatedAt: TODAY, origin: 'folder', ...change }
}
const java = (updatedAt: string): JavaDatabaseFacts => ({ ...facts({ updatedAt }) })

test.each<[string, Partial<DatabaseFacts>, number | undefined, string | undefined]>([
  ['of today', {}, undefined, undefined],
  ['5 minutes ahead', { updatedAt: '2026-11-22T12:05:00Z' }, undefined, undefined],
  ['more than 5 minutes ahead', { updatedAt: '2026-11-22T12:05:01Z' }, undefined, 'database-from-future'],
  ['ahead in another zone', { updatedAt: '2026-11-22T12:05:01-01:00' }, undefined, 'database-from-future'],
  ['of another century', { updatedAt: '2099-01-01T00:00:00Z' }, undefined, 'database-from-future'],
  ['without a date', { updatedAt: 'soon' }, undefined, 'database-undated'],
  ['with a Java database of today', { java: java(TODAY) }, undefined, undefined],
  [
    'with a Java database of the future',
    { java: java('2026-11-23T00:00:00Z') },
    undefined,
    'database-from-future',
  ],
  ['of half the last size', { size: 500, lastSize: 1000 }, undefined, undefined],
  ['of less than half', { size: 499, lastSize: 1000 }, undefined, 'database-shrunk'],
  ['that grew', { size: 5000, lastSize: 1000 }, undefined, undefined],
  ['as big as the policy says', { size: 500 }, 500, undefined],
  ['smaller than the policy says', { size: 499 }, 500, 'database-shrunk'],
  ['that the policy accepts in spite of the last one', { size: 499, lastSize: 1000 }, 400, undefined],
  ['public, whole', { origin: PUBLIC, size: 100_000_000 }, undefined, undefined],
  ['public, but small', { origin: PUBLIC, size: 99_999_999 }, undefined, 'database-shrunk'],
  ['of the public mirror, but small', { origin: MIRROR, size: 99_999_999 }, undefined, 'database-shrunk'],
  ['public, small and accepted', { origin: PUBLIC, size: 1000 }, 1, undefined],
  ['of an own registry, small', { origin: OWN }, undefined, undefined],
  ['of an own registry with a name like it', { origin: `own.example/${PUBLIC}` }, undefined, undefined],
])('a database %s', (_name, change, minSizeBytes, reason) => {
  const given = { now: NOW, ...(minSizeBytes !== undefined && { minSizeBytes }) }
  expect(databaseDoubts(facts(change), given).map(doubt => doubt.reason)).toEqual(reason ? [reason] : [])
})
