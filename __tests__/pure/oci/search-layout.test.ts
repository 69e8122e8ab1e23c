import { createHash } from 'node:crypto'
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { readLayers } from '../../../src/oci/layers.js'
import { openLayout } from '../../../src/oci/reader.js'
import { createSearchWriter } from '../../../src/oci/search-layout.js'
import { makeLayout, type LayoutFile } from '../../support/layouts.js'

let dir: string
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'portcullis-search-'))
})
afterAll(() => rm(dir, { recursive: true, force: true }))

let number = 0

async function laidOut(...layers: readonly (readonly LayoutFile[])[]) {
  number += 1
  const made = await makeLayout(join(dir, `image-${number}`), { layers: layers.map(files => ({ files })) })
  const layout = await openLayout(made.dir, { name: 'app' })
  const [image] = layout.subject.platforms
  if (image === undefined) throw new Error('one platform was expected')
  const place = join(dir, `place-${number}`)
  const outDir = join(place, 'image')
  const writer = await createSearchWriter(layout, image, { outDir, spoolPath: join(place, 'spool') })
  await readLayers(layout, image, { visitor: writer.visitor })
  const search = await writer.finish()
  await writer.close()
  return { place, outDir, search }
}

const content = 'ten characters and more'

test('is a layout that the strict reader reads: a layer for each, one for the configuration, no history', async () => {
  const { place, outDir, search } = await laidOut([{ path: 'a', content }], [{ path: 'b', content }])
  const { subject } = await openLayout(outDir, { name: 'search' })
  const [image] = subject.platforms
  expect(image?.configDigest).toBe(search.imageId)
  expect(image?.layers.map(layer => layer.diffId)).toEqual(search.diffIds)
  expect(search.diffIds).toHaveLength(3)
  expect(image?.config.history).toEqual([])
  for (const name of await readdir(join(outDir, 'blobs', 'sha256'))) {
    const bytes = await readFile(join(outDir, 'blobs', 'sha256', name))
    expect(createHash('sha256').update(bytes).digest('hex')).toBe(name)
  }
  expect(await readdir(place)).toEqual(['image'])
})

test('no name tells anything; every layer ends with a secret of its own', async () => {
  const { search } = await laidOut([{ path: 'tests/a.md', content }], [])
  const kinds = [...search.index].map(([name, searched]) => [/^[0-9a-z]+\.pyc$/.test(name), searched.kind])
  expect(kinds.filter(([neutral]) => neutral !== true)).toEqual([])
  expect(kinds.filter(([, kind]) => kind === 'canary')).toHaveLength(4)
})

test.each<[string, LayoutFile, string | undefined]>([
  ['text', { path: 'a', content }, undefined],
  ['too short for any secret', { path: 'a', content: '123456789' }, 'nowhere'],
  ['gzip', { path: 'a', content: Buffer.from('1f8b0800000000000000', 'hex') }, 'compressed'],
  ['zip', { path: 'a.jar', content: Buffer.from('504b0304000000000000', 'hex') }, 'compressed'],
  ['a large program', { path: 'a', content: Buffer.alloc(64 * 1024 * 1024 + 1) }, 'too-large'],
])('%s', async (_what, file, reason) => {
  const { search } = await laidOut([file])
  expect(search.searched).toBe(reason === undefined ? 1 : 0)
  const expected = reason === undefined || reason === 'nowhere' ? [] : [reason]
  expect(search.notSearched.map(one => one.reason)).toEqual(expected)
})

test('at most 20 examples of what is left out', async () => {
  const packed = Buffer.from('1f8b0800000000000000', 'hex')
  const files = Array.from({ length: 30 }, (_, at) => ({ path: `f${at}`, content: packed }))
  const [left] = (await laidOut(files)).search.notSearched
  expect([left?.files, left?.examples.length]).toEqual([30, 20])
})

describe('what Python compiled', () => {
  const source = 'print("hello")\n'
  const header = (flags: number, size: number): Buffer => {
    const bytes = Buffer.alloc(64)
    bytes.writeUInt32LE(flags, 4)
    bytes.writeUInt32LE(size, 12)
    return bytes
  }
  const hash = createHash('sha256').update(source).digest('base64url')
  const record = { path: 'p/m-1.dist-info/RECORD', content: `m.py,sha256=${hash},${source.length}\n` }

  test.each<[string, string, Buffer, readonly LayoutFile[], boolean]>([
    ['of a package’s file', 'p/__pycache__/m.cpython-311.pyc', header(0, source.length), [record], true],
    ['optimised', 'p/__pycache__/m.cpython-311.opt-2.pyc', header(0, source.length), [record], true],
    ['known by hash', 'p/__pycache__/m.cpython-311.pyc', header(3, 7), [record], true],
    ['of a source of another size', 'p/__pycache__/m.cpython-311.pyc', header(0, 3), [record], false],
    ['of an own file', 'p/__pycache__/m.cpython-311.pyc', header(0, source.length), [], false],
    ['elsewhere', 'p/other/m.cpython-311.pyc', header(0, source.length), [record], false],
  ])('%s', async (_what, path, compiled, more, left) => {
    const files = [{ path: 'p/m.py', content: source }, { path, content: compiled }, ...more]
    const { search } = await laidOut(files)
    expect(search.notSearched.some(one => one.reason === 'package-compiled')).toBe(left)
  })
})
