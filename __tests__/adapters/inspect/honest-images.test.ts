import { cp, mkdir, mkdtemp, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { PreparedDatabase } from '../../../src/inspect/database.js'
import { debianLayout, debianRootTar } from '../../support/debian-root.js'
import { type Bench, openBench } from '../../support/inspection.js'
import { judged } from '../../support/judged.js'
import { type LayoutFile, makeLayout } from '../../support/layouts.js'
import { wheel } from '../../support/sample-image.js'
import { machinePath, makeDatabase, ROOT, run } from '../../support/tools.js'
import { treeOf } from '../../support/trees.js'

// Images as they are made in good faith: nothing in them may be taken for hidden, and no rule about inventories may be
// red for what their maker cannot mend.
const text = (path: string, content: string): LayoutFile => ({ path, content })
const symbolic = (path: string, linkname: string): LayoutFile => ({ path, type: 'symlink', linkname })

let bench: Bench
let database: PreparedDatabase
beforeAll(async () => {
  bench = await openBench()
  database = await bench.database(await makeDatabase(join(bench.dir, 'db')))
}, 120_000)
afterAll(() => bench.close())

const SYSTEM = [
  text('etc/os-release', 'ID=debian\nVERSION_ID="12"\n'),
  text('etc/debian_version', '12.5\n'),
  text('etc/passwd', 'root:x:0:0::/root:/bin/sh\napp:x:65532:65532::/:\n'),
]
const paragraph = (name: string, version: string): string =>
  `Package: ${name}\nStatus: install ok installed\nMaintainer: nobody <nobody@example.com>\nArchitecture: amd64\nVersion: ${version}\nDescription: ${name}\n\n`

/** Packages of a real Debian as distroless images keep them: a record for each, with their own files. */
async function distroless(): Promise<readonly LayoutFile[]> {
  const owned = {
    'base-files': 'usr/lib/os-release',
    libc6: 'usr/lib/x86_64-linux-gnu/libc.so.6',
    libssl3: 'usr/lib/x86_64-linux-gnu/libssl.so.3',
  }
  const root = await mkdtemp(join(bench.dir, 'distroless-'))
  const members = ['var/lib/dpkg/status', 'etc/debian_version', ...Object.values(owned)]
  await run('/bin/tar', ['-C', root, '-xf', await debianRootTar(), ...members.map(path => `./${path}`)])
  const status = await readFile(join(root, 'var/lib/dpkg/status'), 'utf8')
  await rm(join(root, 'var'), { recursive: true })
  const records = Object.entries(owned).flatMap(([name, path]) => {
    const found = new RegExp(`^Package: ${name}\n(?:.+\n)*`, 'm').exec(status)?.[0] ?? ''
    const record = `var/lib/dpkg/status.d/${name}`
    return [
      text(record, found.replace(/^Status: .*\n/m, '')),
      text(`${record}.md5sums`, `${'0'.repeat(32)}  ${path}\n`),
    ]
  })
  const folder: LayoutFile = { path: 'var/lib/dpkg/status.d', type: 'directory' }
  const release = symbolic('etc/os-release', '../usr/lib/os-release')
  return [...(await treeOf(root)).values(), folder, ...records, release]
}

/** Real npm packages of this checkout, with their links. */
async function nodeModules(names: readonly string[]): Promise<readonly LayoutFile[]> {
  const root = await mkdtemp(join(bench.dir, 'node-'))
  for (const name of names)
    await cp(join(ROOT, 'node_modules', name), join(root, 'app/node_modules', name), {
      recursive: true,
      dereference: false,
    })
  await mkdir(join(root, 'app/node_modules/.bin'), { recursive: true })
  return [
    ...(await treeOf(root)).values(),
    symbolic('app/node_modules/.bin/semver', '../semver/bin/semver.js'),
  ]
}

/** An interpreter that no package owns, as the images of languages have it. */
async function pythonLike(): Promise<readonly (readonly LayoutFile[])[]> {
  const program = await readFile(machinePath('python3'))
  return [
    [...SYSTEM, text('var/lib/dpkg/status', paragraph('zlib1g', '1:1.2.13.dfsg-1'))],
    [
      { path: 'usr/local/bin/python3.11', content: program, mode: 0o755 },
      symbolic('usr/local/bin/python3', 'python3.11'),
      symbolic('usr/local/lib64', 'lib'),
    ],
    [...wheel('idna', '3.7')],
  ]
}

/** apk on a merged /usr, a package added in a layer of its own and removed again. */
function alpineLike(): readonly (readonly LayoutFile[])[] {
  const busybox = 'P:busybox\nV:1.36.1-r29\nA:x86_64\no:busybox\nF:usr/bin\nR:busybox\n\n'
  const curl = 'P:jq\nV:1.7.1-r0\nA:x86_64\no:jq\nF:usr/bin\nR:jq\n\n'
  return [
    [
      ...[text('etc/os-release', 'ID=alpine\nVERSION_ID=3.20.0\n'), text('etc/alpine-release', '3.20.0\n')],
      ...[symbolic('lib', 'usr/lib'), symbolic('bin', 'usr/bin'), text('usr/lib/apk/db/installed', busybox)],
      { path: 'usr/bin/busybox', content: '\x7fELF busybox', mode: 0o755 },
      ...['sh', 'ls', 'cat'].map(name => symbolic(`usr/bin/${name}`, '/bin/busybox')),
    ],
    [
      text('usr/lib/apk/db/installed', busybox + curl),
      { path: 'usr/bin/jq', content: '\x7fELF jq', mode: 0o755 },
    ],
    [text('usr/lib/apk/db/installed', busybox), text('usr/bin/.wh.jq', '')],
  ]
}

/** Packages of npm as pnpm lays them out: links into its own folder, files linked from its store. */
function pnpmLike(): readonly LayoutFile[] {
  const name = 'idle-timer'
  const real = `app/node_modules/.pnpm/${name}@1.0.0/node_modules/${name}`
  return [
    text('root/.store/aa', JSON.stringify({ name, version: '1.0.0' })),
    { path: `${real}/package.json`, type: 'link', linkname: 'root/.store/aa' },
    text(`${real}/index.js`, 'x'),
    symbolic(`app/node_modules/${name}`, `.pnpm/${name}@1.0.0/node_modules/${name}`),
    symbolic('app/node_modules/mine', '../packages/mine'),
    text('app/packages/mine/package.json', '{"name":"mine","version":"1.0.0"}'),
  ]
}

const RULES = ['inventory.links', 'inventory.hidden', 'inventory.os', 'inventory.union'] as const

async function expectHonest(layoutDir: string) {
  const result = await judged(bench, database, layoutDir)
  expect(result.inspection.problems).toEqual([])
  const said = RULES.map(id => result.rule(id))
  expect(
    said.flatMap(one => [...one.violations.map(violation => violation.message), ...one.unknown]),
  ).toEqual([])
  expect(said.map(one => one.outcome)).not.toContain('unknown')
  return result
}

async function honest(name: string, layers: readonly (readonly LayoutFile[])[]) {
  const dir = join(bench.dir, name)
  await makeLayout(dir, { layers: layers.map(files => ({ files, gzip: false })), config: { User: '65532' } })
  return await expectHonest(dir)
}

test('a real Debian with real wheels', async () => {
  const { evidence } = await expectHonest(await debianLayout(join(bench.dir, 'debian')))
  expect(evidence.inventory).toMatchObject({ value: { matched: [], notMatched: [], leftToSystem: [] } })
}, 300_000)

test('distroless', async () => {
  const { evidence, verdict } = await honest('distroless', [await distroless()])
  if (evidence.vulnerabilities.state !== 'present') throw new Error('no scan')
  expect(evidence.vulnerabilities.value.packages.map(one => one.name)).toEqual([
    'base-files',
    'libc6',
    'libssl3',
  ])
  expect(verdict.outcome).not.toBe('incomplete')
}, 120_000)

test('an interpreter of no package is listed, and nothing else is said of it', async () => {
  const { rule, verdict } = await honest('python', await pythonLike())
  const union = rule('inventory.union')
  expect(union.outcome).toBe('pass')
  expect(union.tolerated.map(one => [one.thing.replace(/@3\.11.*/, ''), one.why])).toEqual([
    ['pkg:generic/python', 'no-advisories'],
  ])
  expect(verdict.outcome).toBe('pass')
}, 120_000)

test('real npm packages', async () => {
  const names = ['semver', 'js-yaml', 'zod', 'typescript', '@jest/globals']
  const { evidence, verdict } = await honest('node', [
    [...SYSTEM, text('var/lib/dpkg/status', paragraph('zlib1g', '1:1.2.13.dfsg-1'))],
    await nodeModules(names),
  ])
  if (evidence.vulnerabilities.state !== 'present') throw new Error('no scan')
  expect(evidence.vulnerabilities.value.packages.map(one => one.name)).toEqual(expect.arrayContaining(names))
  expect(verdict.outcome).toBe('pass')
}, 120_000)

test('Alpine', async () => {
  const { verdict } = await honest('alpine', alpineLike())
  expect(verdict.outcome).toBe('pass')
}, 120_000)

test('pnpm: what is linked from its store is matched', async () => {
  const { evidence, verdict } = await honest('pnpm', [
    [...SYSTEM, text('var/lib/dpkg/status', paragraph('zlib1g', '1:1.2.13.dfsg-1'))],
    pnpmLike(),
  ])
  expect(evidence.inventory).toMatchObject({ value: { matched: ['pkg:npm/idle-timer@1.0.0'] } })
  expect(verdict.outcome).toBe('pass')
}, 120_000)
