import { readFileSync } from 'node:fs'
import { link, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ImageContents } from '../../../src/evidence/image.js'
import { blobPath } from '../../../src/oci/blobs.js'
import { readLayers } from '../../../src/oci/layers.js'
import { openLayout } from '../../../src/oci/reader.js'
import { debianRootTar, wheelsRoot } from '../../support/debian-root.js'
import {
  type LayoutFile,
  type MadeDescriptor,
  MEDIA,
  tarOf,
  writeBlob,
  writeIndex,
} from '../../support/layouts.js'
import { run } from '../../support/tools.js'
import { layerBetween, treeOf, unpackTree } from '../../support/trees.js'

// What real tools leave behind in a real Debian. Nothing may be taken for hidden that was removed properly, and
// everything must be that was not.
const STATUS = 'var/lib/dpkg/status'
let dir = ''
let base: MadeDescriptor
let status = ''
let packages: readonly string[]

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'packages-'))
  const tar = await debianRootTar()
  base = await writeBlob(join(dir, 'base'), MEDIA.layer, readFileSync(tar))
  status = (await run('/bin/tar', ['-xOf', tar, `./${STATUS}`])).stdout
  packages = [...status.matchAll(/^Package: (.+)$/gm)].map(found => found[1] ?? '')
}, 300_000)
afterAll(() => rm(dir, { recursive: true, force: true }))

/** Reads an image of these layers; `undefined` stands for the real Debian. */
async function contentsOf(...layers: readonly (readonly LayoutFile[] | undefined)[]): Promise<ImageContents> {
  const out = await mkdtemp(join(dir, 'layout-'))
  const made: MadeDescriptor[] = []
  for (const files of layers)
    made.push(await writeBlob(out, MEDIA.layer, files === undefined ? '' : await tarOf(files)))
  const described = made.map((layer, at) => (layers[at] === undefined ? base : layer))
  if (layers.includes(undefined))
    await link(blobPath(join(dir, 'base'), base.digest), blobPath(out, base.digest))
  const platform = { os: 'linux', architecture: 'amd64' }
  const rootfs = { type: 'layers', diff_ids: described.map(layer => layer.digest) }
  const config = await writeBlob(out, MEDIA.config, JSON.stringify({ ...platform, config: {}, rootfs }))
  const manifest = { schemaVersion: 2, mediaType: MEDIA.manifest, config, layers: described }
  await writeIndex(out, [{ ...(await writeBlob(out, MEDIA.manifest, JSON.stringify(manifest))), platform }])
  const layout = await openLayout(out, { name: 'x' })
  const [image] = layout.subject.platforms
  if (image === undefined) throw new Error('one platform is expected')
  const { contents } = await readLayers(layout, image)
  await rm(out, { recursive: true })
  return contents
}

const whiteout = (path: string): LayoutFile => ({ path: path.replace(/[^/]+$/, '.wh.$&') })

function hidden(contents: ImageContents): readonly string[] {
  return (contents.hiddenPackages ?? []).map(one => one.package.replace(/^pkg:deb\/|@.*/g, ''))
}

test('a plain Debian hides nothing and has no metadata behind links', async () => {
  const contents = await contentsOf(undefined)
  expect([contents.hiddenPackages, contents.linkedMetadata]).toEqual([[], []])
}, 120_000)

test('packages that dpkg removes, with their settings or without, are not hidden', async () => {
  const gone = packages.filter(name =>
    ['libsmartcols1', 'mawk', 'debconf', 'adduser', 'libudev1'].includes(name),
  )
  expect(gone.length).toBeGreaterThan(2)
  const root = join(dir, 'root')
  await unpackTree(await debianRootTar(), root)
  const before = await treeOf(root)
  const [first = '', ...rest] = gone
  const dpkg = ['--root', root, '--force-all', '--force-not-root', '--log=/dev/null']
  await run('/usr/bin/dpkg', [...dpkg, '--purge', first])
  await run('/usr/bin/dpkg', [...dpkg, '--remove', ...rest])
  const layer = layerBetween(before, await treeOf(root))
  expect(layer.map(file => file.path)).toContain(STATUS)
  expect(hidden(await contentsOf(undefined, layer))).toEqual([])
}, 300_000)

test('a deleted package database hides every package that has files', async () => {
  const found = hidden(await contentsOf(undefined, [whiteout('var/lib/dpkg')]))
  // Some packages hold nothing but documents or settings.
  expect(found.length).toBeGreaterThan(packages.length * 0.8)
  for (const name of ['libc6', 'bash', 'dpkg', 'python3.11-minimal', 'libssl3']) expect(found).toContain(name)
}, 120_000)

test('one record cut out of the database hides exactly that package', async () => {
  const cut = status.replace(/^Package: libssl3\n(?:.+\n)*\n/m, '')
  expect(cut.length).toBeLessThan(status.length)
  expect(hidden(await contentsOf(undefined, [{ path: STATUS, content: cut }]))).toEqual(['libssl3'])
}, 120_000)

test('package lists and caches that are cleaned up are not missed', async () => {
  const folders = ['var/lib/apt/lists', 'var/cache', 'usr/share/doc', 'usr/share/locale', 'usr/share/man']
  expect(hidden(await contentsOf(undefined, folders.map(whiteout)))).toEqual([])
}, 120_000)

test('real wheels: a folder that is deleted or moved hides nothing, deleted METADATA does', async () => {
  const wheels = await treeOf(await wheelsRoot())
  const info = [...wheels.keys()].find(path => /requests-.*\.dist-info\/METADATA$/.test(path)) ?? ''
  const site = info.slice(0, info.lastIndexOf('/', info.lastIndexOf('/') - 1))
  const below = [...wheels.values()]
  expect(hidden(await contentsOf(below, [whiteout(site)]))).toEqual([])
  const moved = below.map(file => ({ ...file, path: `opt/${file.path}` }))
  expect(hidden(await contentsOf(below, [whiteout('usr'), ...moved]))).toEqual([])
  const { hiddenPackages } = await contentsOf(below, [whiteout(info)])
  expect(hiddenPackages).toMatchObject([{ package: 'pkg:pypi/requests@2.19.0', record: info }])
}, 120_000)
