import {
  CANARIES,
  type CanaryDocument,
  canarySbom,
  judgeCanary,
  readCanaryReport,
  readSecretCanary,
} from '../../../src/evidence/canary.js'
import { reasonOf } from '../../support/reasons.js'

const DEBIAN = CANARIES[0] ?? fail()
function fail(): CanaryDocument {
  throw new Error('no canary')
}

interface Row {
  readonly id: string
  readonly purl: string
  readonly severity: string
}
const TRUE_ROWS: readonly Row[] = DEBIAN.plants.map(plant => ({
  ...plant,
  severity: plant.severity.toUpperCase(),
}))

function report(rows: readonly Row[], type = 'cyclonedx'): string {
  const Vulnerabilities = rows.map(row => ({
    VulnerabilityID: row.id,
    PkgName: 'any',
    PkgIdentifier: { PURL: row.purl },
    Severity: row.severity,
  }))
  const Results = [{ Target: 'x', Class: 'lang-pkgs', Vulnerabilities }]
  return JSON.stringify({ SchemaVersion: 2, ArtifactName: 'canary.json', ArtifactType: type, Results })
}

const changed = (at: number, change: Partial<Row>): readonly Row[] =>
  TRUE_ROWS.map((row, index) => (index === at ? { ...row, ...change } : row))
const npm = TRUE_ROWS.findIndex(row => row.purl.includes('minimist'))

test.each<[string, readonly Row[], string | undefined]>([
  ['all there', TRUE_ROWS, undefined],
  ['more severe than pinned', changed(0, { severity: 'CRITICAL' }), undefined],
  ['nothing', [], 'canary-not-found'],
  ['one absent', TRUE_ROWS.slice(1), 'canary-not-found'],
  ['one lowered', changed(npm, { severity: 'HIGH' }), 'canary-severity-changed'],
  ['one unknown', changed(npm, { severity: 'UNKNOWN' }), 'canary-severity-changed'],
  ['on another package', changed(npm, { purl: 'pkg:npm/minimist@1.2.4' }), 'canary-not-found'],
  ['another advisory', changed(npm, { id: 'CVE-2021-44907' }), 'canary-not-found'],
])('%s', (_name, rows, reason) => {
  const { facts, problem } = judgeCanary(readCanaryReport(report(rows), DEBIAN))
  expect(problem?.reason).toBe(reason)
  expect(facts.expected.every(plant => plant.found)).toBe(reason === undefined)
})

test.each([
  ['empty', '', 'canary-no-output'],
  ['half', report(TRUE_ROWS).slice(0, 100), 'canary-output-truncated'],
  ['about an image', report(TRUE_ROWS, 'container_image'), 'canary-output-unexpected'],
])('a report that is %s is refused', (_name, text, reason) => {
  expect(reasonOf(() => readCanaryReport(text, DEBIAN))).toBe(reason)
})

test('every kind that verdicts rely on has a plant, and its document names it', () => {
  const purls = CANARIES.flatMap(canary => canary.plants.map(plant => plant.purl))
  for (const kind of ['pkg:deb/', 'pkg:apk/', 'pkg:npm/', 'pkg:pypi/'])
    expect(purls.some(purl => purl.startsWith(kind))).toBe(true)
  for (const canary of CANARIES)
    for (const plant of canary.plants) expect(canarySbom(canary)).toContain(JSON.stringify(plant.purl))
})

test.each([
  ['found', 'tests/notes.md', 'github-pat', 'CRITICAL', true],
  ['lowered', 'tests/notes.md', 'github-pat', 'LOW', false],
  ['another rule', 'tests/notes.md', 'aws', 'CRITICAL', false],
  ['another file', 'other.md', 'github-pat', 'CRITICAL', false],
])('the planted secret, %s', (_name, Target, RuleID, Severity, found) => {
  const text = JSON.stringify({ SchemaVersion: 2, Results: [{ Target, Secrets: [{ RuleID, Severity }] }] })
  expect(readSecretCanary(text, 'tests/notes.md').found).toBe(found)
  expect(readSecretCanary('{"SchemaVersion":2}', 'tests/notes.md').found).toBe(false)
})
