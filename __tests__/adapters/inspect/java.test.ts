import { cp, mkdir, rm, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { PreparedDatabase } from '../../../src/inspect/database.js'
import { packDatabase, packJavaDatabase, pushDatabase } from '../../support/database-registry.js'
import { type Bench, onlyPlatform, openBench } from '../../support/inspection.js'
import { bareJar, type KnownJar, LOG4J, makeJavaDatabase } from '../../support/java-database.js'
import { makeIndexLayout, makeLayout } from '../../support/layouts.js'
import { reasonOfAsync } from '../../support/reasons.js'
import { type RegistryProcess, startRegistry } from '../../support/registry-process.js'
import { nodePackage } from '../../support/sample-image.js'
import { makeDatabase, run } from '../../support/tools.js'

const UPDATED = '2026-11-20T06:00:00Z'
const JAR = bareJar('one class')
const KNOWN: KnownJar = { ...LOG4J, version: '2.13.3', sha1: JAR.sha1 }
const IMAGE = { layers: [{ files: [{ path: 'app/lib/renamed-1.0.jar', content: JAR.bytes }] }] }

let bench: Bench
let both: string
let jars: string
beforeAll(async () => {
  bench = await openBench()
  both = await makeDatabase(join(bench.dir, 'both'))
  await makeJavaDatabase(both, [LOG4J, KNOWN], new Date(UPDATED))
  jars = (await makeLayout(join(bench.dir, 'jars'), IMAGE)).dir
})
afterAll(() => bench.close())

async function expectLog4Shell(database: PreparedDatabase): Promise<void> {
  const inspection = await bench.inspect({ layoutDir: jars, database })
  expect(inspection.problems).toEqual([])
  const { vulnerabilities } = onlyPlatform(inspection)
  if (vulnerabilities.state !== 'present' || inspection.canary.state !== 'present') throw new Error('missing')
  // What the other inventory makes of the file's name is listed beside it.
  expect(vulnerabilities.value.packages.map(found => [found.purl, found.path])).toContainEqual([
    ...['pkg:maven/org.apache.logging.log4j/log4j-core@2.13.3', 'app/lib/renamed-1.0.jar'],
  ])
  expect(vulnerabilities.value.findings).toMatchObject([
    { id: 'CVE-2021-44228', severity: 'critical', path: 'app/lib/renamed-1.0.jar', status: 'fixed' },
  ])
  expect(inspection.canary.value.inBand?.map(one => [one.ecosystem, one.found])).toEqual([
    ['npm', true],
    ['pypi', true],
    ['maven', true],
  ])
  expect(inspection.java).toMatchObject({ updatedAt: UPDATED })
}

test('an archive that only its hash tells apart is named, and its advisory found', async () => {
  const database = await bench.database(both)
  await expectLog4Shell(database)
  expect(await database.java()).toMatchObject({ origin: 'folder', nextUpdate: '2099-01-01T00:00:00Z' })
})

test('the same from one archive with both databases', async () => {
  const archive = join(bench.dir, 'both.tar.gz')
  const files = ['db/trivy.db', 'db/metadata.json', 'java-db/trivy-java.db', 'java-db/metadata.json']
  await run('/bin/tar', ['-C', both, '-czf', archive, ...files])
  await expectLog4Shell(await bench.database(archive))
})

test('without archives nobody asks for the Java database', async () => {
  const { dir } = await makeLayout(join(bench.dir, 'none'), {
    layers: [{ files: nodePackage('minimist', '1.2.5') }],
  })
  const database = await bench.database(await makeDatabase(join(bench.dir, 'alone')))
  const inspection = await bench.inspect({ layoutDir: dir, database })
  expect(inspection.problems).toEqual([])
  expect('java' in inspection).toBe(false)
})

test('two platforms with archives share one', async () => {
  const arm = { ...IMAGE, platform: { os: 'linux', architecture: 'arm64', variant: 'v8' } }
  const { dir } = await makeIndexLayout(join(bench.dir, 'two'), [IMAGE, arm])
  const inspection = await bench.inspect({ layoutDir: dir, database: await bench.database(both) })
  expect(inspection.problems).toEqual([])
  const found = inspection.platforms.map(({ vulnerabilities }) =>
    vulnerabilities.state === 'present' ? vulnerabilities.value.findings.length : 'missing',
  )
  expect(found).toEqual([1, 1])
})

test('an archive that a later layer removes still needs the database: the scanner looks into each layer', async () => {
  const layers = [...IMAGE.layers, { files: [{ path: 'app/lib/.wh.renamed-1.0.jar', content: '' }] }]
  const { dir } = await makeLayout(join(bench.dir, 'removed'), { layers })
  const alone = await bench.database(await makeDatabase(join(bench.dir, 'alone-too')))
  const without = await bench.inspect({ layoutDir: dir, database: alone })
  expect(without.problems.map(problem => problem.reason)).toEqual(['java-database-missing'])
  const inspection = await bench.inspect({ layoutDir: dir, database: await bench.database(both) })
  expect(inspection.problems).toEqual([])
})

describe('is not taken for clean', () => {
  const metadata = (text: string) => (dir: string) => writeFile(join(dir, 'metadata.json'), text)
  const date = `"UpdatedAt":"${UPDATED}"`

  test.each<[string, (dir: string) => Promise<unknown>, string]>([
    ['is not there', dir => rm(dir, { recursive: true }), 'java-database-missing'],
    ['has no file', dir => rm(join(dir, 'trivy-java.db')), 'java-database-missing'],
    ['is empty', dir => truncate(join(dir, 'trivy-java.db')), 'java-database-empty'],
    ['is cut in its header', dir => truncate(join(dir, 'trivy-java.db'), 60), 'java-database-truncated'],
    ['is cut', dir => truncate(join(dir, 'trivy-java.db'), 8192), 'java-database-truncated'],
    ['is no database', dir => writeFile(join(dir, 'trivy-java.db'), 'text'), 'java-database-unreadable'],
    ['has no date', metadata('{"Version":1}'), 'java-database-metadata-unreadable'],
    ['has half a date', metadata('{"Version":1'), 'java-database-metadata-unreadable'],
    ['has no metadata', dir => rm(join(dir, 'metadata.json')), 'java-database-metadata-missing'],
    ['is of another schema', metadata(`{"Version":2,${date}}`), 'java-database-schema-unsupported'],
  ])('with a Java database that %s', async (name, change, reason) => {
    const dir = join(bench.dir, name.replaceAll(' ', '-'))
    await cp(both, dir, { recursive: true })
    await change(join(dir, 'java-db'))
    const database = await bench.database(dir)
    expect(await reasonOfAsync(database.java())).toBe(reason)
    expect(await reasonOfAsync(database.java())).toBe(reason)
  })

  test('with a Java database of no rows: the canary is lost', async () => {
    const dir = join(bench.dir, 'no-rows')
    await cp(join(both, 'db'), join(dir, 'db'), { recursive: true })
    await makeJavaDatabase(dir, [])
    const inspection = await bench.inspect({ layoutDir: jars, database: await bench.database(dir) })
    expect(inspection.problems.map(problem => problem.reason)).toEqual([
      ...['canary-not-found', 'report-without-packages'],
    ])
  })
})

describe('in a registry', () => {
  let registry: RegistryProcess
  beforeAll(async () => {
    registry = await startRegistry()
  })
  afterAll(() => registry.stop())

  test('stands beside the vulnerability database and is fetched by digest, only on need', async () => {
    const repository = `${registry.host}/security`
    const files = join(bench.dir, 'packed')
    await mkdir(files)
    const archive = await packDatabase(both, join(files, 'db.tar.gz'))
    await pushDatabase(archive, join(bench.dir, 'artifact'), `${repository}/trivy-db:2`)
    const database = await bench.database(`${repository}/trivy-db:2`)
    const early = await bench.inspect({ layoutDir: jars, database })
    expect(early.problems.map(problem => problem.reason)).toEqual(['java-database-unreachable'])

    const packed = await packJavaDatabase(join(both, 'java-db'), join(files, 'javadb.tar.gz'))
    const java = join(bench.dir, 'java-artifact')
    const digest = await pushDatabase(packed, java, `${repository}/trivy-java-db:1`, 'java-db')
    const again = await bench.database(`${repository}/trivy-db:2`)
    await expectLog4Shell(again)
    expect(await again.java()).toMatchObject({
      origin: `${repository}/trivy-java-db@${digest}`,
      manifest: digest,
    })
  })
})
