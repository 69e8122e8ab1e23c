import { parseCycloneDx } from '../../../src/evidence/cyclonedx.js'
import { compareInventories, whySbomIncomplete, whyScanIncomplete } from '../../../src/evidence/inventory.js'
import { comparablePurl, parsePurl } from '../../../src/evidence/purl.js'
import { parseSpdx } from '../../../src/evidence/spdx.js'
import { parseSyftReport } from '../../../src/evidence/syft-report.js'
import { parseTrivyReport, severityOf } from '../../../src/evidence/trivy-report.js'
import { reasonOf } from '../../support/reasons.js'
import {
  BASE,
  CYCLONEDX,
  IMAGE_ID,
  MANIFEST,
  REPORTED,
  SBOM_IMAGE,
  SPDX,
  SYFT,
  TOP,
  TRIVY,
} from '../../support/scanner-reports.js'

const text = (value: unknown): string => JSON.stringify(value)
const METADATA_FILE = 'usr/local/lib/python3.11/dist-packages/Django-2.2.dist-info/METADATA'

describe('the package report of Trivy', () => {
  const scan = parseTrivyReport(text(TRIVY), REPORTED)

  test('packages carry purl, full version, source, file and layer', () => {
    expect(scan.os).toEqual({ family: 'debian', name: '12.15', endOfLife: false })
    expect(scan.packages).toEqual([
      {
        purl: 'pkg:deb/debian/bsdutils@2.38.1-5%2Bdeb12u3?arch=amd64&distro=debian-12.15&epoch=1',
        name: 'bsdutils',
        version: '1:2.38.1-5+deb12u3',
        type: 'deb',
        layer: BASE,
        sourceName: 'util-linux',
        sourceVersion: '2.38.1-5+deb12u3',
      },
      {
        purl: 'pkg:pypi/django@2.2',
        name: 'Django',
        version: '2.2',
        type: 'pypi',
        path: METADATA_FILE,
        layer: TOP,
      },
      {
        purl: 'pkg:generic/stdlib@v1.20',
        name: 'stdlib',
        version: 'v1.20',
        type: 'generic',
        path: 'usr/bin/tool',
        layer: TOP,
      },
    ])
  })

  test('findings keep ids, fixes and dates; a severity nobody knows is unknown', () => {
    expect(scan.findings).toEqual([
      {
        id: 'CVE-2024-28085',
        aliases: [],
        purl: 'pkg:deb/debian/bsdutils@2.38.1-5%2Bdeb12u3?arch=amd64&distro=debian-12.15&epoch=1',
        package: 'bsdutils',
        version: '1:2.38.1-5+deb12u3',
        sourcePackage: 'util-linux',
        layer: BASE,
        platform: 'linux/amd64',
        severity: 'unknown',
        status: 'affected',
        fixedIn: [],
      },
      {
        id: 'CVE-2019-12308',
        aliases: ['PYSEC-2019-79', 'GHSA-7rp2-fm2h-wchj'],
        purl: 'pkg:pypi/django@2.2',
        package: 'Django',
        version: '2.2',
        path: METADATA_FILE,
        layer: TOP,
        platform: 'linux/amd64',
        severity: 'medium',
        severitySource: 'ghsa',
        status: 'fixed',
        fixedIn: ['2.1.9', '1.11.21', '2.2.2'],
        published: '2019-06-03T17:29:00Z',
        title: 'CVE-2019-12308 in django',
      },
    ])
  })

  const whole = text(TRIVY)
  const other = IMAGE_ID.replaceAll('1', '9')
  test.each([
    ['empty', '', 'trivy-no-output'],
    ['only blanks', ' \n', 'trivy-no-output'],
    ['half', whole.slice(0, whole.length / 2), 'trivy-output-truncated'],
    ['another format', text({ bomFormat: 'CycloneDX' }), 'trivy-output-unexpected'],
    ['another schema', text({ ...TRIVY, SchemaVersion: 3 }), 'trivy-output-unexpected'],
    ['null', 'null', 'trivy-output-unexpected'],
    ['of a folder', text({ ...TRIVY, ArtifactType: 'filesystem' }), 'trivy-output-unexpected'],
    ['a package without a name', whole.replaceAll('"Name":"Django"', '"Name":""'), 'trivy-output-unexpected'],
    ['results of another kind', text({ ...TRIVY, Results: 'none' }), 'trivy-output-unexpected'],
    ['of another image', whole.replaceAll(IMAGE_ID, other), 'report-of-another-image'],
    ['without an image id', text({ ...TRIVY, Metadata: {} }), 'report-of-another-image'],
    ['without metadata', text({ ...TRIVY, Metadata: undefined }), 'report-of-another-image'],
    [
      'of other layers',
      text({ ...TRIVY, Metadata: { ...TRIVY.Metadata, DiffIDs: [BASE] } }),
      'report-of-another-image',
    ],
    [
      'with suppressed findings',
      text({ ...TRIVY, Results: [{ Target: 'x', ExperimentalModifiedFindings: [{ Status: 'ignored' }] }] }),
      'trivy-findings-suppressed',
    ],
  ])('a report that is %s is refused', (_name, report, reason) => {
    expect(reasonOf(() => parseTrivyReport(report, REPORTED))).toBe(reason)
  })

  test.each([undefined, null])(
    'no results (%p) is an answer without packages, to be doubted elsewhere',
    Results => {
      const none = parseTrivyReport(text({ ...TRIVY, Results }), REPORTED)
      expect([none.packages, none.findings]).toEqual([[], []])
    },
  )

  test.each([
    ['CRITICAL', 'critical'],
    ['High', 'high'],
    ['UNKNOWN', 'unknown'],
    ['NEGLIGIBLE', 'unknown'],
    ['', 'unknown'],
    [undefined, 'unknown'],
  ])('severity %p is %s', (word, severity) => expect(severityOf(word)).toBe(severity))
})

