import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import pLimit from 'p-limit'
import type { SecretScan } from '../../../src/evidence/scan.js'
import { notConfigured } from '../../../src/evidence/known.js'
import { passLayers } from '../../../src/inspect/layer-pass.js'
import { prepareScanners, type Scanners } from '../../../src/inspect/scanners.js'
import { secretScan } from '../../../src/inspect/secret-scan.js'
import { openLayout } from '../../../src/oci/reader.js'
import { debianLayout } from '../../support/debian-root.js'
import { type Bench, openBench } from '../../support/inspection.js'
import { type LayoutFile, type LayoutImage, makeLayout } from '../../support/layouts.js'
import { debianFiles, freshToken, nodePackage, SAMPLE } from '../../support/sample-image.js'
import { makeDatabase, toolPath } from '../../support/tools.js'

let bench: Bench
let scanners: Scanners
let number = 0

beforeAll(async () => {
  bench = await openBench()
  const tools = {
    trivy: { program: { name: 'trivy', path: toolPath('trivy') } },
    syft: { program: { name: 'syft', path: toolPath('syft') } },
  }
  scanners = await prepareScanners({ commands: bench.commands, tools }, join(bench.dir, 'work', 'scanners'))
})
afterAll(() => bench.close())

/** The secret scan alone, by the real scanner. */
async function search(layoutDir: string) {
  const layout = await openLayout(layoutDir, { name: 'registry.example/app' })
  const [image] = layout.subject.platforms
  if (image === undefined) throw new Error('one platform was expected')
  number += 1
  const workDir = join(bench.dir, 'work', `search-${number}`)
  const work = {
    ...{ scanners, limit: pLimit(1), layout, image, cacheDir: workDir, dockerfile: notConfigured<never>() },
    ...{ java: () => Promise.resolve(), builtHere: false },
    ...{ workDir, reportDir: workDir },
  }
  const { search: laidOut } = await passLayers(work)
  return { ...(await secretScan(work, laidOut)), image }
}

async function searchImage(image: LayoutImage) {
  number += 1
  return await search((await makeLayout(join(bench.dir, `image-${number}`), image)).dir)
}

function places(scan: SecretScan): readonly string[] {
  return scan.findings.map(found => found.path).sort()
}

const line = (token: string): string => `token = ${token}\n`
const md5 = (content: string): string => createHash('md5').update(content).digest('hex')

test('one token in every place that the scanner leaves out by itself', async () => {
  const token = freshToken()
  const content = line(token)
  const wide = Buffer.concat([Buffer.from([0, 1, 2, 255]), Buffer.from(content)])
  const files: readonly LayoutFile[] = [
    ...[
      'srv/tests/unit.py',
      'usr/share/app/a.conf',
      'opt/vendor/lib/c.txt',
      'usr/local/lib/python3.11/site-packages/x/keys.py',
      'app/node_modules/x/config.js',
      'srv/README.md',
      'app/logo.png',
      'app/.git/config',
      'app/package-lock.json',
      'proc/self',
      'data.tar',
      'app/example.env',
    ].map(path => ({ path, content })),
    { path: 'app/linked', type: 'link', linkname: 'app/logo.png' },
    { path: 'app/program', content: wide },
    { path: 'app/.wh..wh.notes', content },
    { path: 'root/.m2/settings.xml', content: '<password>Rosebud4711</password>\n' },
    { path: 'app/short', content: 'ghp_' },
  ]
  const { scan } = await searchImage({ layers: [{ files }] })
  const expected = files.filter(file => file.type !== 'link' && file.path !== 'app/short')
  expect(places(scan)).toEqual(expected.map(file => file.path).sort())
  expect(new Set(scan.findings.map(found => found.rule))).toEqual(
    new Set(['github-pat', 'maven-settings-password']),
  )
  expect([scan.searched, scan.notSearched]).toEqual([expected.length, []])
  expect(JSON.stringify(scan)).not.toContain(token)
})

