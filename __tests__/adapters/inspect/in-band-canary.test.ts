import { mkdir, mkdtemp, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import pLimit from 'p-limit'
import { z } from 'zod'
import { notConfigured } from '../../../src/evidence/known.js'
import { parseTrivyReport } from '../../../src/evidence/trivy-report.js'
import type { Problems } from '../../../src/inspect/attempt.js'
import type { PreparedDatabase } from '../../../src/inspect/database.js'
import { type ProvedScan, scanWithCanary } from '../../../src/inspect/in-band-canary.js'

import { reportedImage } from '../../../src/inspect/package-scan.js'
import { INPUT, type PlatformWork } from '../../../src/inspect/platform-work.js'
import { prepareScanners } from '../../../src/inspect/scanners.js'
import { flattenPlatform } from '../../../src/oci/flatten.js'
import { readLayers } from '../../../src/oci/layers.js'
import { openLayout } from '../../../src/oci/reader.js'
import { scanPackages } from '../../../src/tools/trivy.js'
import { type Bench, openBench } from '../../support/inspection.js'
import { type LayoutFile, type LayoutImage, makeLayout } from '../../support/layouts.js'
import { debianFiles, nodePackage, SAMPLE, wheel } from '../../support/sample-image.js'
import { makeDatabase, toolPath } from '../../support/tools.js'

let bench: Bench
let database: PreparedDatabase
beforeAll(async () => {
  bench = await openBench()
  database = await bench.database(await makeDatabase(join(bench.dir, 'db')))
})
afterAll(() => bench.close())

async function workOn(image: LayoutImage): Promise<PlatformWork> {
  const dir = await mkdtemp(join(bench.dir, 'work', 'canary-'))
  const { dir: layoutDir } = await makeLayout(join(dir, 'layout'), image)
  const layout = await openLayout(layoutDir, { name: 'app' })
  const [platform] = layout.subject.platforms
  if (platform === undefined) throw new Error('no platform')
  const trivy = { program: { name: 'trivy', path: toolPath('trivy') } }
  const tools = { trivy, syft: { program: { name: 'syft', path: toolPath('syft') } } }
  const workDir = join(dir, 'work')
  return {
    scanners: await prepareScanners({ commands: bench.commands, tools }, workDir),
    ...{ limit: pLimit(1), layout, image: platform, cacheDir: database.dir, java: database.java },
    ...{ dockerfile: notConfigured(), builtHere: false, reportDir: join(dir, 'report'), workDir },
  }
}

async function proved(work: PlatformWork): Promise<ProvedScan> {
  const problems: Problems = []
  const { contents } = await readLayers(work.layout, work.image)
  const scan = await scanWithCanary(work, contents, problems)
  expect(problems).toEqual([])
  return scan
}

/** What the scanner says of the image alone. */
async function alone(work: PlatformWork): Promise<string> {
  const cwd = await mkdtemp(join(work.workDir, 'alone-'))
  await flattenPlatform(work.layout, work.image, join(cwd, INPUT))
  const outDir = join(cwd, 'out')
  await mkdir(outDir)
  return await scanPackages(work.scanners.trivy, { cwd, input: INPUT, cacheDir: work.cacheDir, outDir })
}

const report = z.record(z.string(), z.unknown())
function comparable(text: string): unknown {
  return { ...report.parse(JSON.parse(text)), ReportID: '', CreatedAt: '' }
}

const statusFolder = (name: string, version: string, source: string): LayoutFile => ({
  path: `var/lib/dpkg/status.d/${name}`,
  content: `Package: ${name}\nVersion: ${version}\nArchitecture: amd64\nSource: ${source}\nMaintainer: nobody <nobody@example.com>\nDescription: ${name}\n`,
})
const distroless: readonly LayoutFile[] = [
  { path: 'etc/os-release', content: 'ID=debian\nVERSION_ID="12"\n' },
  { path: 'etc/debian_version', content: '12.5\n' },
  statusFolder('libcurl4', '7.88.1-10', 'curl'),
  statusFolder('libssl3', '3.0.9-1', 'openssl'),
]
const APK =
  'P:libssl3\nV:3.3.1-r0\nA:x86_64\no:openssl\nF:lib\nR:libssl.so.3\n\nP:musl\nV:1.2.5-r0\nA:x86_64\no:musl\n\n'
const alpine = (...places: readonly string[]): readonly LayoutFile[] => [
  { path: 'etc/os-release', content: 'ID=alpine\nVERSION_ID=3.20.1\n' },
  { path: 'etc/alpine-release', content: '3.20.1\n' },
  { path: 'lib/libssl.so.3', content: '' },
  ...places.map(path => ({ path, content: APK })),
]
const DEBIAN = debianFiles({ curl: '7.88.1-10', zlib1g: '1:1.2.13.dfsg-1' })
const OLD = 'lib/apk/db/installed'
const NEW = 'usr/lib/apk/db/installed'
const LANGUAGES = ['npm CVE-2021-44906', 'pypi CVE-2023-36281']

interface Row {
  readonly name: string
  readonly layers: readonly (readonly LayoutFile[])[]
  /** Kinds of the system that were proved. */
  readonly system?: readonly string[]
  readonly notCovered?: readonly string[]
  readonly findings: boolean
}

const TABLE: readonly Row[] = [
  { name: 'Debian', layers: [DEBIAN], system: ['deb', 'deb'], findings: true },
  {
    name: 'the same packages as the canary, in the image itself',
    layers: [[...DEBIAN, ...wheel('langchain', '0.0.170'), ...nodePackage('minimist', '1.2.5')]],
    ...{ system: ['deb', 'deb'], findings: true },
  },
  { name: 'Debian in status.d', layers: [distroless], system: ['deb', 'deb'], findings: true },
  { name: 'Alpine, old place', layers: [alpine(OLD)], system: ['apk'], findings: true },
  { name: 'Alpine, new place', layers: [alpine(NEW)], system: ['apk'], findings: true },
  {
    name: 'Alpine with a link between the places, written through in a later layer',
    layers: [
      [
        { path: 'lib', type: 'symlink', linkname: 'usr/lib' },
        ...alpine(NEW).filter(file => !file.path.startsWith('lib/')),
      ],
      [{ path: OLD, content: APK.replaceAll('libssl3', 'libcrypto3') }],
    ],
    notCovered: ['linux/amd64, apk: both places of its database are taken by the image'],
    findings: true,
  },
  {
    name: 'Debian whose database is removed in the last layer',
    layers: [DEBIAN, [{ path: 'var/lib/dpkg/.wh.status', content: '' }]],
    ...{ system: ['deb', 'deb'], findings: false },
  },
  { name: 'packages without a system', layers: [wheel('langchain', '0.0.170')], findings: true },
  {
    name: 'Debian packages without a name of the system',
    layers: [DEBIAN.filter(file => !file.path.startsWith('etc/'))],
    notCovered: ['linux/amd64, deb: the scanner recognised no operating system'],
    findings: false,
  },
  { name: 'nothing but a file', layers: [[{ path: 'hello.txt', content: 'hi' }]], findings: false },
]

test.each(TABLE)('$name: equal with and without the canary', async row => {
  const work = await workOn({ layers: row.layers.map(files => ({ files })) })
  const { scan, text, facts } = await proved(work)
  const plain = await alone(work)
  expect(scan).toEqual(parseTrivyReport(plain, reportedImage(work.image)))
  expect(parseTrivyReport(text, reportedImage(work.image))).toEqual(scan)
  expect(comparable(text)).toEqual(comparable(plain))
  expect(scan.findings.length > 0).toBe(row.findings)
  expect(facts.inBand.every(one => one.found && one.platform === 'linux/amd64')).toBe(true)
  const seen = facts.inBand.map(one => `${one.ecosystem} ${one.id}`)
  expect(seen.slice(0, 2)).toEqual(LANGUAGES)
  expect(facts.inBand.slice(2).map(one => one.ecosystem)).toEqual(row.system ?? [])
  expect(facts.notCovered).toEqual(row.notCovered ?? [])
})

test('an image without history and one of two layers of the same content keep their report too', async () => {
  const work = await workOn({ layers: [...SAMPLE.layers, ...SAMPLE.layers], config: { User: 'x' } })
  const { text } = await proved(work)
  expect(comparable(text)).toEqual(comparable(await alone(work)))
})

test('names and places are new each time, and none of them is in what is kept', async () => {
  const work = await workOn(SAMPLE)
  const first = await proved(work)
  const second = await proved(work)
  expect(first.facts).toEqual(second.facts)
  expect(comparable(first.text)).toEqual(comparable(second.text))
  expect(JSON.stringify([first.facts, first.text])).not.toMatch(/[0-9a-f]{32}\/|p[01][0-9a-f]{32}/)
  expect(JSON.stringify(first.facts)).toContain('pkg:deb/debian/curl@7.50.0-1')
})

test('the report folder of a whole inspection holds no trace of a canary', async () => {
  const { dir: layoutDir, configDigest, diffIds } = await makeLayout(join(bench.dir, 'whole'), SAMPLE)
  const inspection = await bench.inspect({ layoutDir, database })
  expect(inspection.problems).toEqual([])
  const text = await readFile(join(inspection.reportDir, 'vulnerabilities.linux-amd64.trivy.json'), 'utf8')
  expect(report.parse(JSON.parse(text))['Metadata']).toMatchObject({
    ImageID: configDigest,
    DiffIDs: diffIds,
  })
  expect(text).not.toContain('7.50.0')
  if (inspection.canary.state !== 'present') throw new Error('no canary')
  expect(inspection.canary.value.inBand?.map(one => [one.platform, one.ecosystem, one.found])).toEqual(
    ['npm', 'pypi', 'deb', 'deb'].map(kind => ['linux/amd64', kind, true]),
  )
})