describe('the documents of Syft', () => {
  test('its own: packages with place and source, and what belongs to the operating system', () => {
    const inventory = parseSyftReport(text(SYFT), SBOM_IMAGE)
    expect(inventory.packages[0]).toEqual({
      purl: 'pkg:deb/debian/bsdutils@1%3A2.38.1-5%2Bdeb12u3?arch=amd64&distro=debian-12.15&upstream=util-linux',
      name: 'bsdutils',
      version: '1:2.38.1-5+deb12u3',
      type: 'deb',
      path: 'var/lib/dpkg/status',
      layer: BASE,
      sourceName: 'util-linux',
      sourceVersion: '2.38.1-5+deb12u3',
    })
    expect(inventory.ownedByOs.map(found => found.name)).toEqual(['six'])
    expect([inventory.os, inventory.subject]).toEqual([{ id: 'debian', version: '12.15' }, MANIFEST])
  })

  test('SPDX and CycloneDX: subject, and packages without files, system and the image itself', () => {
    expect(parseSpdx(text(SPDX), SBOM_IMAGE)).toMatchObject({ packages: 1, subject: MANIFEST })
    expect(parseCycloneDx(text(CYCLONEDX), SBOM_IMAGE)).toMatchObject({ packages: 2, subject: MANIFEST })
  })

  const other = (value: unknown): string => text(value).replaceAll('2'.repeat(64), '9'.repeat(64))
  const twice = { ...SPDX, relationships: [...SPDX.relationships, ...SPDX.relationships] }
  test.each([
    ['Syft, half', () => parseSyftReport(text(SYFT).slice(0, 300), SBOM_IMAGE), 'syft-output-truncated'],
    ['Syft, empty', () => parseSyftReport('', SBOM_IMAGE), 'syft-no-output'],
    ['Syft, another image', () => parseSyftReport(other(SYFT), SBOM_IMAGE), 'sbom-of-another-image'],
    [
      'Syft, another tool',
      () => parseSyftReport('{"descriptor":{"name":"x"}}', SBOM_IMAGE),
      'syft-output-unexpected',
    ],
    [
      'Syft, of a folder',
      () => parseSyftReport(text({ ...SYFT, source: { type: 'directory', metadata: {} } }), SBOM_IMAGE),
      'syft-output-unexpected',
    ],
    [
      'SPDX, another version',
      () => parseSpdx(text(SPDX).replace('SPDX-2.3', 'SPDX-2.2'), SBOM_IMAGE),
      'spdx-output-unexpected',
    ],
    ['SPDX, another image', () => parseSpdx(other(SPDX), SBOM_IMAGE), 'sbom-of-another-image'],
    ['SPDX, two roots', () => parseSpdx(text(twice), SBOM_IMAGE), 'spdx-output-unexpected'],
    [
      'SPDX, no root',
      () => parseSpdx(text({ ...SPDX, relationships: [] }), SBOM_IMAGE),
      'spdx-output-unexpected',
    ],
    ['SPDX, half', () => parseSpdx(text(SPDX).slice(0, 99), SBOM_IMAGE), 'spdx-output-truncated'],
    [
      'CycloneDX, another version',
      () => parseCycloneDx(text(CYCLONEDX).replace('1.6', '1.7'), SBOM_IMAGE),
      'cyclonedx-output-unexpected',
    ],
    ['CycloneDX, another image', () => parseCycloneDx(other(CYCLONEDX), SBOM_IMAGE), 'sbom-of-another-image'],
    [
      'CycloneDX, half',
      () => parseCycloneDx(text(CYCLONEDX).slice(0, 99), SBOM_IMAGE),
      'cyclonedx-output-truncated',
    ],
  ])('%s: refused', (_name, act, reason) => expect(reasonOf(act)).toBe(reason))
})

