import { mkdir, mkdtemp, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { nestFlatIndex } from '../../../src/oci/flat-index.js'
import { openLayout } from '../../../src/oci/reader.js'
import { digestOf, MEDIA, writeImage, writeIndex } from '../../support/layouts.js'
import type { MadeDescriptor } from '../../support/layouts.js'
import { AMD64, ARM64, imageFor, nestedLayout } from '../../support/platform-layouts.js'
import { reasonOfAsync } from '../../support/reasons.js'

let dir = ''

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'flat-'))
})
afterEach(() => rm(dir, { recursive: true, force: true }))

const open = () => openLayout(dir, { name: 'example.test/app' })
const REF_NAME = 'org.opencontainers.image.ref.name'

async function flat(
  change: (entry: MadeDescriptor, at: number) => object = entry => entry,
  platforms = [AMD64, ARM64],
): Promise<readonly MadeDescriptor[]> {
  const made = []
  for (const [at, platform] of platforms.entries()) {
    const image = imageFor(platform, [{ path: 'number', content: String(at) }])
    made.push((await writeImage(dir, image)).descriptor)
  }
  await writeIndex(dir, made.map(change) as readonly MadeDescriptor[])
  return made
}

test('index.json itself becomes the index, byte for byte', async () => {
  const made = await flat(entry => ({ ...entry, annotations: { [REF_NAME]: '1.0' } }))
  const before = await readFile(join(dir, 'index.json'))
  expect(await nestFlatIndex(dir)).toBe(true)
  const { subject, blobs } = await open()
  expect(subject.digest).toBe(digestOf(before))
  expect(subject.platforms.map(one => one.manifest.digest)).toEqual(made.map(one => one.digest))
  expect(blobs.map(blob => blob.digest)).toContain(digestOf(before))
  expect(await readFile(join(dir, 'blobs', 'sha256', digestOf(before).slice(7)))).toEqual(before)
  expect(await nestFlatIndex(dir)).toBe(false)
})

describe('is left as it is', () => {
  test.each<[string, (entry: MadeDescriptor, at: number) => object]>([
    ['an entry without its platform', ({ mediaType, digest, size }) => ({ mediaType, digest, size })],
    ['entries of two names', (entry, at) => ({ ...entry, annotations: { [REF_NAME]: `app:${at}` } })],
    [
      'an entry that is no manifest',
      (entry, at) => (at === 0 ? entry : { ...entry, mediaType: MEDIA.index }),
    ],
  ])('%s, and the layout is refused', async (_what, change) => {
    await flat(change)
    const before = await readFile(join(dir, 'index.json'))
    expect(await nestFlatIndex(dir)).toBe(false)
    expect(await readFile(join(dir, 'index.json'))).toEqual(before)
    expect(await reasonOfAsync(open())).toBe('index-many-images')
  })

  test('a nested index', async () => {
    const { indexDigest } = await nestedLayout(dir, [imageFor(AMD64, []), imageFor(ARM64, [])])
    expect(await nestFlatIndex(dir)).toBe(false)
    expect((await open()).subject.digest).toBe(indexDigest)
  })
})

describe('is refused', () => {
  test('two images for one platform', async () => {
    await flat(undefined, [AMD64, AMD64])
    expect(await nestFlatIndex(dir)).toBe(true)
    expect(await reasonOfAsync(open())).toBe('platform-duplicate')
  })

  test('blobs behind a link: nothing is written through it', async () => {
    await flat()
    const elsewhere = join(dir, 'elsewhere')
    await mkdir(elsewhere)
    await rename(join(dir, 'blobs', 'sha256'), join(elsewhere, 'sha256'))
    await symlink('../elsewhere/sha256', join(dir, 'blobs', 'sha256'))
    expect(await reasonOfAsync(nestFlatIndex(dir))).toBe('blob-symlink')
  })

  test('a link in the place of the index: nothing is written through it', async () => {
    await flat()
    const digest = digestOf(await readFile(join(dir, 'index.json')))
    await writeFile(join(dir, 'victim'), 'untouched')
    await symlink('../../victim', join(dir, 'blobs', 'sha256', digest.slice(7)))
    await nestFlatIndex(dir)
    expect(await readFile(join(dir, 'victim'), 'utf8')).toBe('untouched')
    expect(await reasonOfAsync(open())).toBe('blob-symlink')
  })
})