test('layer by layer: hidden later, overwritten later, and below what the scanner takes for a base image', async () => {
  const file = (path: string): LayoutFile => ({ path, content: line(freshToken()) })
  const layers = [
    { files: [file('app/removed'), file('app/twice')], createdBy: 'ADD root.tar / # buildkit' },
    { files: [{ path: 'app/.wh.removed', content: '' }, file('app/twice')] },
  ]
  const { dir } = await makeLayout(join(bench.dir, 'layers'), { layers, config: { Cmd: ['bash'] } })
  const { scan, image } = await search(dir)
  const [lower, upper] = image.layers.map(layer => layer.diffId)
  expect(scan.imageId).toBe(image.configDigest)
  const found = scan.findings.map(one => [one.path, one.line, one.layer === upper ? 'upper' : one.layer])
  expect(found.sort()).toEqual([
    ['app/removed', 1, lower],
    ['app/twice', 1, lower],
    ['app/twice', 1, 'upper'],
  ])
})

test('every part of the configuration, named; the secrets themselves are told apart to be hidden', async () => {
  const tokens = Array.from({ length: 5 }, freshToken)
  const [env = '', label = '', argument = '', command = '', name = ''] = tokens
  const { scan, exposed } = await searchImage({
    layers: [
      { files: [{ path: 'a.txt', content: 'nothing at all' }], createdBy: 'COPY . /' },
      {
        files: [{ path: 'b.txt', content: 'nothing else' }],
        createdBy: `RUN |1 GITHUB_TOKEN=${argument} /bin/sh -c make # buildkit`,
      },
    ],
    config: {
      Env: ['PATH=/bin', `GITHUB_TOKEN=${env}`],
      Labels: { 'org.example.build': `by ${label}`, [name]: '1' },
      Cmd: ['serve', `--token=${command}`],
    },
  })
  expect(places(scan)).toEqual([
    'image configuration: CMD',
    'image configuration: ENV GITHUB_TOKEN',
    'image configuration: history 2',
    'image configuration: label 2 (in its name)',
    'image configuration: label org.example.build',
  ])
  expect([...exposed].sort()).toEqual([...tokens].sort())
  expect(tokens.filter(token => JSON.stringify(scan).includes(token))).toEqual([])
})

test('a large file is searched in pieces, and a secret is where it is, once', async () => {
  const filler = Buffer.from(`${'x'.repeat(79)}\n`.repeat(65_000))
  const edge = 4 * 1024 * 1024
  const lines = (edge - 40) / 80
  const parts = [filler.subarray(0, Math.floor(lines) * 80), line(freshToken()), filler, line(freshToken())]
  const content = Buffer.concat(parts.map(part => Buffer.from(part)))
  const { scan } = await searchImage({ layers: [{ files: [{ path: 'app/log', content }] }] })
  const first = Math.floor(lines) + 1
  expect(scan.findings.map(found => found.line).sort()).toEqual([first, first + 65_001].sort())
  expect(scan.searched).toBe(1)
})