describe('two inventories of one image', () => {
  const scan = parseTrivyReport(text(TRIVY), REPORTED)
  const inventory = parseSyftReport(text(SYFT), SBOM_IMAGE)
  const without = (kind: string) => ({
    ...scan,
    packages: scan.packages.filter(found => found.type !== kind),
  })
  const owners = { 'usr/bin/logger': 'pkg:deb/bsdutils@1' }

  test('are compared without qualifiers, epochs and percent signs', () => {
    expect(compareInventories(scan.packages, inventory.packages)).toEqual({
      both: 2,
      onlyTrivy: ['pkg:generic/stdlib@v1.20'],
      onlySyft: ['pkg:pypi/six@1.16.0'],
    })
    expect(comparablePurl('pkg:npm/%40scope/x@1.0.0?a=b#c')).toBe('pkg:npm/@scope/x@1.0.0')
    expect(comparablePurl('not a purl')).toBe('not a purl')
    expect(parsePurl('pkg:')).toBeUndefined()
  })

  test.each([
    ['whole', scan, undefined],
    ['without a kind', without('pypi'), 'it lists no pypi package, but Syft found some'],
    ['without any', { ...scan, packages: [] }, 'it lists no deb, pypi package, but Syft found some'],
  ])('a scan that is %s', (_name, given, why) => {
    expect(whyScanIncomplete(given, { inventory, contents: { owners } })).toBe(why)
  })

  test('what an operating system package owns is no reason for doubt', () => {
    const onlySix = { ...inventory, packages: inventory.ownedByOs }
    expect(
      whyScanIncomplete({ ...scan, packages: [] }, { inventory: onlySix, contents: { owners: {} } }),
    ).toBeUndefined()
  })

  test('the layers are a witness too, when the other scanner is silent', () => {
    const none = { ...scan, packages: [] }
    expect(whyScanIncomplete(none, { contents: { owners } })).toBe(
      'no package is listed, but packages own 1 files of the image',
    )
    expect(whyScanIncomplete(none, { contents: { owners: {} } })).toBeUndefined()
    expect(whyScanIncomplete(scan, {})).toBeUndefined()
  })

  test('SBOMs are held against Trivy in the same way', () => {
    const empty = { ...inventory, packages: [] }
    expect(whySbomIncomplete(inventory, { scan, contents: { owners } })).toBeUndefined()
    expect(whySbomIncomplete(empty, { scan })).toBe('they list no deb, pypi package, but Trivy found some')
    expect(whySbomIncomplete(empty, { contents: { owners } })).toMatch(/^no package is listed/)
  })
})
