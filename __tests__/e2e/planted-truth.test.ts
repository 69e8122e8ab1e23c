import { join } from 'node:path'
import type { PlatformEvidence } from '../../src/evidence/evidence.js'
import { parsePurl } from '../../src/evidence/purl.js'
import type { Inspection } from '../../src/inspect/inspect.js'
import { debianLayout, expectedFindings, SITE } from '../support/debian-root.js'
import { type Bench, onlyPlatform, openBench } from '../support/inspection.js'
import { makeDatabase } from '../support/tools.js'

// A real Debian root file system with real old Python wheels. What must be found is computed from the advisory rows
// by Python's `packaging`, not by the scanner and not by the gate.
let bench: Bench
let inspection: Inspection
let evidence: PlatformEvidence
beforeAll(async () => {
  bench = await openBench()
  const database = await bench.database(await makeDatabase(join(bench.dir, 'db')))
  const layoutDir = await debianLayout(join(bench.dir, 'layout'))
  inspection = await bench.inspect({ layoutDir, database })
  evidence = onlyPlatform(inspection)
}, 900_000)
afterAll(() => bench.close())

function scan() {
  if (evidence.vulnerabilities.state !== 'present') throw new Error(JSON.stringify(evidence.vulnerabilities))
  return evidence.vulnerabilities.value
}

test('exactly the planted findings are found, package by package', async () => {
  const found: Record<string, string[]> = {}
  for (const { purl } of scan().packages) {
    const parts = parsePurl(purl)
    if (parts?.type === 'pypi') found[`${parts.name} ${parts.version}`] = []
  }
  for (const { purl, id } of scan().findings) {
    const parts = parsePurl(purl)
    if (parts?.type === 'pypi') found[`${parts.name} ${parts.version}`]?.push(id)
  }
  for (const ids of Object.values(found)) ids.sort()
  const expected = await expectedFindings()
  expect(found).toEqual(expected)
  expect(expected['idna 3.7']).toEqual([])
  expect(Object.values(expected).flat().length).toBeGreaterThan(50)
})

test('each finding names the file and the layer that its package is in', () => {
  if (evidence.contents.state !== 'present') throw new Error(JSON.stringify(evidence.contents))
  const top = evidence.contents.value.layers[1]?.diffId
  for (const finding of scan().findings.filter(one => one.purl.startsWith('pkg:pypi/'))) {
    expect(finding.path).toMatch(new RegExp(`^${SITE}/.*\\.dist-info/METADATA$`))
    expect(finding.layer).toBe(top)
  }
})

test('nothing is missing, both inventories agree on a real distribution, and every executable is explained', () => {
  expect(inspection.problems).toEqual([])
  expect(evidence.inventory).toMatchObject({ state: 'present', value: { onlyTrivy: [], onlySyft: [] } })
  expect(scan().packages.filter(found => found.type === 'deb').length).toBeGreaterThan(80)
  expect(scan().os?.family).toBe('debian')
  if (evidence.contents.state !== 'present') throw new Error(JSON.stringify(evidence.contents))
  expect(evidence.contents.value.unexplained.map(file => file.path)).toEqual([])
})
