import { createHash } from 'node:crypto'
import { copyFile, mkdir, readFile, stat, truncate, writeFile } from 'node:fs/promises'
import { createServer, type RequestListener, type Server } from 'node:http'
import { join } from 'node:path'
import type { PreparedDatabase } from '../../../src/inspect/database.js'
import { packDatabase, pushDatabase } from '../../support/database-registry.js'
import { type Bench, openBench } from '../../support/inspection.js'
import { reasonOfAsync } from '../../support/reasons.js'
import { type RegistryProcess, startRegistry } from '../../support/registry-process.js'
import { makeDatabase, run } from '../../support/tools.js'

const UPDATED = '2026-11-20T06:00:00Z'
let bench: Bench
let good: string
let archive: string
let sha256: string
beforeAll(async () => {
  bench = await openBench()
  good = await makeDatabase(join(bench.dir, 'good'), new Date(UPDATED))
  archive = await packDatabase(good, join(bench.dir, 'db.tar.gz'))
  sha256 = createHash('sha256')
    .update(await readFile(join(good, 'db', 'trivy.db')))
    .digest('hex')
})
afterAll(() => bench.close())

async function expectTheGoodOne(prepared: PreparedDatabase, origin: string): Promise<void> {
  const { size } = await stat(join(good, 'db', 'trivy.db'))
  expect(prepared.facts).toMatchObject({ sha256, size, updatedAt: UPDATED, origin })
  const copied = await readFile(join(prepared.dir, 'db', 'trivy.db'))
  expect(createHash('sha256').update(copied).digest('hex')).toBe(sha256)
}

describe('on this disk', () => {
  test('a folder with db/trivy.db, the folder itself, and an archive', async () => {
    await expectTheGoodOne(await bench.database(good), 'folder')
    await expectTheGoodOne(await bench.database(join(good, 'db')), 'folder')
    await expectTheGoodOne(await bench.database(`file:${good}`), 'folder')
    await expectTheGoodOne(await bench.database(archive), 'archive')
  })

  async function changed(name: string, change: (db: string) => Promise<unknown>): Promise<string> {
    const db = join(bench.dir, name, 'db')
    await mkdir(db, { recursive: true })
    for (const file of ['trivy.db', 'metadata.json']) await copyFile(join(good, 'db', file), join(db, file))
    await change(db)
    return join(bench.dir, name)
  }
  const text = (content: string) => (db: string) => writeFile(join(db, 'metadata.json'), content)
  const body = (content: string) => (db: string) => writeFile(join(db, 'trivy.db'), content)
  const cut = (size: number) => (db: string) => truncate(join(db, 'trivy.db'), size)
  const year1 = JSON.stringify({ Version: 2, UpdatedAt: '0001-01-01T00:00:00Z' })

  test.each([
    ['empty', body(''), 'database-empty'],
    ['short', cut(3000), 'database-truncated'],
    ['truncated', cut(700_000), 'database-truncated'],
    ['of-text', body('no database at all\n'.repeat(5000)), 'database-unreadable'],
    [
      'without-date',
      (db: string) => run('/bin/rm', [join(db, 'metadata.json')]),
      'database-metadata-missing',
    ],
    ['half-date', text('{"Version":2,'), 'database-metadata-unreadable'],
    ['undated', text('{"Version":2}'), 'database-metadata-unreadable'],
    ['year-1', text(year1), 'database-metadata-unreadable'],
    ['schema-3', text(year1.replace('2', '3').replace('0001', '2026')), 'database-schema-unsupported'],
    ['without-file', (db: string) => run('/bin/rm', [join(db, 'trivy.db')]), 'database-missing'],
  ] as const)('refuses one that is %s', async (name, change, reason) => {
    const source = await changed(name, change)
    expect(await reasonOfAsync(bench.database(source))).toBe(reason)
  })

  test('refuses what is not there, and an archive that is damaged, foreign or without a database', async () => {
    expect(await reasonOfAsync(bench.database(join(bench.dir, 'nowhere')))).toBe('database-not-found')
    const bytes = await readFile(archive)
    const damaged = join(bench.dir, 'damaged.tar.gz')
    await writeFile(damaged, bytes.subarray(0, bytes.length / 2))
    expect(await reasonOfAsync(bench.database(damaged))).toBe('database-archive-unreadable')
    const foreign = join(bench.dir, 'foreign.tar.gz')
    await run('/bin/tar', ['-C', bench.dir, '-czf', foreign, 'damaged.tar.gz'])
    expect(await reasonOfAsync(bench.database(foreign))).toBe('database-archive-unreadable')
    const hollow = join(bench.dir, 'hollow.tar.gz')
    await run('/bin/tar', ['-C', join(good, 'db'), '-czf', hollow, 'metadata.json'])
    expect(await reasonOfAsync(bench.database(hollow))).toBe('database-missing')
  })
})

