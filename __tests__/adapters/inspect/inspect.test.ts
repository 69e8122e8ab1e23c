import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Known } from '../../../src/evidence/known.js'
import type { PreparedDatabase } from '../../../src/inspect/database.js'
import { type Bench, onlyPlatform, openBench } from '../../support/inspection.js'
import { makeLayout } from '../../support/layouts.js'
import { freshToken, SAMPLE, sampleLayout } from '../../support/sample-image.js'
import { makeDatabase } from '../../support/tools.js'

let bench: Bench
let database: PreparedDatabase
beforeAll(async () => {
  bench = await openBench()
  database = await bench.database(await makeDatabase(join(bench.dir, 'db')))
})
afterAll(() => bench.close())

function value<T>(known: Known<T>): T {
  if (known.state !== 'present') throw new Error(`not present: ${JSON.stringify(known)}`)
  return known.value
}

test('one platform: packages, findings, SBOMs, layers and the canary are all there', async () => {
  const layoutDir = await sampleLayout(join(bench.dir, 'one'))
  const inspection = await bench.inspect({ layoutDir, database })
  expect(inspection.problems).toEqual([])
  const evidence = onlyPlatform(inspection)
  const scan = value(evidence.vulnerabilities)
  expect(scan.os).toEqual({ family: 'debian', name: '12.5', endOfLife: false })
  expect(scan.packages.map(found => found.purl.replace(/\?.*/, '')).sort()).toEqual([
    'pkg:deb/debian/curl@7.88.1-10',
    'pkg:deb/debian/zlib1g@1.2.13.dfsg-1',
    'pkg:npm/lodash@4.17.21',
    'pkg:npm/minimist@1.2.5',
    'pkg:pypi/idna@3.7',
    'pkg:pypi/langchain@0.0.170',
  ])
  const minimist = scan.findings.find(finding => finding.package === 'minimist')
  expect(minimist).toMatchObject({
    id: 'CVE-2021-44906',
    aliases: ['GHSA-xvch-5gv4-984h'],
    severity: 'critical',
    status: 'fixed',
    fixedIn: ['1.2.6'],
    path: 'app/node_modules/minimist/package.json',
    platform: 'linux/amd64',
    published: '2022-03-17T16:15:07Z',
  })
  expect(scan.findings.filter(finding => finding.id === 'CVE-2023-38545')).toHaveLength(1)
  expect(value(evidence.secrets).findings).toEqual([])
  expect(value(evidence.sboms).packages).toHaveLength(6)
  expect(value(evidence.inventory)).toEqual({
    ...{ both: 6, onlyTrivy: [], onlySyft: [] },
    ...{ matched: [], notMatched: [], leftToSystem: [] },
  })
  expect(value(evidence.contents).layers).toHaveLength(2)
  expect(value(inspection.canary).inBand?.map(one => [one.platform, one.ecosystem, one.found])).toEqual(
    ['npm', 'pypi', 'deb', 'deb'].map(kind => ['linux/amd64', kind, true]),
  )
  expect(value(inspection.canary).notCovered).toEqual([])
  expect(value(inspection.canary).expected.map(plant => plant.found)).toEqual([
    true,
    true,
    true,
    true,
    true,
    true,
  ])
})

test('report files exist with the hashes they are listed with, and name the manifest as their subject', async () => {
  const { dir: layoutDir, manifestDigest } = await makeLayout(join(bench.dir, 'files'), SAMPLE)
  const inspection = await bench.inspect({ layoutDir, database })
  expect(inspection.files.map(file => [file.path, file.kind])).toEqual([
    ['sbom.linux-amd64.cdx.json', 'sbom-cyclonedx'],
    ['sbom.linux-amd64.spdx.json', 'sbom-spdx'],
    ['sbom.linux-amd64.syft.json', 'sbom-syft'],
    ['vulnerabilities.linux-amd64.trivy.json', 'vulnerabilities-trivy'],
  ])
  for (const file of inspection.files) {
    const bytes = await readFile(join(inspection.reportDir, file.path))
    expect([file.size, file.sha256]).toEqual([bytes.length, createHash('sha256').update(bytes).digest('hex')])
  }
  for (const document of value(onlyPlatform(inspection).sboms).documents) {
    expect([document.subject, document.packages]).toEqual([manifestDigest, 6])
  }
})

test('every platform of an index is inspected, each bound to its own image', async () => {
  const layoutDir = await sampleLayout(join(bench.dir, 'two'), 2)
  const inspection = await bench.inspect({ layoutDir, database })
  expect(inspection.problems).toEqual([])
  expect(inspection.platforms.map(evidence => evidence.platform)).toEqual(['linux/amd64', 'linux/arm64'])
  const ids = inspection.platforms.map(evidence => value(evidence.vulnerabilities).imageId)
  expect(new Set(ids).size).toBe(2)
  expect(inspection.files).toHaveLength(8)
})

test('a token is found in every place that the built-in rules of the scanner leave out', async () => {
  const places = [
    ...[
      'tests/unit.py',
      'usr/share/app/a.conf',
      'srv/docs/README.md',
      'opt/vendor/lib/c.txt',
      'app/example.env',
    ],
    ...['app/node_modules/x/config.js', 'usr/local/lib/python3.11/site-packages/x/keys.py', 'app/logo.png'],
    ...[
      'app/package-lock.json',
      'usr/local/go/src/a.go',
      'usr/share/locale/de/x.po',
      'secret.yaml',
      'empty.yaml',
    ],
  ]
  const token = freshToken()
  const files = places.map(path => ({ path, content: `token = ${token}\n` }))
  const image = {
    ...SAMPLE,
    layers: [...SAMPLE.layers, { files }],
    config: { Env: [`GITHUB_TOKEN=${freshToken()}`] },
  }
  const { dir } = await makeLayout(join(bench.dir, 'secrets'), image)
  const inspection = await bench.inspect({ layoutDir: dir, database })
  const { findings } = value(onlyPlatform(inspection).secrets)
  expect(findings.map(finding => finding.path).sort()).toEqual(
    [...places, 'image configuration: ENV GITHUB_TOKEN'].sort(),
  )
  expect(new Set(findings.map(finding => `${finding.rule} ${finding.severity}`))).toEqual(
    new Set(['github-pat critical']),
  )
  expect(JSON.stringify(inspection)).not.toContain(token)
})

