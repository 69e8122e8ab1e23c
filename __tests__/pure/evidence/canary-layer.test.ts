import { readInBand } from '../../../src/evidence/canary-in-band.js'
import { isPlanted, planCanary, planSbom } from '../../../src/evidence/canary-plan.js'
import { withoutCanaryText } from '../../../src/evidence/canary-report.js'
import type { DiffId } from '../../../src/evidence/digest.js'
import { packageDatabaseOf, isJavaArchive } from '../../../src/evidence/layer-names.js'
import type { Finding, Severity, VulnerabilityScan } from '../../../src/evidence/scan.js'
import { reasonOf } from '../../support/reasons.js'

const TOKEN = '0123456789abcdef'.repeat(2)
const OLD = 'lib/apk/db/installed'
const NEW = 'usr/lib/apk/db/installed'
const id = (letter: string): DiffId => `sha256:${letter.repeat(64)}`

const plan = (packageDatabases: readonly string[], javaArchives = 0) =>
  planCanary({ packageDatabases, javaArchives }, TOKEN)

test.each([
  ['nothing', [], 0, 'npm pypi', []],
  ['dpkg', ['var/lib/dpkg/status'], 0, 'npm pypi deb deb', []],
  ['dpkg, one file each', ['var/lib/dpkg/status.d'], 0, 'npm pypi deb deb', []],
  ['apk, old place', [OLD], 0, 'npm pypi apk apk', [NEW]],
  ['apk, new place', [NEW], 0, 'npm pypi apk apk', [OLD]],
  ['apk, both places', [NEW, OLD], 0, 'npm pypi', []],
  ['rpm', ['var/lib/rpm/rpmdb.sqlite'], 0, 'npm pypi', []],
  ['Java', [], 3, 'npm pypi maven', []],
])('a layer for an image with %s', (_name, databases, java, kinds, apk) => {
  const made = plan(databases, java)
  expect(made.packages.map(plant => plant.kind).join(' ')).toBe(kinds)
  const paths = made.files.map(file => file.path)
  expect(paths.filter(path => path.endsWith('/installed'))).toEqual(apk)
  // Whatever is not the free database of apk has a name that no image can know.
  for (const path of paths.filter(path => !path.endsWith('/installed'))) expect(path).toContain(TOKEN)
  expect(paths.filter(path => databases.includes(path))).toEqual([])
})

test('what a layer cannot prove is said', () => {
  expect(plan(['var/lib/rpm/Packages']).notCovered).toEqual([expect.stringMatching(/^rpm: /)])
  expect(plan([OLD, NEW]).notCovered).toEqual([expect.stringMatching(/^apk: both places/)])
})

test.each([
  ['var/lib/dpkg/status', 'var/lib/dpkg/status'],
  ['var/lib/dpkg/status.d/base', 'var/lib/dpkg/status.d'],
  ['var/lib/dpkg/status-old', undefined],
  [OLD, OLD],
  [`${OLD}.new`, undefined],
  ['usr/lib/sysimage/rpm/rpmdb.sqlite', 'usr/lib/sysimage/rpm/rpmdb.sqlite'],
  ['app/var/lib/dpkg/status', undefined],
])('the package database of %s', (path, database) => {
  expect(packageDatabaseOf(path)).toBe(database)
})

test.each([
  ['a.jar', true],
  ['opt/A.WAR', true],
  ['a.ear', true],
  ['a.par', true],
  ['a.jar.txt', false],
])('%s is a Java archive: %s', (path, is) => {
  expect(isJavaArchive(path)).toBe(is)
})

const SYSTEM = { family: 'debian', name: '12.5' }
const DEBIAN = plan(['var/lib/dpkg/status'])
const purls = [
  'pkg:npm/minimist@1.2.5',
  'pkg:pypi/langchain@0.0.170',
  ...[0, 1].map(at => `pkg:deb/debian/p${at}${TOKEN}@${at === 0 ? '7.50.0' : '1.0.2'}-1?distro=debian-12.5`),
]

test('the same packages stand in the document that is matched by another road', () => {
  const components: unknown = JSON.parse(planSbom(DEBIAN, SYSTEM))
  expect(components).toMatchObject({
    components: [{ name: 'debian', version: '12.5' }, ...purls.map(purl => ({ purl }))],
  })
  expect(planSbom(DEBIAN)).not.toContain(TOKEN)
  DEBIAN.packages.forEach((plant, at) => expect(isPlanted(purls[at] ?? '', plant)).toBe(true))
})

interface Row {
  readonly id: string
  readonly purl: string
  readonly severity: Severity
}
const TRUTH: readonly Row[] = [
  { id: 'CVE-2021-44906', purl: purls[0] ?? '', severity: 'critical' },
  { id: 'CVE-2023-36281', purl: purls[1] ?? '', severity: 'critical' },
  { id: 'CVE-2022-0001', purl: purls[2] ?? '', severity: 'low' },
  { id: 'CVE-2022-0002', purl: purls[2] ?? '', severity: 'unknown' },
]