describe('the size that a place gave the last time', () => {
  async function sizes(source: string, sizesFile: string): Promise<readonly (number | undefined)[]> {
    const { facts } = await bench.database(source, sizesFile)
    return [facts.size, facts.lastSize]
  }

  test('is in the facts, and one that shrank by more than half is not remembered', async () => {
    const file = join(bench.dir, 'sizes', 'database-sizes.json')
    const { size } = await stat(join(good, 'db', 'trivy.db'))
    expect(await sizes(good, file)).toEqual([size, undefined])
    expect(await sizes(good, file)).toEqual([size, size])
    expect(await sizes(archive, file)).toEqual([size, undefined])
    const text = await readFile(file, 'utf8')
    expect(text).not.toContain(bench.dir)
    await writeFile(file, text.replaceAll(`:${size}`, `:${size * 3}`))
    expect(await sizes(good, file)).toEqual([size, size * 3])
    expect(await sizes(good, file)).toEqual([size, size * 3])
  })
})

describe('in a registry', () => {
  let registry: RegistryProcess
  beforeAll(async () => {
    registry = await startRegistry()
  })
  afterAll(() => registry.stop())

  test('is downloaded by the digest that its tag names', async () => {
    const repository = `${registry.host}/security/trivy-db`
    const digest = await pushDatabase(archive, join(bench.dir, 'artifact'), `${repository}:2`)
    const byTag = await bench.database(`${repository}:2`)
    await expectTheGoodOne(byTag, `${repository}@${digest}`)
    expect(byTag.facts.manifest).toBe(digest)
    await expectTheGoodOne(await bench.database(`oci:${repository}@${digest}`), `${repository}@${digest}`)
  })

  test.each([
    ['has no such repository', () => `${registry.host}/security/none:2`],
    ['is down', () => '127.0.0.1:1/security/trivy-db:2'],
  ])('is unreachable when the registry %s', async (_name, reference) => {
    expect(await reasonOfAsync(bench.database(reference()))).toBe('database-unreachable')
  })
})

describe('on a release host', () => {
  const servers: Server[] = []
  afterAll(() => servers.forEach(server => server.close()))

  async function serve(listener: RequestListener): Promise<string> {
    const server = createServer(listener)
    servers.push(server)
    await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
    const address = server.address()
    if (address === null || typeof address === 'string') throw new Error('no port')
    return `http://127.0.0.1:${address.port}/releases/db.tar.gz`
  }

  test('is downloaded, also after a 503 and through a redirect', async () => {
    const bytes = await readFile(archive)
    let asked = 0
    const url = await serve((request, response) => {
      asked += 1
      if (asked === 1) response.writeHead(503).end()
      else if (request.url === '/releases/db.tar.gz') response.writeHead(302, { location: '/cdn' }).end()
      else response.writeHead(200, { 'content-length': bytes.length }).end(bytes)
    })
    await expectTheGoodOne(await bench.database(url), url)
  })

  test.each<[string, RequestListener]>([
    ['answers 404', (_request, response) => response.writeHead(404).end()],
    ['answers 500 for ever', (_request, response) => response.writeHead(500).end()],
    [
      'breaks off',
      (_request, response) => {
        response.writeHead(200, { 'content-length': 1000 }).write('half')
        setImmediate(() => response.destroy())
      },
    ],
  ])('is unreachable when the host %s', async (_name, listener) => {
    expect(await reasonOfAsync(bench.database(await serve(listener)))).toBe('database-unreachable')
  })

  test('is refused when it is no archive, and when the address is plain http elsewhere', async () => {
    const url = await serve((_request, response) => response.writeHead(200).end('<html>'))
    expect(await reasonOfAsync(bench.database(url))).toBe('database-archive-unreadable')
    expect(await reasonOfAsync(bench.database('http://db.example/db.tar.gz'))).toBe('database-not-found')
    expect(await reasonOfAsync(bench.database('https://user:word@db.example/db.tar.gz'))).toBe(
      'database-not-found',
    )
  })
})
