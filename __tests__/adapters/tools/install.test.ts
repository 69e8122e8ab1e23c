import {
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
  mkdirSync,
  chmodSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { z } from 'zod'
import { createCommands } from '../../../src/tools/commands.js'
import { DOWNLOAD_LIMITS } from '../../../src/tools/download.js'
import { installTools } from '../../../src/tools/install.js'
import { factsOf, toolOf } from '../../../src/tools/tool-set.js'
import type { ToolServices } from '../../../src/tools/tool-set.js'
import { listTools, verifyTools } from '../../../src/tools/inventory.js'
import { cachedName } from '../../../src/tools/cache.js'
import type { ToolName } from '../../../src/evidence/tooling.js'
import { archive, serve, sha256Hex, startReleaseHost, status, tarball } from '../../support/release-host.js'
import type { ReleaseHost } from '../../support/release-host.js'
import { reasonOfAsync } from '../../support/reasons.js'

const ALL: readonly ToolName[] = ['trivy', 'syft', 'cosign', 'crane']
let host: ReleaseHost
let dir: string
let logged: string[]

beforeEach(async () => {
  host = await startReleaseHost()
  dir = mkdtempSync(join(tmpdir(), 'portcullis-install-'))
  logged = []
})
afterEach(async () => {
  await host.close()
  rmSync(dir, { recursive: true, force: true })
})

function services(change: Partial<ToolServices> = {}): ToolServices {
  const workDir = mkdtempSync(join(dir, 'work-'))
  return {
    ...{
      environment: { PATH: process.env['PATH'] },
      workDir,
      cacheDir: join(dir, 'cache'),
      programRoot: dir,
    },
    commands: createCommands({ environment: {}, workDir }),
    signal: new AbortController().signal,
    log: line => void logged.push(line),
    ...{ catalog: host.catalog, releaseBase: host.base, platform: 'linux/amd64' },
    limits: { ...DOWNLOAD_LIMITS, maxBytes: 1024 * 1024, idleMs: 400, pauseMs: 1, maxPauseMs: 50 },
    ...change,
  }
}

function install(change: Partial<ToolServices> = {}, source = 'release', names: readonly ToolName[] = ALL) {
  return installTools(services(change), { source, names })
}

function bytesOf(name: ToolName): Buffer {
  return [...host.assets].find(([path]) => path.includes(`/${name}/`))?.[1] ?? Buffer.alloc(0)
}

function cacheEntry(name: ToolName): string {
  const asset = host.catalog[name].assets['linux/amd64']
  return join(dir, 'cache', asset === undefined ? 'none' : cachedName(asset))
}

test('installs all four, proved, executable, and answers with facts', async () => {
  const tools = await install()
  expect(factsOf(tools).map(facts => facts.name)).toEqual(['cosign', 'crane', 'syft', 'trivy'])
  for (const name of ALL) {
    const { program, facts } = toolOf(tools, name)
    expect(facts).toEqual({
      name,
      version: '9.8.7',
      source: 'release',
      sha256: program.sha256,
      verified: true,
    })
    expect(sha256Hex(readFileSync(program.path))).toBe(program.sha256)
    expect(statSync(program.path).mode & 0o777).toBe(0o755)
  }
  expect(readdirSync(join(dir, 'cache'))).toHaveLength(4)
})

test('the second run asks nobody and unpacks afresh', async () => {
  const first = await install()
  const before = host.asked.length
  const second = await install()
  expect(host.asked.length).toBe(before)
  expect(toolOf(second, 'trivy').program.path).not.toBe(toolOf(first, 'trivy').program.path)
})

test('another hash is refused, kept nowhere, and never retried', async () => {
  const other = await tarball('trivy', '#!/bin/sh\necho evil\n')
  host.behave('trivy', serve(other))
  expect(await reasonOfAsync(install({}, 'auto', ['trivy']))).toBe('asset-hash-mismatch')
  expect(host.asked).toHaveLength(1)
  expect(readdirSync(join(dir, 'cache'))).toEqual([])
})

test('an integrity failure never falls through to a build from source', async () => {
  host.behave('trivy', serve(Buffer.from('other bytes')))
  const request = { source: 'auto', names: ['trivy'], allowSource: true } as const
  expect(await reasonOfAsync(installTools(services(), request))).toBe('asset-hash-mismatch')
})

test('a swapped checksum file beside a swapped asset changes nothing', async () => {
  const other = await tarball('trivy', '#!/bin/sh\necho evil\n')
  host.behave('trivy', (request, response) => {
    const sums = `${sha256Hex(other)}  trivy.tar.gz\n`
    if (request.url?.endsWith('checksums.txt') === true) response.end(sums)
    else serve(other)(request, response)
  })
  expect(await reasonOfAsync(install({}, 'release', ['trivy']))).toBe('asset-hash-mismatch')
  expect(host.asked.some(path => path.includes('checksums'))).toBe(false)
})

test('a truncated answer is tried again, and never used', async () => {
  const bytes = bytesOf('syft')
  const cut: Parameters<ReleaseHost['behave']>[1] = (_request, response) => {
    response.writeHead(200, { 'content-length': bytes.length })
    response.write(bytes.subarray(0, bytes.length - 7), () => response.destroy())
  }
  host.behave('syft', cut, serve(bytes))
  await install({}, 'release', ['syft'])
  expect(host.asked).toHaveLength(2)
  host.behave('trivy', cut)
  expect(await reasonOfAsync(install({}, 'release', ['trivy']))).toBe('host-unreachable')
  expect(readdirSync(join(dir, 'cache'))).toHaveLength(1)
})

test('a shorter body without a length is another hash', async () => {
  const bytes = bytesOf('syft')
  host.behave('syft', (_request, response) => void response.end(bytes.subarray(0, bytes.length - 7)))
  expect(await reasonOfAsync(install({}, 'release', ['syft']))).toBe('asset-hash-mismatch')
})

test('404 is named and not retried', async () => {
  host.behave('crane', status(404))
  expect(await reasonOfAsync(install({}, 'release', ['crane']))).toBe('asset-missing')
  expect(host.asked).toHaveLength(1)
})

test('429 with Retry-After is obeyed and then good', async () => {
  host.behave('crane', status(429, { 'retry-after': '1' }), serve(bytesOf('crane')))
  await install({}, 'release', ['crane'])
  expect(logged.join('\n')).toContain('the host answered 429; trying again in 50 ms')
})

test('5xx is retried until it is good, and ends as unreachable when it stays', async () => {
  host.behave('cosign', status(503), status(500), serve(bytesOf('cosign')))
  await install({}, 'release', ['cosign'])
  expect(host.asked).toHaveLength(3)
  host.behave('trivy', status(502))
  expect(await reasonOfAsync(install({}, 'release', ['trivy']))).toBe('host-unreachable')
})

test('follows redirects, but not away from https and not for ever', async () => {
  const other = await startReleaseHost()
  const path = [...other.assets.keys()].find(one => one.includes('/trivy/')) ?? ''
  host.behave('trivy', status(302, { location: `${other.base}${path}` }))
  await install({}, 'release', ['trivy'])
  expect(other.asked).toEqual([path])
  await other.close()
  host.behave('syft', status(302, { location: 'http://release.example/syft' }))
  expect(await reasonOfAsync(install({}, 'release', ['syft']))).toBe('insecure-redirect')
  host.behave(
    'crane',
    (request, response) => void response.writeHead(302, { location: request.url ?? '' }).end(),
  )
  expect(await reasonOfAsync(install({}, 'release', ['crane']))).toBe('too-many-redirects')
})

test('an endless body is cut off', async () => {
  host.behave('trivy', (_request, response) => {
    const more = (): void => {
      while (!response.destroyed && response.write(Buffer.alloc(64 * 1024)));
    }
    response.on('drain', more)
    more()
  })
  expect(await reasonOfAsync(install({}, 'release', ['trivy']))).toBe('asset-too-big')
  expect(readdirSync(join(dir, 'cache'))).toEqual([])
})

test('a host that says nothing, or stops in the middle, is given up', async () => {
  host.behave('trivy', () => undefined)
  host.behave('syft', (_request, response) => void response.write(bytesOf('syft').subarray(0, 10)))
  expect(await reasonOfAsync(install({}, 'release', ['trivy']))).toBe('host-unreachable')
  expect(await reasonOfAsync(install({}, 'release', ['syft']))).toBe('host-unreachable')
})

test('a cancelled download ends as cancelled', async () => {
  const stop = new AbortController()
  host.behave('trivy', () => stop.abort())
  expect(await reasonOfAsync(install({ signal: stop.signal }, 'release', ['trivy']))).toBe('cancelled')
})

test.each([
  ['other bytes', (name: ToolName) => writeFileSync(cacheEntry(name), 'poison')],
  [
    'a flipped byte',
    (name: ToolName) => {
      const bytes = Buffer.from(bytesOf(name))
      bytes.writeUInt8(bytes.readUInt8(bytes.length - 1) ^ 1, bytes.length - 1)
      writeFileSync(cacheEntry(name), bytes)
    },
  ],
  [
    'bytes after the end',
    (name: ToolName) => writeFileSync(cacheEntry(name), Buffer.concat([bytesOf(name), Buffer.from('x')])),
  ],
])('a poisoned cache entry (%s) is deleted, said, and downloaded again', async (_title, poison) => {
  await install()
  for (const name of ALL) poison(name)
  const states = await verifyTools(services())
  expect(states.map(tool => tool.state)).toEqual(['changed', 'changed', 'changed', 'changed'])
  const before = host.asked.length
  const tools = await install()
  expect(host.asked.length - before).toBe(4)
  for (const name of ALL) expect(readFileSync(cacheEntry(name)).equals(bytesOf(name))).toBe(true)
  expect(logged.filter(line => line.includes('in the tool cache was changed'))).toHaveLength(4)
  expect(toolOf(tools, 'cosign').program.sha256).toBe(sha256Hex(bytesOf('cosign')))
})

test('a cache that cannot be written is replaced by the folder of the run', async () => {
  writeFileSync(join(dir, 'file'), '')
  await install({ cacheDir: join(dir, 'file', 'cache') })
  expect(logged.join('\n')).toContain('the tool cache cannot be written')
})

test('two installs at once into one empty cache both work', async () => {
  const [one, two] = await Promise.all([install(), install()])
  for (const name of ALL) expect(toolOf(one, name).program.sha256).toBe(toolOf(two, name).program.sha256)
  expect(readdirSync(join(dir, 'cache')).filter(file => file.endsWith('.part'))).toEqual([])
  expect(readdirSync(join(dir, 'cache'))).toHaveLength(4)
})

test('a denied version is refused before anything is asked for', async () => {
  const catalog = { ...host.catalog, trivy: { ...host.catalog.trivy, version: '0.69.4' } }
  expect(await reasonOfAsync(install({ catalog }, 'release', ['trivy']))).toBe('tool-denied')
  expect(host.asked).toEqual([])
})

test('an asset without the program in it is unreadable even with the right hash', async () => {
  const bytes = await tarball('another', 'text')
  const asset = { asset: 'trivy.tar.gz', sha256: sha256Hex(bytes), member: 'trivy' }
  const catalog = {
    ...host.catalog,
    trivy: { ...host.catalog.trivy, assets: { 'linux/amd64': asset } },
  } as const
  host.behave('trivy', serve(bytes))
  expect(await reasonOfAsync(install({ catalog }, 'release', ['trivy']))).toBe('asset-unreadable')
})

test('a machine without a pinned asset is told what to do', async () => {
  const catalog = { ...host.catalog, trivy: { ...host.catalog.trivy, assets: {} } }
  expect(await reasonOfAsync(install({ catalog }, 'release', ['trivy']))).toBe('tool-platform')
})

test('a mirror keeps the paths of the release host', async () => {
  const tools = await install({ releaseBase: 'http://127.0.0.1:1' }, `mirror:${host.base}`)
  expect(toolOf(tools, 'syft').facts.source).toBe('mirror')
})

test('auto goes on to source only when the host is unreachable and it is allowed', async () => {
  mkdirSync(join(dir, 'toolchain'))
  const built = {
    crane: { path: '/bin/true', sha256: 'a'.repeat(64), version: '1.2.3', expected: 'a'.repeat(64) },
  }
  writeFileSync(join(dir, 'toolchain', 'build.mjs'), `console.log(${JSON.stringify(JSON.stringify(built))})`)
  const gone = { releaseBase: 'http://127.0.0.1:1' }
  expect(await reasonOfAsync(install(gone, 'auto', ['crane']))).toBe('host-unreachable')
  const request = { source: 'auto', names: ['crane'], allowSource: true } as const
  const tools = await installTools(services(gone), request)
  expect(toolOf(tools, 'crane').facts).toEqual({
    ...{ name: 'crane', version: '1.2.3', source: 'source', sha256: 'a'.repeat(64), verified: true },
  })
})

test.each([
  ['another hash than expected', { expected: 'b'.repeat(64) }, false],
  ['no expectation', { expected: null }, false],
])('a build with %s is unverified', async (_title, change, verified) => {
  mkdirSync(join(dir, 'toolchain'))
  const built = { crane: { path: '/bin/true', sha256: 'a'.repeat(64), version: '1.2.3', ...change } }
  writeFileSync(join(dir, 'toolchain', 'build.mjs'), `console.log(${JSON.stringify(JSON.stringify(built))})`)
  expect(toolOf(await install({}, 'source', ['crane']), 'crane').facts.verified).toBe(verified)
})

test.each([
  ['nothing', '', 'build-unreadable'],
  ['half an answer', 'console.log(\'{"crane":\')', 'build-unreadable'],
  ['another tool', 'console.log("{}")', 'build-unreadable'],
  ['a failure', 'process.exit(1)', 'exit-code'],
])('a build that answers %s is refused', async (_title, script, reason) => {
  mkdirSync(join(dir, 'toolchain'))
  writeFileSync(join(dir, 'toolchain', 'build.mjs'), script)
  expect(await reasonOfAsync(install({}, 'source', ['crane']))).toBe(reason)
})

test('a folder of assets is proved, a wrong one refused', async () => {
  const folder = join(dir, 'assets')
  mkdirSync(folder)
  writeFileSync(join(folder, 'trivy.tar.gz'), bytesOf('trivy'))
  const tools = await install({}, `dir:${folder}`, ['trivy'])
  expect(toolOf(tools, 'trivy').facts).toMatchObject({ source: 'dir', verified: true, version: '9.8.7' })
  writeFileSync(join(folder, 'trivy.tar.gz'), 'other')
  expect(await reasonOfAsync(install({}, `dir:${folder}`, ['trivy']))).toBe('asset-hash-mismatch')
})

test('bare programs of a folder or PATH are unverified, verified with a known hash, denied by version', async () => {
  const folder = join(dir, 'bare')
  mkdirSync(folder)
  const file = join(folder, 'crane')
  writeFileSync(file, '#!/bin/sh\necho v4.5.6\n')
  expect(await reasonOfAsync(install({}, `dir:${folder}`, ['crane']))).toBe('not-found')
  chmodSync(file, 0o755)
  expect(toolOf(await install({}, `dir:${folder}`, ['crane']), 'crane').facts).toMatchObject({
    ...{ source: 'dir', verified: false, version: '4.5.6' },
  })
  const onPath = await install({ environment: { PATH: `relative:${folder}` } }, 'path', ['crane'])
  expect(toolOf(onPath, 'crane').facts).toMatchObject({ source: 'path', verified: false })
  mkdirSync(join(dir, 'toolchain'))
  const hashes = { 'go1.0': { 'linux-amd64': { crane: sha256Hex(readFileSync(file)) } } }
  writeFileSync(join(dir, 'toolchain', 'hashes.json'), JSON.stringify(hashes))
  expect(toolOf(await install({}, `dir:${folder}`, ['crane']), 'crane').facts.verified).toBe(true)
  writeFileSync(join(folder, 'trivy'), '#!/bin/sh\necho "Version: 0.69.4"\n', { mode: 0o755 })
  expect(await reasonOfAsync(install({}, `dir:${folder}`, ['trivy']))).toBe('tool-denied')
  writeFileSync(join(folder, 'syft'), '#!/bin/sh\necho hello\n', { mode: 0o755 })
  expect(await reasonOfAsync(install({}, `dir:${folder}`, ['syft']))).toBe('version-unreadable')
})

test('the list says what is pinned and cached', async () => {
  await install({}, 'release', ['trivy'])
  const listed = await listTools(services())
  expect(listed.map(tool => [tool.name, tool.cached])).toEqual([
    ...[
      ['trivy', true],
      ['syft', false],
      ['cosign', false],
      ['crane', false],
    ],
  ])
  expect(listed[0]?.pinned?.url).toBe(`${host.base}/example/trivy/releases/download/v9.8.7/trivy.tar.gz`)
  expect((await verifyTools(services())).map(tool => tool.state)).toEqual([
    'verified',
    'absent',
    'absent',
    'absent',
  ])
})

test("a link, a folder or a second file of the program's name is no program", async () => {
  for (const headers of [
    [{ name: 'trivy', type: 'symlink', linkname: '/bin/sh' } as const],
    [{ name: 'trivy', type: 'directory' } as const],
    [{ name: 'sub/../trivy' }, { name: '/trivy' }, { name: '../trivy' }],
    [{ name: 'trivy' }, { name: './trivy' }],
  ]) {
    const bytes = await archive(headers)
    const asset = { asset: 'trivy.tar.gz', sha256: sha256Hex(bytes), member: 'trivy' }
    const catalog = { ...host.catalog, trivy: { ...host.catalog.trivy, assets: { 'linux/amd64': asset } } }
    host.behave('trivy', serve(bytes))
    expect(await reasonOfAsync(install({ catalog }, 'release', ['trivy']))).toBe('asset-unreadable')
  }
})

test('the pinned crane is built from source and is what the toolchain built', async () => {
  const list = process.env['PORTCULLIS_TOOLCHAIN']
  if (list === undefined) throw new Error('PORTCULLIS_TOOLCHAIN is not set: run `npm test`')
  const shape = z.object({ sha256: z.string(), version: z.string(), expected: z.string().nullable() })
  const built = z.object({ crane: shape }).parse(JSON.parse(readFileSync(list, 'utf8'))).crane
  const workDir = mkdtempSync(join(dir, 'work-'))
  const commands = createCommands({ environment: process.env, workDir })
  const tools = await install({ commands, programRoot: process.cwd() }, 'source', ['crane'])
  const { sha256, version, expected } = built
  expect(toolOf(tools, 'crane').facts).toEqual({
    ...{ name: 'crane', version, source: 'source', sha256, verified: expected === sha256 },
  })
})
