import { createHash } from 'node:crypto'
import { chmod, mkdtemp, readFile, rm, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { loadIntoDocker } from '../../../src/build/docker-load.js'
import { blobPath } from '../../../src/oci/blobs.js'
import { importDockerArchive } from '../../../src/oci/docker-archive.js'
import { dockerArchive } from '../../../src/oci/docker-save.js'
import { openLayout, type OpenLayout } from '../../../src/oci/reader.js'
import type { Commands } from '../../../src/tools/command.js'
import { createCommands } from '../../../src/tools/commands.js'
import { startDocker, type TestDocker } from '../../support/dockerd.js'
import { makeIndexLayout, makeLayout, type LayoutImage } from '../../support/layouts.js'
import { builtProgram } from '../../support/programs.js'
import { reasonOfAsync } from '../../support/reasons.js'
import { machinePath, run } from '../../support/tools.js'

const NAME = 'registry.example/team/app'

let dir = ''
let docker: TestDocker
let commands: Commands
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'pc-load-'))
  docker = await startDocker()
  commands = await commandsOf({ DOCKER_HOST: docker.host })
})
afterAll(async () => {
  await commands.stopAll()
  await docker.stop()
  await rm(dir, { recursive: true, force: true })
})

async function commandsOf(environment: Readonly<Record<string, string>>): Promise<Commands> {
  const workDir = await mkdtemp(join(dir, 'work-'))
  return createCommands({ environment: { PATH: process.env['PATH'], HOME: dir, ...environment }, workDir })
}

async function client(...args: readonly string[]): Promise<string> {
  return (await run(machinePath('docker'), ['-H', docker.host, ...args])).stdout.trim()
}

/** A program that needs no library, in two layers: packed, and plain. */
async function runnable(platform: LayoutImage['platform'] & object): Promise<LayoutImage> {
  const content = await readFile(builtProgram('crane').path)
  return {
    platform,
    config: { Entrypoint: ['/bin/crane'], Labels: { platform: platform.architecture } },
    layers: [
      { files: [{ path: 'bin/crane', content, mode: 0o755 }] },
      { files: [{ path: 'etc/app.conf', content: `for ${platform.architecture}` }], gzip: false },
    ],
  }
}

async function twoPlatforms(): Promise<OpenLayout> {
  const layout = await mkdtemp(join(dir, 'layout-'))
  await makeIndexLayout(layout, [
    await runnable({ os: 'linux', architecture: 'amd64' }),
    await runnable({ os: 'linux', architecture: 'arm', variant: 'v7' }),
  ])
  return openLayout(layout, { name: NAME })
}

test('the engine has the very image: its id is the digest of the configuration, and it runs', async () => {
  const layout = await twoPlatforms()
  const reference = `${NAME}:sealed`
  const platform = `linux/${await client('version', '--format', '{{.Server.Arch}}')}`
  const own = layout.subject.platforms.find(one => one.platform.startsWith(platform))
  const loaded = await loadIntoDocker(commands, layout, { reference })
  expect(loaded).toEqual({ reference, platform: own?.platform, imageId: own?.configDigest })
  expect(await client('image', 'inspect', '--format', '{{.Id}}', reference)).toBe(own?.configDigest)
  const layers = await client('image', 'inspect', '--format', '{{json .RootFS.Layers}}', reference)
  expect(JSON.parse(layers)).toEqual(own?.layers.map(layer => layer.diffId))
  expect(await client('run', '--rm', '--network', 'none', reference, 'version')).toBe(
    (await run(builtProgram('crane').path, ['version'])).stdout.trim(),
  )
})

test('another platform is loaded when it is named', async () => {
  const layout = await twoPlatforms()
  const wanted = { reference: `${NAME}:arm`, platform: 'linux/arm' }
  const loaded = await loadIntoDocker(commands, layout, wanted)
  expect(loaded.platform).toBe('linux/arm/v7')
  expect(await client('image', 'inspect', '--format', '{{.Architecture}}', wanted.reference)).toBe('arm')
})

