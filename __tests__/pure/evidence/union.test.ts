import type { VulnerabilityScan, Package } from '../../../src/evidence/scan.js'
import type { SyftInventory } from '../../../src/evidence/syft-report.js'
import { planUnion, readUnionReport, type UnionInput } from '../../../src/evidence/union.js'
import { digestOf } from '../../support/layouts.js'
import { reasonOf } from '../../support/reasons.js'

const LAYER = digestOf('layer')
const OTHER = digestOf('another layer')
const IMAGE = digestOf('image')
const os = { family: 'debian', name: '12.5', endOfLife: false }

function pkg(purl: string, more: Partial<Package> = {}): Package {
  const [, type = '', name = '', version = ''] = /^pkg:([a-z]+)\/(?:.*\/)?([^@?]+)@?([^?]*)/.exec(purl) ?? []
  return { purl, type, name, version: decodeURIComponent(version), ...more }
}

function plan(
  syft: readonly Package[],
  scan: Partial<VulnerabilityScan> = {},
  more: Partial<Pick<UnionInput, 'contents'>> & { owners?: SyftInventory['systemOwners'] } = {},
) {
  const { owners = new Map<Package, Package>(), ...rest } = more
  const inventory = { packages: syft, ownedByOs: [...owners.keys()], systemOwners: owners, subject: IMAGE }
  return planUnion({ scan: { imageId: IMAGE, os, packages: [], findings: [], ...scan }, inventory, ...rest })
}

const asked = (made: ReturnType<typeof plan>) =>
  made.documents.flatMap(document =>
    [...document.parts.values()].flatMap(places => places.map(one => one.purl)),
  )

describe('planUnion', () => {
  const LISTED: readonly (readonly [string, string])[] = [
    [
      'pkg:deb/debian/zlib1g@1:1.2-3?arch=amd64',
      'pkg:deb/debian/zlib1g@1%3A1.2-3?arch=amd64&distro=debian-12',
    ],
    ['pkg:rpm/redhat/a@1-2?epoch=1', 'pkg:rpm/redhat/a@1:1-2'],
    ['pkg:golang/stdlib@v1.22.1', 'pkg:golang/stdlib@1.22.1'],
    ['pkg:golang/example.com/me', 'pkg:golang/example.com/me@UNKNOWN'],
    ['pkg:golang/example.com/me', 'pkg:golang/example.com/me@(devel)'],
    ['pkg:pypi/a-b@1', 'pkg:pypi/a_b@1'],
  ]
  test.each(LISTED)('%s and %s are the same package', (trivy, syft) => {
    expect(plan([pkg(syft)], { packages: [pkg(trivy)] })).toEqual({
      ...{ documents: [], notMatched: [], leftToSystem: [] },
    })
  })

  test('what the scanner has no advisories for, and what has no version, is said', () => {
    const made = plan([
      pkg('pkg:generic/python@3.11', { path: 'usr/bin/python' }),
      pkg('pkg:github/actions/checkout@v4'),
      pkg('pkg:npm/a', { path: 'a/package.json' }),
      pkg('pkg:pypi/b@UNKNOWN'),
    ])
    expect(made.documents).toEqual([])
    expect(made.notMatched).toEqual([
      { purl: 'pkg:generic/python@3.11', path: 'usr/bin/python', why: 'no-advisories' },
      { purl: 'pkg:github/actions/checkout@v4', why: 'no-advisories' },
      { purl: 'pkg:npm/a', path: 'a/package.json', why: 'no-version' },
      { purl: 'pkg:pypi/b@UNKNOWN', why: 'no-version' },
    ])
  })

  test('the document carries the system, the source packages, and one component for each package', () => {
    const made = plan([
      pkg('pkg:deb/debian/libcurl4@1:7.88-1?arch=amd64', { sourceName: 'curl', sourceVersion: '2:7.87-9' }),
      pkg('pkg:npm/%40a/b@1', { path: 'x' }),
      pkg('pkg:npm/%40a/b@1', { path: 'y' }),
    ])
    const [system, language] = made.documents.map(document => JSON.parse(document.text) as object)
    expect(system).toMatchObject({
      components: [
        { type: 'operating-system', name: 'debian', version: '12.5' },
        {
          ...{ 'bom-ref': 'deb-0', name: 'libcurl4', version: '1:7.88-1' },
          properties: [
            { name: 'aquasecurity:trivy:SrcName', value: 'curl' },
            { name: 'aquasecurity:trivy:SrcVersion', value: '7.87' },
            { name: 'aquasecurity:trivy:SrcRelease', value: '9' },
            { name: 'aquasecurity:trivy:SrcEpoch', value: '2' },
          ],
        },
      ],
    })
    expect(language).toMatchObject({ components: [{ 'bom-ref': 'language-0', name: '@a/b', version: '1' }] })
    expect(made.documents[1]?.parts.get('language-0')?.map(one => one.path)).toEqual(['x', 'y'])
  })

  test('the version of apk is not taken apart', () => {
    const alpine = { os: { family: 'alpine', name: '3.20.0', endOfLife: false } }
    const [document] = plan(
      [pkg('pkg:apk/alpine/libssl3@3.3.1-r0', { sourceName: 'openssl' })],
      alpine,
    ).documents
    expect(document?.text).toContain('"aquasecurity:trivy:SrcVersion","value":"3.3.1-r0"')
  })

  test('packages of an unknown system are refused', () => {
    const deb = [pkg('pkg:deb/debian/a@1')]
    const none = { os: { family: 'none', name: '', endOfLife: false } }
    expect(reasonOf(() => plan(deb, none))).toBe('os-release-unknown')
    const scan = { imageId: IMAGE, packages: [], findings: [] }
    const inventory = { packages: deb, ownedByOs: [], systemOwners: new Map(), subject: IMAGE }
    expect(reasonOf(() => planUnion({ scan, inventory }))).toBe('os-release-unknown')
  })

  describe('what a system package brought', () => {
    const six = pkg('pkg:pypi/six@1', { path: 'lib/six.egg-info', layer: LAYER })
    const deb = pkg('pkg:deb/debian/python3-six@1:1-1?arch=all')
    const brought = { contents: { systemMetadata: { 'lib/six.egg-info': 'pkg:deb/python3-six@1%3A1-1' } } }
    const rpm = pkg('pkg:rpm/redhat/python3-six@1-1?arch=noarch')
    const owners = new Map([[six, rpm]])
    const rows: readonly (readonly [
      string,
      Parameters<typeof plan>[1],
      Parameters<typeof plan>[2],
      boolean,
    ])[] = [
      ['proved, owner listed', { packages: [deb] }, brought, true],
      ['proved, owner not listed', { packages: [] }, brought, false],
      [
        'proved, owner listed in another version',
        { packages: [pkg('pkg:deb/debian/python3-six@2')] },
        brought,
        false,
      ],
      ['not proved', { packages: [deb] }, {}, false],
      ['not proved, Syft says so', { packages: [deb] }, { owners: new Map([[six, deb]]) }, false],
      [
        'rpm, written with its database',
        { packages: [rpm] },
        { owners, contents: { rpmLayers: [LAYER] } },
        true,
      ],
      [
        'rpm, written in another layer',
        { packages: [rpm] },
        { owners, contents: { rpmLayers: [OTHER] } },
        false,
      ],
      ['rpm, owner not listed', { packages: [] }, { owners, contents: { rpmLayers: [LAYER] } }, false],
    ]
    test.each(rows)('%s', (_name, scan, more, left) => {
      const made = plan([six], scan, more)
      expect([made.leftToSystem.length, asked(made).length]).toEqual(left ? [1, 0] : [0, 1])
    })
  })
})

