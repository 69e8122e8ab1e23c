import {
  appendFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { hostname } from 'node:os'
import { dirname, join } from 'node:path'
import { makeSandbox, parseResult, programOf, writeTools } from './fake.js'
import type { Run, Sandbox } from './fake.js'

let box: Sandbox

beforeEach(() => {
  box = makeSandbox()
})

afterEach(() => {
  box.remove()
})

async function buildAlpha(): Promise<Run> {
  const run = await box.run(['alpha', '--json'])
  expect(run).toMatchObject({ code: 0 })
  return run
}

function lockPath(): string {
  mkdirSync(join(box.cache, 'toolchain'), { recursive: true })
  return join(box.cache, 'toolchain', 'build.lock')
}

function leftovers(): readonly string[] {
  return readdirSync(join(box.cache, 'toolchain')).filter(name => !/^(?:alpha|beta)-[0-9a-f]{16}$/.test(name))
}

describe('what is built', () => {
  test('everything once, in the order of tools.json, with its hash beside it, and then never again', async () => {
    const first = await box.run(['--json'])
    expect(first).toMatchObject({ code: 0 })
    expect(Object.keys(parseResult(first))).toEqual(['alpha', 'beta'])
    const { path, sha256 } = programOf(first, 'alpha')
    expect(path.startsWith(join(box.cache, 'toolchain', 'alpha-'))).toBe(true)
    expect(JSON.parse(readFileSync(`${path}.json`, 'utf8'))).toMatchObject({ sha256 })
    const second = await box.run(['--json'])
    expect(second).toMatchObject({ code: 0, stdout: first.stdout, stderr: '' })
    expect(box.builds()).toBe(2)
    expect(leftovers()).toEqual([])
  })

  test('only what was asked for', async () => {
    expect(Object.keys(parseResult(await buildAlpha()))).toEqual(['alpha'])
  })

  test('standard output holds the JSON alone, the time table goes to standard error', async () => {
    const run = await buildAlpha()
    expect(parseResult(run)).toBeDefined()
    expect(run.stderr).toMatch(/alpha +1\.2\.3 +\d+ s/)
  })

  test("Go's caches are emptied after the last build", async () => {
    await buildAlpha()
    expect(existsSync(join(box.cache, 'go', 'build'))).toBe(false)
  })

  test('Go gets a literal environment with the settings of its env file and nothing else', async () => {
    const hostile = {
      GOFLAGS: '-toolexec=/bin/false',
      GOENV: '/tmp/evil',
      GOWORK: '/tmp/go.work',
      SECRET_TOKEN: 'x',
      CC: 'x',
    }
    expect(await box.run(['alpha'], { ...hostile, HTTPS_PROXY: 'http://127.0.0.1:1' })).toMatchObject({
      code: 0,
    })
    const env = Object.fromEntries(
      readFileSync(join(box.bin, 'build.env'), 'utf8')
        .split('\n')
        .map(line => [line.split('=')[0] ?? '', line.slice(line.indexOf('=') + 1)] as const),
    )
    expect(env).toMatchObject({
      GOENV: 'off',
      GOWORK: 'off',
      GOTOOLCHAIN: 'local',
      GOFLAGS: '-mod=readonly',
      CGO_ENABLED: '0',
    })
    expect(env).toMatchObject({
      GOPROXY: 'proxy-of-env-file',
      GOSUMDB: 'off',
      HTTPS_PROXY: 'http://127.0.0.1:1',
    })
    expect(env).toMatchObject({
      GOCACHE: join(box.cache, 'go', 'build'),
      GOMODCACHE: join(box.cache, 'go', 'mod'),
    })
    expect(env).not.toHaveProperty('SECRET_TOKEN')
    expect(env).not.toHaveProperty('CC')
  })
})

describe('the key', () => {
  async function pathAfter(change: () => void, env = {}): Promise<string> {
    change()
    return programOf(await box.run(['alpha', '--json'], env), 'alpha').path
  }

  test('changes with go.mod, go.sum, flags and the Go version, and with nothing of another module', async () => {
    const file = (name: string) => join(box.toolchain, 'alpha', name)
    const flags = () =>
      writeFileSync(
        join(box.toolchain, 'tools.json'),
        readFileSync(join(box.toolchain, 'tools.json'), 'utf8').replace('-s -w', '-s'),
      )
    const paths = [
      await pathAfter(() => undefined),
      await pathAfter(() => appendFileSync(file('go.mod'), '// more\n')),
      await pathAfter(() => appendFileSync(file('go.sum'), 'more\n')),
      await pathAfter(flags),
      await pathAfter(() => undefined, { FAKE_GO_VERSION: 'go1.26.9' }),
    ]
    expect(new Set(paths).size).toBe(paths.length)
    expect(await pathAfter(() => appendFileSync(join(box.toolchain, 'beta', 'go.mod'), '// more\n'))).toBe(
      paths[3],
    )
  })

  test('of our own program covers its sources, but not its tests', async () => {
    const tools = {
      go: '1.26.0',
      tools: { alpha: { own: true, package: '.', ldflags: '-X main.ver=1', diskMiB: 1 } },
    }
    writeFileSync(join(box.toolchain, 'tools.json'), JSON.stringify(tools))
    const source = (name: string, text: string) => () => {
      mkdirSync(join(box.toolchain, 'alpha', 'inner'), { recursive: true })
      writeFileSync(join(box.toolchain, 'alpha', 'inner', name), text)
    }
    const one = await pathAfter(source('a.go', 'package inner'))
    const two = await pathAfter(source('a.go', 'package inner // changed'))
    expect(two).not.toBe(one)
    expect(await pathAfter(source('a_test.go', 'package inner'))).toBe(two)
  })
})

describe('a cache hit', () => {
  test.each([
    [
      'another program',
      (path: string) => writeFileSync(path, '#!/bin/sh\necho version 1.2.3, and more\n'),
      /SHA-256 is/,
    ],
    ['a link', (path: string) => replaceByLink(path), /not a plain file/],
    ['no program', (path: string) => rmSync(path), /ENOENT/],
    ['no record', (path: string) => rmSync(`${path}.json`), /cannot read/],
    ['an unreadable record', (path: string) => writeFileSync(`${path}.json`, '{'), /cannot read/],
    [
      'the record of another build',
      (path: string) => writeFileSync(`${path}.json`, '{"key":"x"}'),
      /another build/,
    ],
  ])('with %s in the place of the built one is built again, loudly', async (_, poison, why) => {
    const first = programOf(await buildAlpha(), 'alpha')
    poison(first.path)
    const again = await buildAlpha()
    expect(again.stderr).toMatch(/WARNING: the cached alpha is not what was built/)
    expect(again.stderr).toMatch(why)
    expect(programOf(again, 'alpha')).toEqual(first)
    expect(box.builds()).toBe(2)
    expect((await buildAlpha()).stderr).toBe('')
  })

  test('whose hash and record were both replaced is found out by hashes.json', async () => {
    const first = programOf(await buildAlpha(), 'alpha')
    expect(await box.run(['alpha', '--write-hashes'])).toMatchObject({ code: 0 })
    expect(programOf(await buildAlpha(), 'alpha').expected).toBe(first.sha256)
    const record = readFileSync(`${first.path}.json`, 'utf8')
    writeFileSync(first.path, '#!/bin/sh\n')
    writeFileSync(
      `${first.path}.json`,
      record.replace(first.sha256, '0f2b29e7e09de4dc3ea7dc5a9dd7ec3b02bd4bfbd9f2e9ffd02eb62b0dd6e1be'),
    )
    const again = await buildAlpha()
    expect(again.stderr).toMatch(/WARNING/)
    expect(programOf(again, 'alpha').sha256).toBe(first.sha256)
  })
})

test('a program that does not reproduce is said to differ and keeps its own hash', async () => {
  const expected = 'ab'.repeat(32)
  writeFileSync(
    join(box.toolchain, 'hashes.json'),
    JSON.stringify({ 'go1.26.8': { 'linux-amd64': { alpha: expected } } }),
  )
  const run = await buildAlpha()
  expect(run.stderr).toMatch(/WARNING: alpha has SHA-256 .*, hashes\.json expects abab/)
  expect(programOf(run, 'alpha').expected).toBe(expected)
  expect(programOf(run, 'alpha').sha256).not.toBe(expected)
  await buildAlpha()
  expect(box.builds()).toBe(1)
})

describe('the lock', () => {
  test('two builders at once build each program once', async () => {
    writeFileSync(join(box.bin, 'seconds'), '1')
    const [one, two] = await Promise.all([box.run(['--json']), box.run(['--json'])])
    expect([one.code, two.code]).toEqual([0, 0])
    expect(one.stdout).toBe(two.stdout)
    expect(box.builds()).toBe(2)
    expect(one.stderr + two.stderr).toMatch(/waiting for another builder \(process \d+/)
    expect(leftovers()).toEqual([])
  })

  test.each([
    ['a process that is gone', () => ({ pid: 2 ** 22 + 12345, host: hostname(), token: 'x' })],
    ['a process id used again', () => ({ pid: process.pid, born: '1', host: hostname(), token: 'x' })],
  ])('of %s is removed', async (_, owner) => {
    writeFileSync(lockPath(), JSON.stringify(owner()))
    const run = await buildAlpha()
    expect(run.stderr).toMatch(/removed a stale lock/)
    expect(leftovers()).toEqual([])
  })

  test('of an interrupted build leaves nothing behind', async () => {
    mkdirSync(join(dirname(lockPath()), '.build-abc'))
    await buildAlpha()
    expect(leftovers()).toEqual([])
  })
})

describe('refused with words and a non-zero exit', () => {
  test.each<[string, (box: Sandbox) => Promise<Run>, RegExp]>([
    ['no Go', it => it.run(['alpha'], { PATH: '/nowhere' }), /Go is missing: install Go 1\.26\.0 or newer/],
    [
      'an old Go',
      it => it.run(['alpha'], { FAKE_GO_VERSION: 'go1.25.9' }),
      /Go is too old: go1\.25\.9 is on PATH, 1\.26\.0/,
    ],
    ['an unknown name', it => it.run(['gamma']), /unknown: gamma; known are alpha, beta/],
    [
      'a relative cache',
      it => it.run(['alpha'], { PORTCULLIS_CACHE: 'here' }),
      /PORTCULLIS_CACHE must be an absolute path/,
    ],
    [
      'too little disk',
      it => {
        writeTools(it.toolchain, 1_000_000_000)
        return it.run(['alpha'])
      },
      /not enough free disk to build alpha: .* 1000000000 MiB are needed/,
    ],
    [
      'a go.mod that pins another version',
      it => {
        writeFileSync(
          join(it.toolchain, 'alpha', 'go.mod'),
          'module x\n\nrequire example.org/alpha v1.2.30\n',
        )
        return it.run(['alpha'])
      },
      /alpha: tools\.json pins example\.org\/alpha v1\.2\.3, its go\.mod does not/,
    ],
    [
      'a failing build',
      it => {
        writeFileSync(join(it.bin, 'fail'), '')
        return it.run(['alpha'])
      },
      /"go build" of alpha failed \(exit code 1\)[^]*not built: alpha/,
    ],
  ])('%s', async (_, act, message) => {
    const run = await act(box)
    expect(run.stderr).toMatch(message)
    expect(run.code).toBe(1)
    expect(run.stderr).not.toMatch(/at .*\.mjs:\d+/)
  })

  test('a program that says another version than it was built as', async () => {
    const tools = readFileSync(join(box.toolchain, 'tools.json'), 'utf8').replace('ver=1.2.3', 'ver=dev')
    writeFileSync(join(box.toolchain, 'tools.json'), tools)
    const run = await box.run(['alpha'])
    expect(run.stderr).toMatch(/alpha was built but does not say 1\.2\.3: version dev/)
    expect(run.code).toBe(1)
    expect(leftovers()).toEqual([])
  })
})

function replaceByLink(path: string): void {
  rmSync(path)
  symlinkSync('/bin/true', path)
}
