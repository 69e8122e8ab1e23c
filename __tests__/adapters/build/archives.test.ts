import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { BuiltImage } from '../../../src/build/built.js'
import { takeFromDocker } from '../../../src/build/docker-image.js'
import { unpackArchive } from '../../../src/build/prebuilt.js'
import type { PlatformImage } from '../../../src/evidence/subject.js'
import { hashBlobs } from '../../../src/oci/blobs.js'
import { readLayers } from '../../../src/oci/layers.js'
import { openLayout } from '../../../src/oci/reader.js'
import { createCommands } from '../../../src/tools/commands.js'
import { startDocker } from '../../support/dockerd.js'
import type { TestDocker } from '../../support/dockerd.js'
import { MEDIA } from '../../support/layouts.js'
import { reasonOfAsync } from '../../support/reasons.js'
import { machinePath, run } from '../../support/tools.js'

let docker: TestDocker | undefined
let root = ''
let dir = ''
let id = ''
let otherId = ''

beforeAll(async () => {
  docker = await startDocker()
  root = await mkdtemp(join(tmpdir(), 'saved-'))
  id = await build('one', 'app:1')
  otherId = await build('two', 'app:2')
  await client('save', '--output', join(root, 'docker.tar'), 'app:1')
  await client('save', '--output', join(root, 'both.tar'), 'app')
})
afterAll(async () => {
  await docker?.stop()
  await rm(root, { recursive: true, force: true })
})
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'archives-'))
})
afterEach(() => rm(dir, { recursive: true, force: true }))

async function client(...args: readonly string[]): Promise<string> {
  return (await run(machinePath('docker'), ['-H', docker?.host ?? '', ...args])).stdout.trim()
}

async function build(content: string, tag: string): Promise<string> {
  const context = join(root, content)
  await mkdir(context)
  await writeFile(join(context, 'file'), content.repeat(100_000))
  await writeFile(
    join(context, 'Dockerfile'),
    'FROM scratch\nCOPY file /file\nCOPY Dockerfile /second\nUSER 7\n',
  )
  await client('build', '--tag', tag, context)
  return client('image', 'inspect', '--format', '{{.Id}}', tag)
}

/** Opens what was brought in as the gate does: strict reader, every blob hashed, every layer against its diff_id. */
async function sound(built: BuiltImage): Promise<PlatformImage> {
  const layout = await openLayout(built.layoutDir, { name: 'app' })
  await hashBlobs(layout)
  const [image] = layout.subject.platforms
  if (image === undefined) throw new Error('one platform is expected')
  const { contents } = await readLayers(layout, image)
  expect(contents.files).toBe(2)
  return image
}

function services(host = docker?.host ?? '') {
  const environment = { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', HOME: dir, DOCKER_HOST: host }
  return { commands: createCommands({ environment, workDir: dir }), workDir: dir }
}

test('an archive of docker save keeps the image id', async () => {
  const image = await sound(await unpackArchive(join(root, 'docker.tar'), dir))
  expect(image.configDigest).toBe(id)
  expect(image.config.user).toBe('7')
})

test('an archive of two images is refused', async () => {
  expect(await reasonOfAsync(unpackArchive(join(root, 'both.tar'), dir))).toBe('archive-many-images')
})

async function skopeo(...args: readonly string[]): Promise<string> {
  return (await run(machinePath('skopeo'), args)).stdout
}

test.each([
  ['a docker-archive', 'docker-archive'],
  ['an oci-archive', 'oci-archive'],
])('%s of skopeo holds the image that skopeo sees in it', async (_, transport) => {
  const file = join(dir, 'skopeo.tar')
  const from = `docker-archive:${join(root, 'docker.tar')}`
  await skopeo('--insecure-policy', 'copy', '--quiet', from, `${transport}:${file}:app:1`)
  const image = await sound(await unpackArchive(file, dir))
  const manifest: unknown = JSON.parse(await skopeo('inspect', '--raw', `${transport}:${file}`))
  expect(manifest).toMatchObject({ config: { digest: image.configDigest } })
  if (transport === 'docker-archive') expect(image.configDigest).toBe(id)
  else expect(manifest).toMatchObject({ layers: image.layers.map(({ digest }) => ({ digest })) })
})

test('layers that skopeo packed with zstd are read', async () => {
  const file = join(dir, 'zstd.tar')
  const from = `docker-archive:${join(root, 'docker.tar')}`
  const packing = ['--dest-compress-format', 'zstd']
  await skopeo('--insecure-policy', 'copy', '--quiet', ...packing, from, `oci-archive:${file}`)
  const image = await sound(await unpackArchive(file, dir))
  expect(image.layers.map(layer => layer.mediaType)).toEqual([MEDIA.layerZstd, MEDIA.layerZstd])
})

test.each([
  ['a tag', () => 'app:1'],
  ['an id', () => id],
  ['a short id', () => id.slice('sha256:'.length, 'sha256:'.length + 12)],
])('an image of the engine is taken by %s', async (_, reference) => {
  const taken = await takeFromDocker(services(), reference())
  expect(taken).toMatchObject({ engine: null, imageId: id })
  expect((await sound(taken)).configDigest).toBe(id)
})

test('a name without a tag is the one that the engine calls latest, not all of that name', async () => {
  await client('tag', 'app:2', 'app:latest')
  const taken = await takeFromDocker(services(), 'app')
  expect((await sound(taken)).configDigest).toBe(otherId)
})

test('an image that the engine does not have is refused, and nothing is pulled', async () => {
  expect(await reasonOfAsync(takeFromDocker(services(), 'absent:1'))).toBe('image-absent')
})

test('without a daemon the engine is missing', async () => {
  const taken = takeFromDocker(services(`unix://${dir}/nobody.sock`), 'app:1')
  expect(await reasonOfAsync(taken)).toBe('engine-missing')
})
