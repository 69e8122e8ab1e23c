import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { buildWithDocker, engineAnswers } from '../../../src/build/docker.js'
import type { BuildRequest } from '../../../src/build/docker-arguments.js'
import { GateError } from '../../../src/errors.js'
import { parseDockerfile } from '../../../src/evidence/dockerfile.js'
import { instructionsOfLayers } from '../../../src/evidence/layer-instructions.js'
import { hashBlobs } from '../../../src/oci/blobs.js'
import { readLayers } from '../../../src/oci/layers.js'
import { openLayout } from '../../../src/oci/reader.js'
import { createCommands } from '../../../src/tools/commands.js'
import { startDocker } from '../../support/dockerd.js'
import type { TestDocker } from '../../support/dockerd.js'
import { machinePath, run } from '../../support/tools.js'

const DOCKERFILE = 'FROM scratch\nCOPY hello /hello\nCOPY data \\\n  /data/\nUSER 65532\n'
let docker: TestDocker | undefined
let dir = ''

beforeAll(async () => {
  docker = await startDocker()
})
afterAll(() => docker?.stop())
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'build-'))
})
afterEach(() => rm(dir, { recursive: true, force: true }))

function commandsFor(host: string) {
  const workDir = join(dir, 'work')
  const environment = { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', HOME: dir, DOCKER_HOST: host }
  return { commands: createCommands({ environment, workDir }), workDir }
}

async function build(dockerfile: string, more: Partial<BuildRequest> = {}) {
  const context = join(dir, 'context')
  await mkdir(join(context, 'data'), { recursive: true })
  await mkdir(join(dir, 'work'))
  await writeFile(join(context, 'hello'), '#!/bin/sh\n', { mode: 0o755 })
  await writeFile(join(context, 'data', 'file'), 'x'.repeat(100_000))
  await writeFile(join(context, 'Dockerfile'), dockerfile)
  return buildWithDocker(commandsFor(docker?.host ?? ''), {
    context,
    dockerfile: join(context, 'Dockerfile'),
    buildArgs: [],
    labels: {},
    network: 'none',
    noCache: false,
    pull: false,
    ...more,
  })
}

test('a built image is a layout that keeps the image id, with its layers told apart', async () => {
  const built = await build(DOCKERFILE, { labels: { 'org.opencontainers.image.revision': 'a b' } })
  const layout = await openLayout(built.layoutDir, { name: 'app' })
  await hashBlobs(layout)
  const [image] = layout.subject.platforms
  if (image === undefined) throw new Error('one platform is expected')
  expect(built.engine?.name).toBe('docker')
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
  await mkdir(join(dir, 'work'))
  const { commands } = commandsFor(`unix://${dir}/nobody.sock`)
  expect(await engineAnswers(commands)).toBe(false)
})