test('an archive of ours reads as one of a containerd store, the same bytes each time', async () => {
  const layout = await twoPlatforms()
  const [image] = layout.subject.platforms
  if (image === undefined) throw new Error('the layout has no image')
  const hashes = await Promise.all(
    [1, 2].map(async () => {
      const hash = createHash('sha256')
      for await (const chunk of dockerArchive(layout, image, `${NAME}:1`)) hash.update(chunk as Buffer)
      return hash.digest('hex')
    }),
  )
  expect(hashes[0]).toBe(hashes[1])
  const outDir = await mkdtemp(join(dir, 'back-'))
  const imageId = image.manifest.digest
  const archive = dockerArchive(layout, image, `${NAME}:1`)
  const back = await importDockerArchive(archive, { outDir, gzipLevel: 1, imageId })
  expect(back).toEqual({ configDigest: image.configDigest, manifestDigest: imageId, store: 'containerd' })
})

describe('nothing is taken for loaded when', () => {
  async function oneImage(): Promise<OpenLayout> {
    const layout = await mkdtemp(join(dir, 'layout-'))
    await makeLayout(layout, { layers: [{ files: [{ path: 'a', content: 'x'.repeat(200_000) }] }] })
    return openLayout(layout, { name: NAME })
  }

  test('the image has no such platform', async () => {
    const wanted = { reference: `${NAME}:no`, platform: 'linux/s390x' }
    expect(await reasonOfAsync(loadIntoDocker(commands, await oneImage(), wanted))).toBe('platform-absent')
  })

  test('a layer holds other bytes: the engine compares them with the configuration', async () => {
    const layout = await oneImage()
    const other = await oneImage()
    await makeLayout(other.dir, { layers: [{ files: [{ path: 'a', content: 'y'.repeat(200_000) }] }] })
    const [layer] = layout.subject.platforms[0]?.layers ?? []
    const [wrong] = (await openLayout(other.dir, { name: NAME })).subject.platforms[0]?.layers ?? []
    if (layer === undefined || wrong === undefined) throw new Error('the layouts have no layers')
    const bytes = await readFile(blobPath(other.dir, wrong.digest))
    expect(bytes.length).toBe(layer.size)
    await writeFile(blobPath(layout.dir, layer.digest), bytes)
    const answer = loadIntoDocker(commands, layout, { reference: `${NAME}:other` })
    expect(await reasonOfAsync(answer)).toBe('load-failed')
  })

  test('a layer is cut short', async () => {
    const layout = await oneImage()
    const [layer] = layout.subject.platforms[0]?.layers ?? []
    if (layer === undefined) throw new Error('the layout has no layer')
    await truncate(blobPath(layout.dir, layer.digest), layer.size - 1)
    const answer = loadIntoDocker(commands, layout, { reference: `${NAME}:cut` })
    expect(await reasonOfAsync(answer)).toBe('blob-size-mismatch')
    expect(await client('image', 'ls', '--quiet', `${NAME}:cut`)).toBe('')
  })

  test('no engine answers', async () => {
    const nobody = await commandsOf({ DOCKER_HOST: `unix://${dir}/nobody.sock` })
    const answer = loadIntoDocker(nobody, await oneImage(), { reference: `${NAME}:none` })
    expect(await reasonOfAsync(answer)).toBe('engine-missing')
  })

  test('the engine names another image afterwards', async () => {
    const liar = join(dir, 'liar')
    const real = machinePath('docker')
    const answer = `sha256:${'0'.repeat(64)}`
    await writeFile(liar, `#!/bin/sh\n[ "$1" = image ] && echo ${answer} && exit\nexec ${real} "$@"\n`)
    await chmod(liar, 0o755)
    const lied: Commands = {
      ...commands,
      run: command => commands.run({ ...command, program: { name: 'docker', path: liar } }),
    }
    const loading = loadIntoDocker(lied, await oneImage(), { reference: `${NAME}:lie` })
    expect(await reasonOfAsync(loading)).toBe('loaded-image-differs')
  })
})
