import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { BuildRequest } from '../../../src/build/build-request.js'
import { engineAnswers } from '../../../src/build/docker.js'
import { buildImage } from '../../../src/build/engine.js'
import { GateError } from '../../../src/errors.js'
import { parseDockerfile } from '../../../src/evidence/dockerfile.js'
import { instructionsOfLayers } from '../../../src/evidence/layer-instructions.js'
import { hashBlobs } from '../../../src/oci/blobs.js'
import { readLayers } from '../../../src/oci/layers.js'
import { openLayout } from '../../../src/oci/reader.js'
import { createCommands } from '../../../src/tools/commands.js'
import { smallRoot } from '../../support/buildkitd.js'
import { startDocker } from '../../support/dockerd.js'
import type { TestDocker } from '../../support/dockerd.js'
import { builtProgram } from '../../support/programs.js'
import { startRegistry, type RegistryProcess } from '../../support/registry-process.js'
import { machinePath, run, toolPath } from '../../support/tools.js'
import { PLAIN } from '../../pure/build/requests.js'

const DOCKERFILE = 'FROM scratch\nCOPY hello /hello\nCOPY data \\\n  /data/\nUSER 65532\n'
let docker: TestDocker | undefined
let registry: RegistryProcess
let dir = ''

beforeAll(async () => {
  registry = await startRegistry()
  docker = await startDocker()
})
afterAll(async () => {
  await docker?.stop()
  await registry.stop()
})
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'build-'))
})
afterEach(() => rm(dir, { recursive: true, force: true }))

