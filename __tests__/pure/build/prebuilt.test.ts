import { mkdir, mkdtemp, rename, rm, stat, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { copyLayout } from '../../../src/build/prebuilt.js'
import { blobPath, hashBlobs } from '../../../src/oci/blobs.js'
import { openLayout } from '../../../src/oci/reader.js'
import { makeLayout } from '../../support/layouts.js'
import { reasonOfAsync } from '../../support/reasons.js'

let dir = ''
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'prebuilt-'))
  await mkdir(join(dir, 'work'))
})
afterEach(() => rm(dir, { recursive: true, force: true }))

const image = { layers: [{ files: [{ path: 'a', content: 'a' }] }] }

test('the copy is the same image and shares no file with the original', async () => {
  const made = await makeLayout(join(dir, 'from'), image)
  const built = await copyLayout(made.dir, join(dir, 'work'))
  const layout = await openLayout(built.layoutDir, { name: 'x' })
  await hashBlobs(layout)
  expect(layout.subject.digest).toBe(made.manifestDigest)
  const inode = async (folder: string) => (await stat(blobPath(folder, made.configDigest))).ino
  expect(await inode(layout.dir)).not.toBe(await inode(made.dir))
  expect(built).toMatchObject({ engine: null, imageId: null })
})

test('a folder that is no layout is refused', async () => {
  expect(await reasonOfAsync(copyLayout(dir, join(dir, 'work')))).toBe('layout-missing')
})

test('a blob behind a symbolic link is refused by the reader of the copy', async () => {
  const made = await makeLayout(join(dir, 'from'), image)
  const blob = blobPath(made.dir, made.configDigest)
  await rename(blob, join(dir, 'elsewhere'))
  await symlink(join(dir, 'elsewhere'), blob)
  const { layoutDir } = await copyLayout(made.dir, join(dir, 'work'))
  expect(await reasonOfAsync(openLayout(layoutDir, { name: 'x' }))).toBe('blob-symlink')
})