describe('readUnionReport', () => {
  const places = [pkg('pkg:npm/a@1', { path: 'x', layer: LAYER }), pkg('pkg:npm/a@1', { path: 'y' })]
  const [document] = plan(places).documents
  if (document === undefined) throw new Error('no document')
  const row = { Name: 'a', Version: '1', Identifier: { BOMRef: 'language-0', PURL: 'pkg:npm/a@1' } }
  const finding = {
    ...{ VulnerabilityID: 'CVE-1', PkgName: 'a', InstalledVersion: '1', Severity: 'HIGH', FixedVersion: '2' },
    PkgIdentifier: { BOMRef: 'language-0' },
  }
  const result = (changes: object = {}) => ({
    Target: 'Node.js',
    Class: 'lang-pkgs',
    Packages: [row],
    Vulnerabilities: [finding],
    ...changes,
  })
  const report = (changes: object = {}, results: readonly object[] = [result()]) =>
    JSON.stringify({
      SchemaVersion: 2,
      ArtifactName: 'union.json',
      ArtifactType: 'cyclonedx',
      Results: results,
      ...changes,
    })
  const read = (text: string) => readUnionReport(text, document, 'linux/amd64')

  test('a finding is bound to every place of its package', () => {
    expect(read(report())).toMatchObject({
      packages: [
        { path: 'x', via: 'union' },
        { path: 'y', via: 'union' },
      ],
      findings: [
        {
          id: 'CVE-1',
          severity: 'high',
          fixedIn: ['2'],
          path: 'x',
          layer: LAYER,
          via: 'union',
          platform: 'linux/amd64',
        },
        { id: 'CVE-1', path: 'y', via: 'union' },
      ],
    })
  })

  const lies: readonly (readonly [string, string, string])[] = [
    ['nothing was read', report({}, []), 'union-packages-not-matched'],
    ['findings and no package', report({}, [result({ Packages: [] })]), 'union-packages-not-matched'],
    [
      'another component',
      report({}, [result({ Packages: [row, { ...row, Identifier: { BOMRef: 'b' } }] })]),
      'union-output-unexpected',
    ],
    [
      'a finding of nothing',
      report({}, [result({ Vulnerabilities: [{ ...finding, PkgIdentifier: {} }] })]),
      'union-output-unexpected',
    ],
    ['about an image', report({ ArtifactType: 'container_image' }), 'union-output-unexpected'],
    ['suppressed', report({}, [result({ ExperimentalModifiedFindings: [{}] })]), 'union-findings-suppressed'],
    ['cut', report().slice(0, 40), 'union-output-truncated'],
    ['empty', '', 'union-no-output'],
  ]
  test.each(lies)('refused: %s', (_name, text, reason) => {
    expect(reasonOf(() => read(text))).toBe(reason)
  })
})
