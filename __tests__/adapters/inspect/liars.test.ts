import { rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { PreparedDatabase } from '../../../src/inspect/database.js'
import { type Bench, onlyPlatform, openBench } from '../../support/inspection.js'
import { type Lie, writeLiar } from '../../support/liars.js'
import { sampleLayout } from '../../support/sample-image.js'
import { makeDatabase, makeEmptyDatabase } from '../../support/tools.js'

let bench: Bench
let database: PreparedDatabase
let layoutDir: string
beforeAll(async () => {
  bench = await openBench()
  database = await bench.database(await makeDatabase(join(bench.dir, 'db')))
  layoutDir = await sampleLayout(join(bench.dir, 'layout'))
})
afterAll(() => bench.close())

type Missing = 'canary' | 'contents' | 'inventory' | 'sboms' | 'secrets' | 'vulnerabilities'

interface Row {
  readonly tool: 'trivy' | 'syft'
  readonly lie: Lie
  /** Distinct reasons of the problems, sorted. */
  readonly reasons: readonly string[]
  /** Facts that must be missing, sorted. */
  readonly missing: readonly Missing[]
}

const TRIVY_FACTS = ['canary', 'inventory', 'secrets', 'vulnerabilities'] as const
const SYFT_FACTS = ['inventory', 'sboms'] as const
const TABLE: readonly Row[] = [
  { tool: 'trivy', lie: 'silent', reasons: ['trivy-no-output'], missing: TRIVY_FACTS },
  { tool: 'trivy', lie: 'link', reasons: ['foreign-output'], missing: TRIVY_FACTS },
  { tool: 'trivy', lie: 'hanging', reasons: ['trivy-timed-out'], missing: TRIVY_FACTS },
  { tool: 'trivy', lie: 'exit-1', reasons: ['trivy-exit-code'], missing: TRIVY_FACTS },
  {
    tool: 'trivy',
    lie: 'half-json',
    reasons: ['canary-output-truncated', 'trivy-output-truncated', 'trivy-secrets-output-truncated'],
    missing: TRIVY_FACTS,
  },
  {
    tool: 'trivy',
    lie: 'another-image',
    reasons: ['report-of-another-image'],
    missing: ['inventory', 'secrets', 'vulnerabilities'],
  },
  {
    tool: 'trivy',
    lie: 'no-packages',
    reasons: ['canary-not-found', 'report-without-packages', 'secret-canary-not-found'],
    missing: ['secrets', 'vulnerabilities'],
  },
  {
    tool: 'trivy',
    lie: 'kind-removed',
    reasons: ['canary-not-found', 'report-without-packages'],
    missing: ['vulnerabilities'],
  },
  {
    tool: 'trivy',
    lie: 'suppressed',
    reasons: ['trivy-findings-suppressed'],
    missing: ['inventory', 'vulnerabilities'],
  },
  {
    tool: 'trivy',
    lie: 'lowered',
    reasons: ['canary-severity-changed', 'secret-canary-not-found'],
    missing: ['secrets'],
  },
  {
    tool: 'trivy',
    lie: 'no-findings',
    reasons: ['canary-not-found', 'secret-canary-not-found'],
    missing: ['secrets'],
  },
  { tool: 'trivy', lie: 'image-lowered', reasons: ['canary-severity-changed'], missing: [] },
  { tool: 'trivy', lie: 'image-no-findings', reasons: ['canary-not-found'], missing: [] },
  { tool: 'trivy', lie: 'last-layer-lowered', reasons: ['canary-severity-changed'], missing: [] },
  { tool: 'trivy', lie: 'last-layer-clean', reasons: ['canary-not-found'], missing: [] },
  { tool: 'trivy', lie: 'last-layer-absent', reasons: ['canary-not-found'], missing: [] },
  { tool: 'trivy', lie: 'remembers-places', reasons: ['canary-not-found'], missing: [] },
  {
    tool: 'trivy',
    lie: 'all-in-last-layer',
    reasons: ['canary-layer-foreign'],
    missing: ['inventory', 'vulnerabilities'],
  },
  { tool: 'syft', lie: 'silent', reasons: ['syft-no-output'], missing: SYFT_FACTS },
  { tool: 'syft', lie: 'link', reasons: ['foreign-output'], missing: SYFT_FACTS },
  { tool: 'syft', lie: 'hanging', reasons: ['syft-timed-out'], missing: SYFT_FACTS },
  { tool: 'syft', lie: 'exit-1', reasons: ['syft-exit-code'], missing: SYFT_FACTS },
  { tool: 'syft', lie: 'half-json', reasons: ['syft-output-truncated'], missing: SYFT_FACTS },
  { tool: 'syft', lie: 'another-image', reasons: ['sbom-of-another-image'], missing: SYFT_FACTS },
  { tool: 'syft', lie: 'no-packages', reasons: ['sbom-without-packages'], missing: ['sboms'] },
]

test('the real tools leave no problem on this image', async () => {
  const inspection = await bench.inspect({ layoutDir, database })
  expect(inspection.problems).toEqual([])
})

test.each(TABLE)('$tool that is $lie', async row => {
  const liar = await writeLiar(bench.dir, row.tool, row.lie)
  const timeoutMs = row.lie === 'hanging' ? 8000 : 120_000
  const inspection = await bench.inspect({ layoutDir, database, [row.tool]: liar, timeoutMs })
  await rm(dirname(liar), { recursive: true })
  const platform = onlyPlatform(inspection)
  const facts = { canary: inspection.canary, ...platform }
  const names = ['canary', 'contents', 'inventory', 'sboms', 'secrets', 'vulnerabilities'] as const
  expect({
    reasons: [...new Set(inspection.problems.map(problem => problem.reason))].sort(),
    missing: names.filter(name => facts[name].state === 'missing'),
  }).toEqual({ reasons: row.reasons, missing: row.missing })
})

test('a canary that is lost is in the facts as not found', async () => {
  const liar = await writeLiar(bench.dir, 'trivy', 'lowered')
  const { canary } = await bench.inspect({ layoutDir, database, trivy: liar })
  if (canary.state !== 'present') throw new Error('the canary was expected to be present')
  // Without a pinned severity only the presence counts.
  expect(canary.value.expected.filter(plant => plant.found).map(plant => plant.severity)).toEqual([
    'unknown',
    'unknown',
  ])
})

test('a liar about images alone passes the canary of documents, and is found out in the image', async () => {
  const liar = await writeLiar(bench.dir, 'trivy', 'image-lowered')
  const { canary } = await bench.inspect({ layoutDir, database, trivy: liar })
  if (canary.state !== 'present') throw new Error('the canary was expected to be present')
  expect(canary.value.expected.every(plant => plant.found)).toBe(true)
  expect(canary.value.inBand?.map(one => [one.ecosystem, one.found])).toEqual([
    ['npm', false],
    ['pypi', false],
    ['deb', false],
    ['deb', false],
  ])
})

test('an empty database is valid to the scanner, and caught by the canary', async () => {
  const rows = join(bench.dir, 'none.jsonl')
  await writeFile(rows, '')
  const empty = await bench.database(await makeEmptyDatabase(join(bench.dir, 'empty-db'), rows))
  const inspection = await bench.inspect({ layoutDir, database: empty })
  expect(inspection.problems.map(problem => problem.reason)).toEqual([
    'canary-not-found',
    'canary-not-found',
    'os-release-unknown',
  ])
})