describe('files of packages', () => {
  const token = line(freshToken())
  const base = debianFiles({ curl: '7.88.1-10' })
  const key = { path: 'usr/share/curl/key', content: token }
  const program = { path: 'usr/bin/curl', content: '#!/bin/sh\n' }
  const sums = (...files: readonly { path: string; content: string }[]): LayoutFile => ({
    path: 'var/lib/dpkg/info/curl.md5sums',
    content: files.map(file => `${md5(file.content)}  ${file.path}\n`).join(''),
  })
  const listed: LayoutFile = {
    path: 'var/lib/dpkg/info/curl.list',
    content: '/usr/bin/curl\n/usr/share/curl/key\n/etc/curl/conf\n',
  }
  const without = base.filter(file => file.path !== listed.path)

  test.each<[string, readonly (readonly LayoutFile[])[], readonly (string | undefined)[], number]>([
    ['unchanged: not searched, counted', [[...without, listed, sums(program, key), key]], [], 2],
    [
      'without a recorded hash, as configuration files: searched, named as the package’s',
      [[...without, listed, sums(program), { ...key, path: 'etc/curl/conf' }]],
      ['pkg:deb/curl@7.88.1-10'],
      1,
    ],
    [
      'with another content than recorded: own',
      [[...without, listed, sums(program, { ...key, content: 'as it was' }), key]],
      [undefined],
      1,
    ],
    [
      'from another layer than the record: own',
      [[...without, listed, sums(program, { ...key, content: 'as it was' })], [key]],
      [undefined],
      1,
    ],
    [
      'a record that was written for it later, with the rest of the package below: searched',
      [base, [key, sums(program, key)]],
      [undefined],
      0,
    ],
    [
      'of npm, which records no hash',
      [[...nodePackage('x', '1.0.0'), { path: 'app/node_modules/x/a.js', content: token }]],
      ['pkg:npm/x@1.0.0'],
      0,
    ],
    [
      'npm’s, put there by another layer',
      [[...nodePackage('x', '1.0.0')], [{ path: 'app/node_modules/x/a.js', content: token }]],
      [undefined],
      0,
    ],
  ])('%s', async (_what, layers, owners, unchanged) => {
    const { scan } = await searchImage({ layers: layers.map(files => ({ files })) })
    expect(scan.findings.map(found => found.owner)).toEqual(owners)
    const left = scan.notSearched?.find(one => one.reason === 'package-unchanged')
    expect(left?.files ?? 0).toBe(unchanged)
  })
})

test('packed files are not searched, and named', async () => {
  const gzip = Buffer.concat([Buffer.from('1f8b0800', 'hex'), Buffer.from(line(freshToken()))])
  const { scan } = await searchImage({ layers: [{ files: [{ path: 'app/a.gz', content: gzip }] }] })
  expect([scan.findings, scan.searched]).toEqual([[], 0])
  expect(scan.notSearched).toEqual([{ reason: 'compressed', files: 1, examples: ['app/a.gz'] }])
})

test('a real Debian with wheels: nothing is found, and what packages own is left out', async () => {
  const { scan } = await search(await debianLayout(join(bench.dir, 'debian')))
  expect(scan.findings).toEqual([])
  const left = Object.fromEntries((scan.notSearched ?? []).map(one => [one.reason, one.files]))
  const all = (scan.searched ?? 0) + Object.values(left).reduce((sum, files) => sum + files, 0)
  expect(left['package-unchanged']).toBeGreaterThan(4000)
  expect((scan.searched ?? 0) / all).toBeLessThan(0.25)
})

test('no report of the whole inspection repeats a secret of the configuration', async () => {
  const [env, label] = [freshToken(), freshToken()]
  const layers = SAMPLE.layers.map(layer => ({ ...layer, createdBy: `ENV TOKEN=${env}` }))
  const config = { Env: [`TOKEN=${env}`], Labels: { org: `"${label}"` } }
  const { dir } = await makeLayout(join(bench.dir, 'exposed'), { layers, config })
  const database = await bench.database(await makeDatabase(join(bench.dir, 'db')))
  const inspection = await bench.inspect({ layoutDir: dir, database })
  expect([...inspection.exposed].sort()).toEqual([env, label].sort())
  const { sboms } = inspection.platforms[0] ?? {}
  const documents = sboms?.state === 'present' ? sboms.value.documents : []
  for (const file of inspection.files) {
    const bytes = await readFile(join(inspection.reportDir, file.path))
    const sha256 = createHash('sha256').update(bytes).digest('hex')
    expect([file.sha256, file.size]).toEqual([sha256, bytes.length])
    const document = documents.find(one => one.file === file.path)
    if (document !== undefined) expect(document.sha256).toBe(sha256)
    const text = bytes.toString('utf8')
    const texts = [
      text,
      ...(text.match(/[A-Za-z0-9+/]{64,}/g) ?? []).map(part => Buffer.from(part, 'base64').toString()),
    ]
    expect([file.path, texts.some(one => one.includes(env) || one.includes(label))]).toEqual([
      file.path,
      false,
    ])
  }
  expect(documents).toHaveLength(3)
})
