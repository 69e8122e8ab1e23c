import { parseCycloneDx } from '../../../src/evidence/cyclonedx.js'
import { countElements, lackingWords, percentOf } from '../../../src/evidence/minimum-elements.js'
import type { PackageElements } from '../../../src/evidence/minimum-elements.js'
import { parseSpdx } from '../../../src/evidence/spdx.js'
import { CYCLONEDX, MANIFEST, SBOM_IMAGE, SPDX } from '../../support/scanner-reports.js'

const ALL: PackageElements = {
  supplier: true,
  name: true,
  version: true,
  identifier: true,
  relationship: true,
}
const SAID = { author: true, timestamp: true }

describe('percentOf and lackingWords', () => {
  test.each<[string, readonly PackageElements[], typeof SAID, number, string]>([
    ['nothing is lacking', [ALL, ALL], SAID, 100, ''],
    ['no packages', [], SAID, 100, ''],
    ['no packages, nobody', [], { author: false, timestamp: false }, 0, 'no author, no timestamp'],
    ['one of twelve', [ALL, { ...ALL, supplier: false }], SAID, 91, 'supplier 1'],
    [
      'most first',
      [
        { ...ALL, supplier: false },
        { ...ALL, supplier: false, version: false },
      ],
      { author: true, timestamp: false },
      66,
      'supplier 2, version 1, no timestamp',
    ],
    [
      'never 100 while one lacks',
      Array.from({ length: 999 }, (_, at) => (at === 0 ? { ...ALL, name: false } : ALL)),
      SAID,
      99,
      'name 1',
    ],
  ])('%s', (_what, packages, document, percent, words) => {
    const counted = countElements(packages, document)
    expect([percentOf(counted), lackingWords(counted)]).toEqual([percent, words])
  })
})

const NONE = { supplier: 0, name: 0, version: 0, identifier: 0, relationship: 0 }

function spdxWith(change: object): unknown {
  const base = {
    ...{ SPDXID: 'SPDXRef-p', name: 'curl', versionInfo: '1', supplier: 'Organization: x' },
    externalRefs: [
      { referenceCategory: 'PACKAGE-MANAGER', referenceType: 'purl', referenceLocator: 'pkg:deb/curl@1' },
    ],
  }
  const root = SPDX.packages.filter(one =>
    SPDX.relationships.some(
      row => row.relatedSpdxElement === one.SPDXID && row.relationshipType === 'DESCRIBES',
    ),
  )
  const described = SPDX.relationships.filter(row => row.relationshipType === 'DESCRIBES')
  const contains = {
    spdxElementId: root[0]?.SPDXID,
    relatedSpdxElement: 'SPDXRef-p',
    relationshipType: 'CONTAINS',
  }
  const creationInfo = { created: '2026-11-22T00:00:00Z', creators: ['Tool: syft'] }
  return {
    ...SPDX,
    creationInfo,
    packages: [...root, { ...base, ...change }],
    relationships: [...described, contains],
  }
}

describe('SPDX', () => {
  test.each<[string, object, object]>([
    ['all there', {}, {}],
    ['supplier not asserted', { supplier: 'NOASSERTION' }, { supplier: 1 }],
    ['no version', { versionInfo: undefined }, { version: 1 }],
    [
      'no identifier',
      { externalRefs: [{ referenceType: 'website', referenceLocator: 'x' }] },
      { identifier: 1 },
    ],
    ['a blank name', { name: ' ' }, { name: 1 }],
    ['related to nothing', { SPDXID: 'SPDXRef-other' }, { relationship: 1 }],
    ['a supplier that is no text', { supplier: 7 }, { supplier: 1 }],
  ])('%s', (_what, change, lacking) => {
    const { minimum } = parseSpdx(JSON.stringify(spdxWith(change)), SBOM_IMAGE)
    expect(minimum).toEqual({ packages: 1, lacking: { ...NONE, ...lacking }, ...SAID })
  })
})

describe('CycloneDX', () => {
  const base = {
    type: 'library',
    name: 'a',
    version: '1',
    purl: 'pkg:npm/a@1',
    publisher: 'x',
    'bom-ref': 'r',
  }
  test.each<[string, object, object]>([
    ['all there', {}, {}],
    ['a supplier instead of a publisher', { publisher: undefined, supplier: { name: 'x' } }, {}],
    ['neither', { publisher: undefined }, { supplier: 1 }],
    ['a CPE instead of a purl', { purl: undefined, cpe: 'cpe:2.3:a:x' }, {}],
    ['neither purl nor CPE', { purl: undefined }, { identifier: 1 }],
    ['no version', { version: undefined }, { version: 1 }],
    ['in no dependency', { 'bom-ref': 'other' }, { relationship: 1 }],
  ])('%s', (_what, change, lacking) => {
    const text = JSON.stringify({
      ...CYCLONEDX,
      metadata: { ...CYCLONEDX.metadata, timestamp: '2026-11-22T00:00:00Z', tools: { components: [] } },
      components: [{ ...base, ...change }],
      dependencies: [{ ref: 'root', dependsOn: ['r'] }],
    })
    const { minimum, subject } = parseCycloneDx(text, SBOM_IMAGE)
    expect(subject).toBe(MANIFEST)
    expect(minimum).toEqual({ packages: 1, lacking: { ...NONE, ...lacking }, ...SAID })
  })
})