function scanOf(rows: readonly Row[], layer: DiffId = id('c')): VulnerabilityScan {
  const findings = rows.map((row): Finding => {
    const { id: advisory, purl, severity } = row
    const shared = { aliases: [], package: 'x', version: '1', platform: 'linux/amd64', fixedIn: [] }
    return { ...shared, id: advisory, purl, severity, status: 'fixed', layer }
  })
  return { imageId: id('d'), os: { ...SYSTEM, endOfLife: false }, packages: [], findings }
}

function sbomReport(rows: readonly Row[]): string {
  const Vulnerabilities = rows.map(row => ({
    VulnerabilityID: row.id,
    PkgName: 'any',
    PkgIdentifier: { PURL: row.purl },
    Severity: row.severity.toUpperCase(),
  }))
  const Results = [{ Target: 'x', Vulnerabilities }]
  return JSON.stringify({ SchemaVersion: 2, ArtifactName: 'canary.json', ArtifactType: 'cyclonedx', Results })
}

const read = (scan: VulnerabilityScan, truth = TRUTH) =>
  readInBand(DEBIAN, { scan, truth: sbomReport(truth), added: [id('c')] }, 'linux/amd64')
const changed = (at: number, change: Partial<Row>): readonly Row[] =>
  TRUTH.map((row, index) => (index === at ? { ...row, ...change } : row))

test.each<[string, VulnerabilityScan, readonly string[]]>([
  ['all there', scanOf(TRUTH), []],
  ['in another layer', scanOf(TRUTH, id('a')), ['CVE-2021-44906', 'CVE-2023-36281', 'CVE-2022-0001']],
  ['nothing', scanOf([]), ['CVE-2021-44906', 'CVE-2023-36281', 'CVE-2022-0001']],
  ['one of many lost', scanOf(TRUTH.slice(0, 3)), ['CVE-2022-0002']],
  ['one lowered', scanOf(changed(0, { severity: 'high' })), ['CVE-2021-44906']],
  ['one raised', scanOf(changed(2, { severity: 'high' })), ['CVE-2022-0001']],
  ['another advisory', scanOf(changed(2, { id: 'CVE-2022-0009' })), ['CVE-2022-0001']],
])('in the scan of the image: %s', (_name, scan, lost) => {
  const { readings } = read(scan)
  expect(readings.filter(one => !one.found).map(one => one.id)).toEqual(lost)
  expect(readings.map(one => one.purl)).toEqual([
    ...['pkg:npm/minimist@1.2.5', 'pkg:pypi/langchain@0.0.170', 'pkg:deb/debian/curl@7.50.0-1'],
  ])
})

test('what is pinned counts even where both roads keep silent about it', () => {
  const { readings } = read(scanOf(TRUTH.slice(1)), TRUTH.slice(1))
  expect(readings.find(one => one.ecosystem === 'npm')).toMatchObject({ found: false, reported: null })
})

test('a kind of the system without any advisory is said, never counted as proved', () => {
  const { readings, notCovered } = read(scanOf(TRUTH.slice(0, 2)), TRUTH.slice(0, 2))
  expect(readings.map(one => one.ecosystem)).toEqual(['npm', 'pypi'])
  expect(notCovered).toEqual([expect.stringContaining('linux/amd64, deb: the database has no advisory')])
})

test('a report that puts more into the layer than it holds is refused', () => {
  const rows = [...TRUTH, { id: 'CVE-2024-0001', purl: 'pkg:npm/own@1.0.0', severity: 'high' as const }]
  expect(reasonOf(() => read(scanOf(rows)))).toBe('canary-layer-foreign')
})

const ABOUT = { derived: { imageId: id('d'), added: [id('c')] }, imageId: id('e'), token: TOKEN }
const report = (row: object, metadata: object = {}) =>
  JSON.stringify({
    ArtifactID: id('d'),
    Metadata: { ImageID: id('d'), DiffIDs: [id('a'), id('c')], ...metadata },
    Results: [{ Target: 'x', Class: 'lang-pkgs', Packages: [{ Name: 'own' }, row] }],
  })

test('rows of the layer are taken out of the text, and the image is named again', () => {
  const text = withoutCanaryText(report({ Name: TOKEN, Layer: { DiffID: id('c') } }), ABOUT)
  expect(JSON.parse(text)).toEqual({
    ArtifactID: id('e'),
    Metadata: { ImageID: id('e'), DiffIDs: [id('a')] },
    Results: [{ Target: 'x', Class: 'lang-pkgs', Packages: [{ Name: 'own' }] }],
  })
})

test.each([
  ['in another layer', report({ Name: TOKEN, Layer: { DiffID: id('a') } })],
  ['in no layer', report({ Name: TOKEN })],
  ['by the name of its layer', report({ Name: 'x', From: id('c') })],
  ['by the id of the derived image', report({ Name: 'x' }, { Other: id('d') })],
])('a trace that cannot be taken out refuses the report: %s', (_name, text) => {
  expect(reasonOf(() => withoutCanaryText(text, ABOUT))).toBe('canary-not-subtracted')
})