async function services(host: string, more: Readonly<Record<string, string>> = {}) {
  const workDir = await mkdtemp(join(dir, 'work-'))
  const environment = { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', HOME: dir, DOCKER_HOST: host, ...more }
  return { commands: createCommands({ environment, workDir }), workDir, environment }
}

async function build(
  dockerfile: string,
  more: Partial<BuildRequest> = {},
  environment: Readonly<Record<string, string>> = {},
) {
  const context = join(dir, 'context')
  await mkdir(join(context, 'data'), { recursive: true })
  await writeFile(join(context, 'hello'), '#!/bin/sh\n', { mode: 0o755 })
  await writeFile(join(context, 'data', 'file'), 'x'.repeat(100_000))
  await writeFile(join(context, 'Dockerfile'), dockerfile)
  const asked: BuildRequest = {
    ...PLAIN,
    context,
    dockerfile: join(context, 'Dockerfile'),
    network: 'none',
    ...more,
  }
  const built = await buildImage(await services(docker?.host ?? '', environment), 'docker', asked)
  expect(built.engine?.name).toBe('docker')
  return built
}

test('a built image is a layout that keeps the image id, with its layers told apart', async () => {
  const built = await build(DOCKERFILE, { labels: { 'org.opencontainers.image.revision': 'a b' } })
  const layout = await openLayout(built.layoutDir, { name: 'app' })
  await hashBlobs(layout)
  const [image] = layout.subject.platforms
  if (image === undefined) throw new Error('one platform is expected')
  expect(built.engine?.why).toMatch(/^asked for; the Docker engine \d.* answers$/)
  expect(image.configDigest).toBe(built.imageId)
  expect(image.config).toMatchObject({
    user: '65532',
    labels: { 'org.opencontainers.image.revision': 'a b' },
  })
  const { contents } = await readLayers(layout, image)
  expect(contents).toMatchObject({ files: 2, executables: 1, unexplained: [{ path: 'hello' }] })
  const places = instructionsOfLayers(image.config.history, parseDockerfile(DOCKERFILE, 'Dockerfile'))
  expect(places).toEqual([
    { file: 'Dockerfile', line: 2 },
    { file: 'Dockerfile', line: 3, endLine: 4 },
  ])
  const inspected = await run(machinePath('skopeo'), ['inspect', '--raw', `oci:${built.layoutDir}`])
  expect(JSON.parse(inspected.stdout)).toMatchObject({ config: { digest: built.imageId } })
})

test('no tag of ours stays in the engine', async () => {
  await build(DOCKERFILE)
  const { stdout } = await run(machinePath('docker'), [
    '-H',
    docker?.host ?? '',
    'images',
    '--format',
    '{{.Repository}}',
  ])
  expect(stdout).not.toContain('portcullis')
})

test('a failing build names the step and shows the last lines', async () => {
  const failure = await build('FROM scratch\nCOPY hello /hello\nCOPY absent /absent\n').catch(
    (error: unknown) => error,
  )
  expect(failure).toBeInstanceOf(GateError)
  expect(failure).toMatchObject({ code: 'tool', reason: 'build-failed' })
  expect(String(failure)).toContain('COPY absent /absent')
  expect(String(failure)).toContain('not found')
})

test('without a daemon the engine is missing', async () => {
  const { commands } = await services(`unix://${dir}/nobody.sock`)
  expect(await engineAnswers(commands)).toBe(false)
})

test('what the engine would drop is refused by name before anything is built', async () => {
  const more = { platforms: ['linux/amd64', 'linux/arm64'], annotations: { a: 'b' }, builder: 'x' }
  const failure = await build(DOCKERFILE, more).catch((error: unknown) => error)
  expect(failure).toMatchObject({ code: 'config', reason: 'engine-cannot' })
  expect(String(failure)).toContain('platforms (more than one), annotations, builder')
})

/** A file of the only image in the layout. */
async function fileOf(layoutDir: string, path: string): Promise<string> {
  const into = await mkdtemp(join(dir, 'files-'))
  const { subject } = await openLayout(layoutDir, { name: 'app' })
  for (const layer of subject.platforms[0]?.layers ?? []) {
    await run('/bin/tar', ['-xzf', join(layoutDir, 'blobs', 'sha256', layer.digest.slice(7)), '-C', into])
  }
  return await readFile(join(into, path), 'utf8')
}

/** With the plugin, `docker buildx build` builds; without it the BuildKit of the client does. */
async function withPlugin(plugin: boolean): Promise<void> {
  if (!plugin) return
  const folder = join(dir, '.docker', 'cli-plugins')
  await mkdir(folder, { recursive: true })
  await symlink(builtProgram('buildx').path, join(folder, 'docker-buildx'))
}

describe.each([
  ['BuildKit of the client', false],
  ['the plugin buildx', true],
])('%s', (_, plugin) => {
  beforeEach(() => withPlugin(plugin))

  test('secrets by variable and file are used and show nowhere', async () => {
    const value = 'a-value-that-nobody-may-see-42'
    await smallRoot(join(dir, 'context'))
    const file = join(dir, 'secret')
    await writeFile(file, 'second-secret-value')
    const dockerfile = [
      'FROM scratch',
      'COPY root /',
      'RUN --mount=type=secret,id=one --mount=type=secret,id=two cat /run/secrets/one /run/secrets/two | wc -c > /size',
    ].join('\n')
    const secrets = [
      { id: 'one', env: 'MY_SECRET' },
      { id: 'two', file },
    ]
    const built = await build(dockerfile, { secrets }, { MY_SECRET: value })
    expect((await fileOf(built.layoutDir, 'size')).trim()).toBe(String(value.length + 19))
    const leak = `${dockerfile}\nRUN --mount=type=secret,id=one cat /run/secrets/one && exit 3`
    const failure = await build(leak, { secrets }, { MY_SECRET: value }).catch((error: unknown) => error)
    expect(failure).toMatchObject({ reason: 'build-failed' })
    expect(String(failure)).toContain('***')
    expect(String(failure)).not.toContain(value)
  })

  test('the digest of the base that was checked is used, although the tag has moved', async () => {
    const name = `${registry.host}/base-${plugin ? 'x' : 'k'}:1`
    const digests: string[] = []
    for (const word of ['checked', 'moved']) {
      const built = await build(`FROM scratch\nCOPY data /\nLABEL word=${word}\n`)
      await run(toolPath('crane'), ['push', built.layoutDir, name])
      digests.push((await run(toolPath('crane'), ['digest', name])).stdout.trim())
    }
    const [digest = ''] = digests
    const bases = [{ reference: name, digest }]
    const built = await build(`FROM ${name}\nCOPY hello /hello\n`, { bases })
    const layout = await openLayout(built.layoutDir, { name: 'app' })
    expect(layout.subject.platforms[0]?.config.labels).toEqual({ word: 'checked' })
  })

  test('auto takes the engine where buildx has no builder that exports OCI', async () => {
    const context = join(dir, 'context')
    await mkdir(context, { recursive: true })
    await writeFile(join(context, 'hello'), '')
    await writeFile(join(context, 'Dockerfile'), 'FROM scratch\nCOPY hello /\n')
    const asked = { ...PLAIN, context, dockerfile: join(context, 'Dockerfile') }
    const built = await buildImage(await services(docker?.host ?? ''), 'auto', asked)
    expect(built.engine?.name).toBe('docker')
    expect(built.engine?.why).toContain(
      plugin
        ? "not buildx: builder 'default' (driver docker) cannot export"
        : 'not buildx: buildx is neither',
    )
  })
})
