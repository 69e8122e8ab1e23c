import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { PreparedDatabase } from '../../../src/inspect/database.js'
import type { Package, VulnerabilityScan } from '../../../src/evidence/scan.js'
import { planUnion, readUnionReport } from '../../../src/evidence/union.js'
import { prepareScanners } from '../../../src/inspect/scanners.js'
import { scanSbom } from '../../../src/tools/trivy.js'
import { type Bench, openBench } from '../../support/inspection.js'
import { digestOf } from '../../support/layouts.js'
import { makeDatabase, toolPath } from '../../support/tools.js'

// The scanner must read every kind of package that the union says it matches: what it skips is an error of the gate.
const LANGUAGES = [
  ...['pkg:cargo/time@0.1.40', 'pkg:cocoapods/AFNetworking@2.5.1', 'pkg:composer/symfony/http-kernel@4.4.0'],
  ...['pkg:conan/zlib@1.2.11', 'pkg:gem/rails@5.2.0', 'pkg:golang/golang.org/x/crypto@v0.1.0'],
  ...[
    'pkg:golang/stdlib@1.22.1',
    'pkg:hex/phoenix@1.5.0',
    'pkg:maven/org.apache.logging.log4j/log4j-core@2.14.1',
  ],
  ...['pkg:npm/%40babel/traverse@7.0.0', 'pkg:npm/minimist@1.2.5', 'pkg:nuget/Newtonsoft.Json@12.0.1'],
  ...['pkg:pub/http@0.13.0', 'pkg:pypi/langchain@0.0.170', 'pkg:swift/github.com/apple/swift-nio@2.0.0'],
]
// Red Hat needs rows that only the published database has (content sets); such packages are refused here, never dropped.
const SYSTEMS: readonly (readonly [string, string, string, Partial<Package>])[] = [
  [
    'debian',
    '12.5',
    'pkg:deb/debian/libcurl4@7.88.1-10?arch=amd64&distro=debian-12.5',
    { sourceName: 'curl' },
  ],
  ['ubuntu', '24.04', 'pkg:deb/ubuntu/curl@8.5.0-2?arch=amd64', {}],
  ['alpine', '3.20.0', 'pkg:apk/alpine/libssl3@3.3.1-r0?arch=x86_64', { sourceName: 'openssl' }],
  ['wolfi', '20230201', 'pkg:apk/wolfi/libssl3@3.3.1-r0?arch=x86_64', { sourceName: 'openssl' }],
  ['rocky', '9.4', 'pkg:rpm/rocky/openssl-libs@3.0.7-27.el9?arch=x86_64&epoch=1', {}],
]

let bench: Bench
let database: PreparedDatabase
beforeAll(async () => {
  bench = await openBench()
  database = await bench.database(await makeDatabase(join(bench.dir, 'db')))
}, 120_000)
afterAll(() => bench.close())

function pkg(purl: string, more: Partial<Package> = {}): Package {
  const [, type = '', name = '', version = ''] = /^pkg:([a-z]+)\/(?:.*\/)?([^@?]+)@([^?]*)/.exec(purl) ?? []
  return { purl, type, name, version, path: `somewhere/${name}`, ...more }
}

async function match(name: string, packages: readonly Package[], os?: VulnerabilityScan['os']) {
  const workDir = join(bench.dir, 'work', name)
  await mkdir(workDir, { recursive: true })
  const tools = {
    trivy: { program: { name: 'trivy', path: toolPath('trivy') } },
    syft: { program: { name: 'syft', path: toolPath('syft') } },
  }
  const { trivy } = await prepareScanners({ commands: bench.commands, tools }, workDir)
  const imageId = digestOf('image')
  const { documents } = planUnion({
    scan: { imageId, packages: [], findings: [], ...(os && { os }) },
    inventory: { packages, ownedByOs: [], systemOwners: new Map(), subject: imageId },
  })
  const [document] = documents
  if (document === undefined || documents.length > 1) throw new Error('one document was expected')
  const [cwd, outDir] = [join(workDir, 'in'), join(workDir, 'out')]
  await mkdir(cwd)
  await mkdir(outDir)
  await writeFile(join(cwd, 'union.json'), document.text)
  const text = await scanSbom(trivy, { cwd, input: 'union.json', cacheDir: database.dir, outDir })
  return readUnionReport(text, document, 'linux/amd64')
}

test('every kind of language package is read, and advisories are found', async () => {
  const { packages, findings } = await match(
    'languages',
    LANGUAGES.map(purl => pkg(purl)),
  )
  expect(packages.map(one => one.purl)).toEqual(LANGUAGES)
  expect(findings.map(one => `${one.id} ${one.purl} ${one.path ?? ''}`)).toEqual(
    expect.arrayContaining([
      'CVE-2021-44906 pkg:npm/minimist@1.2.5 somewhere/minimist',
      'CVE-2023-36281 pkg:pypi/langchain@0.0.170 somewhere/langchain',
    ]),
  )
}, 120_000)

test.each(SYSTEMS)(
  'packages of %s are read',
  async (family, name, purl, more) => {
    const { packages, findings } = await match(family, [pkg(purl, more)], { family, name, endOfLife: false })
    expect(packages.map(one => one.purl)).toEqual([purl])
    const known: Readonly<Record<string, string>> = { debian: 'CVE-2023-38545', alpine: 'CVE-2024-6119' }
    const expected = known[family]
    if (expected !== undefined) expect(findings.map(one => one.id)).toContain(expected)
  },
  120_000,
)