test('an image with nothing in it is inspected without packages and without problems', async () => {
  const { dir } = await makeLayout(join(bench.dir, 'scratch'), {
    layers: [{ files: [{ path: 'hello.txt', content: 'hi' }] }],
  })
  const inspection = await bench.inspect({ layoutDir: dir, database })
  expect(inspection.problems).toEqual([])
  const evidence = onlyPlatform(inspection)
  expect([value(evidence.vulnerabilities).packages, value(evidence.sboms).packages]).toEqual([[], []])
})

test('packages that are hidden from one scanner only are matched all the same', async () => {
  const hidden = 'usr/local/lib/python3.11/site-packages/langchain-0.0.170.dist-info/METADATA'
  const files = [
    { path: 'opt/hidden', content: 'Metadata-Version: 2.1\nName: langchain\nVersion: 0.0.170\n' },
    { path: hidden, type: 'link' as const, linkname: 'opt/hidden' },
  ]
  const { dir } = await makeLayout(join(bench.dir, 'hidden'), { layers: [{ files }] })
  const inspection = await bench.inspect({ layoutDir: dir, database })
  expect(inspection.problems).toEqual([])
  const evidence = onlyPlatform(inspection)
  const { packages, findings } = value(evidence.vulnerabilities)
  const place = { purl: 'pkg:pypi/langchain@0.0.170', path: hidden, via: 'union' }
  expect(packages).toMatchObject([place])
  expect(findings.find(finding => finding.id === 'CVE-2023-36281')).toMatchObject({
    ...{ ...place, severity: 'critical', platform: 'linux/amd64' },
    layer: value(evidence.contents).layers[0]?.diffId,
  })
  expect(value(evidence.inventory)).toMatchObject({ matched: [place.purl], notMatched: [], leftToSystem: [] })
})

test('language packages that a Debian package owns do not make the report look incomplete', async () => {
  const info = 'usr/lib/python3/dist-packages/six-1.16.0.egg-info'
  const base = SAMPLE.layers[0]?.files ?? []
  const files = [
    ...base.filter(file => file.path !== 'var/lib/dpkg/info/curl.list'),
    { path: 'var/lib/dpkg/info/curl.list', content: `/usr/bin/curl\n/${info}/PKG-INFO\n` },
    { path: `${info}/PKG-INFO`, content: 'Metadata-Version: 1.2\nName: six\nVersion: 1.16.0\n' },
  ]
  const { dir } = await makeLayout(join(bench.dir, 'owned'), { layers: [{ files }] })
  const inspection = await bench.inspect({ layoutDir: dir, database })
  expect(inspection.problems).toEqual([])
})

test('an operating system release that the database does not know is not taken for clean', async () => {
  const [base, top] = SAMPLE.layers
  if (base === undefined || top === undefined) throw new Error('the sample has two layers')
  const files = base.files.map(file =>
    file.path === 'etc/debian_version' ? { ...file, content: '99.1\n' } : file,
  )
  const { dir } = await makeLayout(join(bench.dir, 'release'), { layers: [{ files }, top] })
  const inspection = await bench.inspect({ layoutDir: dir, database })
  expect(onlyPlatform(inspection).vulnerabilities.state).toBe('missing')
  expect(inspection.problems.map(problem => problem.reason)).toEqual(['os-release-unknown'])
})

test('Java archives are not taken for clean without the database that tells them apart', async () => {
  // The smallest zip file there is: no entry, only the end of the central directory.
  const content = Buffer.concat([Buffer.from('PK\x05\x06', 'latin1'), Buffer.alloc(18)])
  const layers = [{ files: [{ path: 'app/service.jar', content }] }]
  const { dir } = await makeLayout(join(bench.dir, 'java'), { layers })
  const inspection = await bench.inspect({ layoutDir: dir, database })
  expect(onlyPlatform(inspection).vulnerabilities.state).toBe('missing')
  expect(inspection.problems.map(problem => problem.reason)).toEqual(['java-database-missing'])
})

test('layers packed with zstd give the same packages and findings as those packed with gzip', async () => {
  const packed = { ...SAMPLE, layers: SAMPLE.layers.map(layer => ({ ...layer, zstd: true })) }
  const { dir: gzip } = await makeLayout(join(bench.dir, 'as-gzip'), SAMPLE)
  const { dir: zstd } = await makeLayout(join(bench.dir, 'as-zstd'), packed)
  const [one, two] = [
    await bench.inspect({ layoutDir: gzip, database }),
    await bench.inspect({ layoutDir: zstd, database }),
  ]
  expect(two.problems).toEqual([])
  const [first, second] = [onlyPlatform(one), onlyPlatform(two)]
  expect(value(second.vulnerabilities).packages).toEqual(value(first.vulnerabilities).packages)
  expect(value(second.vulnerabilities).findings).toEqual(value(first.vulnerabilities).findings)
  expect(value(second.inventory)).toEqual(value(first.inventory))
  expect(value(second.contents).executables).toBe(value(first.contents).executables)
})
