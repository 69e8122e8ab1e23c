import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  buildWithBuildah,
  buildahAnswers,
  findBuildahWay,
  type BuildahWay,
} from '../../../src/build/buildah.js'
import type { BuildRequest } from '../../../src/build/build-request.js'
import type { BuiltImage } from '../../../src/build/built.js'
import { GateError } from '../../../src/errors.js'
import { parseDockerfile } from '../../../src/evidence/dockerfile.js'
import { instructionsOfLayers } from '../../../src/evidence/layer-instructions.js'
import { hashBlobs } from '../../../src/oci/blobs.js'
import { openLayout, type OpenLayout } from '../../../src/oci/reader.js'
import { createCommands } from '../../../src/tools/commands.js'
import { debianBase } from '../../support/debian-root.js'
import { startRegistry, type RegistryProcess } from '../../support/registry-process.js'
import { machinePath, run, toolPath } from '../../support/tools.js'

let dir = ''
let base = ''
let baseDir = ''

beforeAll(async () => {
  machinePath('buildah')
  machinePath('runc')
  baseDir = await mkdtemp(join(tmpdir(), 'base-'))
  base = `oci-layout://${await debianBase(join(baseDir, 'layout'))}`
}, 300_000)
afterAll(() => rm(baseDir, { recursive: true, force: true }))
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'bh-'))
  await mkdir(join(dir, 'work'))
})
afterEach(() => rm(dir, { recursive: true, force: true }))

const workDir = (): string => join(dir, 'work')

async function wayHere(): Promise<BuildahWay> {
  const way = await findBuildahWay(createCommands({ environment: process.env, workDir: workDir() }))
  if ('kind' in way) throw new Error(way.why)
  return way
}

interface Given extends Partial<BuildRequest> {
  readonly environment?: Readonly<Record<string, string>>
  readonly way?: Partial<BuildahWay>
  readonly signs?: boolean
  readonly signal?: AbortSignal
}

async function build(dockerfile: string, given: Given = {}): Promise<BuiltImage> {
  const { environment: more, way, signs, signal, ...asked } = given
  const context = join(dir, 'context')
  await mkdir(join(context, 'data'), { recursive: true })
  await writeFile(join(context, 'hello'), '#!/bin/sh\n', { mode: 0o755 })
  await writeFile(join(context, 'data', 'file'), 'x'.repeat(1000))
  await writeFile(join(context, 'Dockerfile'), dockerfile)
  const environment = { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', HOME: dir, ...more }
  const commands = createCommands({
    environment,
    workDir: workDir(),
    ...(signal === undefined ? {} : { signal }),
  })
  const request: BuildRequest = {
    ...{ context, dockerfile: join(context, 'Dockerfile'), network: 'none', noCache: false, pull: false },
    ...{ buildArgs: [], platforms: [], labels: {}, annotations: {}, buildContexts: { base }, secrets: [] },
    ...{ ssh: [], cacheFrom: [], cacheTo: [], bases: [], ...asked },
  }
  const services = { commands, workDir: workDir(), environment, signs: signs ?? true }
  return await buildWithBuildah(services, request, { ...(await wayHere()), ...way })
}

async function failureOf(building: Promise<unknown>): Promise<GateError> {
  const thrown: unknown = await building.then(
    () => undefined,
    (error: unknown) => error,
  )
  if (thrown instanceof GateError) return thrown
  throw new Error('a GateError was expected', { cause: thrown })
}

/** Everything that is left of a build on the machine. */
async function leftovers(): Promise<readonly string[]> {
  const mounts = (await readFile('/proc/self/mounts', 'utf8')).split('\n').filter(line => line.includes(dir))
  const processes = execFileSync('ps', ['-eo', 'args'], { encoding: 'utf8' })
  const running = processes.split('\n').filter(line => line.includes(dir) || line.includes('sleep 98765'))
  return [...mounts, ...running]
}

async function opened(built: BuiltImage): Promise<OpenLayout> {
  const layout = await openLayout(built.layoutDir, { name: 'app' })
  await hashBlobs(layout)
  return layout
}

/** Every byte of the layout, layers unpacked. */
async function everything(built: BuiltImage): Promise<string> {
  const blobs = join(built.layoutDir, 'blobs', 'sha256')
  const texts = (await readdir(blobs)).map(name =>
    execFileSync('/bin/sh', ['-c', 'gzip -dcf "$0"', join(blobs, name)], {
      encoding: 'latin1',
      maxBuffer: 1024 ** 3,
    }),
  )
  return [...texts, await readFile(join(built.layoutDir, 'index.json'), 'utf8')].join('')
}

test('a built image is a layout with the id that buildah names, and its layers are told apart', async () => {
  const dockerfile = 'FROM scratch\nCOPY hello /hello\nCOPY data \\\n  /data/\nUSER 65532\n'
  const built = await build(dockerfile, {
    labels: { 'org.opencontainers.image.revision': 'a b' },
    annotations: { 'org.example.note': 'c d' },
  })
  const { subject } = await opened(built)
  const [image] = subject.platforms
  expect(built.engine).toMatchObject({ name: 'buildah', isolation: 'oci' })
  expect(image?.configDigest).toBe(built.imageId)
  expect(image?.config).toMatchObject({
    user: '65532',
    labels: { 'org.opencontainers.image.revision': 'a b' },
  })
  expect(
    instructionsOfLayers(image?.config.history ?? [], parseDockerfile(dockerfile, 'Dockerfile')),
  ).toEqual([
    { file: 'Dockerfile', line: 2 },
    { file: 'Dockerfile', line: 3, endLine: 4 },
  ])
  const inspected = await run(machinePath('skopeo'), ['inspect', '--raw', `oci:${built.layoutDir}`])
  expect(JSON.parse(inspected.stdout)).toMatchObject({
    config: { digest: built.imageId },
    annotations: { 'org.example.note': 'c d', 'org.opencontainers.image.base.digest': '' },
  })
  expect(await readdir(workDir())).not.toContain('buildah')
  expect(await leftovers()).toEqual([])
})

test('RUN steps of several stages, arguments, a target and secrets that stay out of the image', async () => {
  const value = `file-${Date.now().toString(36)}-secret`
  await writeFile(join(dir, 'secret'), value)
  const built = await build(
    [
      'ARG FROM_IMAGE=base',
      'FROM ${FROM_IMAGE} AS one',
      'ARG A=default',
      'RUN --mount=type=secret,id=file sha256sum /run/secrets/file > /file.sum && echo $A > /argument',
      'RUN --mount=type=secret,id=env wc -c < /run/secrets/env > /length && ls /sys/class/net > /net',
      'RUN --mount=type=cache,target=/c echo kept > /c/kept',
      'FROM scratch AS two',
      'COPY --from=one /argument /file.sum /length /net /out/',
      'FROM two AS three',
      'COPY hello /never',
    ].join('\n'),
    {
      buildArgs: ['A=given'],
      target: 'two',
      secrets: [
        { id: 'file', file: join(dir, 'secret') },
        { id: 'env', env: 'TOKEN_OF_TEST' },
      ],
      environment: { TOKEN_OF_TEST: `${value}-env` },
    },
  )
  const { subject } = await opened(built)
  expect(subject.platforms[0]?.layers).toHaveLength(1)
  const bytes = await everything(built)
  const sum = execFileSync('sha256sum', [join(dir, 'secret')], { encoding: 'utf8' }).slice(0, 64)
  expect(bytes).toContain(sum)
  expect(bytes).toContain('given\n')
  expect(bytes).toContain(`${value.length + 4}\n`)
  expect(bytes).not.toContain('eth0')
  expect(bytes).not.toContain(value)
  expect(await leftovers()).toEqual([])
}, 120_000)

test('two platforms are two images in one index, each with its own files', async () => {
  const dockerfile = 'FROM scratch\nARG TARGETARCH\nCOPY hello /hello\nLABEL arch=$TARGETARCH\n'
  const built = await build(dockerfile, { platforms: ['linux/amd64', 'linux/arm64'] })
  const { subject } = await opened(built)
  expect(built.imageId).toBeNull()
  expect(subject.platforms.map(image => [image.platform, image.config.labels]).sort()).toEqual([
    ['linux/amd64', { arch: 'amd64' }],
    ['linux/arm64', { arch: 'arm64' }],
  ])
})

test('a failing step is named, its secret is not shown, and nothing stays behind', async () => {
  const failure = await failureOf(
    build('FROM base\nRUN --mount=type=secret,id=s cat /run/secrets/s /absent\n', {
      secrets: [{ id: 's', env: 'TOKEN_OF_TEST' }],
      environment: { TOKEN_OF_TEST: 'a-secret-of-this-test' },
    }),
  )
  expect(failure).toMatchObject({ code: 'tool', reason: 'build-failed' })
  expect(failure.message).toContain('at RUN --mount=type=secret,id=s cat /run/secrets/s /absent')
  expect(failure.message).toContain('No such file or directory')
  expect(failure.message).not.toContain('a-secret-of-this-test')
  expect(await readdir(workDir())).not.toContain('buildah')
  expect(await leftovers()).toEqual([])
}, 120_000)

test('a build that is stopped leaves no process and no mount', async () => {
  const stop = new AbortController()
  const building = failureOf(build('FROM base\nRUN sleep 98765\n', { signal: stop.signal }))
  for (let tries = 0; tries < 600; tries += 1) {
    if ((await leftovers()).some(line => line.startsWith('sleep 98765'))) break
    await new Promise(resolve => setTimeout(resolve, 100))
  }
  stop.abort()
  expect(await building).toMatchObject({ reason: 'cancelled' })
  expect(await leftovers()).toEqual([])
}, 120_000)

test('chroot isolation is refused in a job that signs, before anything is built, and works where none does', async () => {
  const way = { isolation: { kind: 'chroot' } } as const
  const asked = { way, network: 'default' } as const
  expect(await failureOf(build('FROM scratch\nCOPY hello /\n', asked))).toMatchObject({
    code: 'evidence',
    reason: 'build-isolation',
  })
  expect(await readdir(workDir())).not.toContain('buildah')
  const built = await build('FROM base\nRUN echo built-$((40 + 2)) > /out\n', { ...asked, signs: false })
  expect(built.engine).toMatchObject({ name: 'buildah', isolation: 'chroot' })
  expect(await everything(built)).toContain('built-42')
  expect(await leftovers()).toEqual([])
}, 120_000)

test('what buildah would drop is refused with every line before it is started', async () => {
  const failure = await failureOf(
    build('FROM base\nSHELL ["/bin/bash", "-c"]\nCOPY --link hello /\nHEALTHCHECK CMD true\n'),
  )
  expect(failure).toMatchObject({ code: 'config', reason: 'dockerfile-unsupported' })
  expect(failure.message).toMatch(
    /Dockerfile:2: SHELL .*\n.*Dockerfile:3: COPY --link .*\n.*Dockerfile:4: HEALTHCHECK /,
  )
  expect(await readdir(workDir())).not.toContain('buildah')
})

test('a base whose health check would be lost is refused', async () => {
  const layout = join(dir, 'checked')
  await debianBase(layout, { Healthcheck: { Test: ['CMD', 'true'] } })
  const failure = await failureOf(
    build('FROM checked\nCOPY hello /\n', { buildContexts: { checked: `oci-layout://${layout}` } }),
  )
  expect(failure).toMatchObject({ code: 'config', reason: 'base-unsupported' })
  expect(failure.message).toContain('HEALTHCHECK')
}, 120_000)

describe('a base in a registry', () => {
  let registry: RegistryProcess | undefined
  beforeAll(async () => {
    registry = await startRegistry()
  })
  afterAll(() => registry?.stop())

  test('comes by the digest that was checked, whatever its tag says by then, and is named in the manifest', async () => {
    const host = registry?.host ?? ''
    const digestOf = async (reference: string): Promise<string> =>
      (await run(toolPath('crane'), ['digest', '--insecure', reference])).stdout.trim()
    const reference = `${host}/team/base:1`
    const built = await build('FROM scratch\nCOPY hello /first\n')
    await run(toolPath('crane'), ['push', '--insecure', built.layoutDir, reference])
    const digest = await digestOf(reference)
    await rm(workDir(), { recursive: true })
    await mkdir(workDir())
    const other = await build('FROM scratch\nCOPY hello /second\n')
    await run(toolPath('crane'), ['push', '--insecure', other.layoutDir, reference])
    expect(await digestOf(reference)).not.toBe(digest)
    await rm(workDir(), { recursive: true })
    await mkdir(workDir())
    const image = await build(`ARG HOST\nFROM \${HOST}/team/base:1\nCOPY hello /third\n`, {
      buildArgs: [`HOST=${host}`],
      bases: [{ reference, digest }],
    })
    const bytes = await everything(image)
    expect(bytes).toContain('first')
    expect(bytes).not.toContain('second')
    expect(bytes).toContain(`"org.opencontainers.image.base.digest":"${digest}"`)
    expect(bytes).toContain(`"org.opencontainers.image.base.name":"${reference}"`)
    await rm(workDir(), { recursive: true })
    await mkdir(workDir())
    const named = await build('FROM other\nCOPY hello /third\n', {
      buildContexts: { other: `docker-image://${reference}@${digest}` },
    })
    expect(await everything(named)).toContain('first')
  }, 120_000)
})

test('named contexts: a layout of several platforms, by digest and under a name with a tag', async () => {
  const two = await build('FROM scratch\nARG TARGETARCH\nCOPY hello /hello\nLABEL below=$TARGETARCH\n', {
    platforms: ['linux/amd64', 'linux/arm64'],
  })
  const { subject } = await opened(two)
  const layout = join(dir, 'two')
  await rename(two.layoutDir, layout)
  await rm(workDir(), { recursive: true })
  await mkdir(workDir())
  const built = await build('FROM team/two:1\nCOPY data /data\n', {
    buildContexts: { 'team/two:1': `oci-layout://${layout}@${subject.digest}` },
    platforms: ['linux/amd64', 'linux/arm64'],
  })
  const { subject: above } = await opened(built)
  expect(above.platforms.map(image => [image.platform, image.config.labels]).sort()).toEqual([
    ['linux/amd64', { below: 'amd64' }],
    ['linux/arm64', { below: 'arm64' }],
  ])
  const failure = await failureOf(
    build('FROM team/two:1\n', {
      buildContexts: { 'team/two:1': `oci-layout://${layout}@sha256:${'0'.repeat(64)}` },
    }),
  )
  expect(failure).toMatchObject({ code: 'config', reason: 'context-unreadable' })
}, 120_000)

test("the ignore file is that of BuildKit, and buildah's own is not read", async () => {
  const context = join(dir, 'context')
  await mkdir(context)
  await writeFile(join(context, '.containerignore'), 'hello\n')
  expect(await everything(await build('FROM scratch\nCOPY . /\n'))).toContain('hello')
  await rm(workDir(), { recursive: true })
  await mkdir(workDir())
  await writeFile(join(context, '.dockerignore'), 'data\n')
  await writeFile(join(context, 'Dockerfile.dockerignore'), 'hello\n.*\nDockerfile*\n')
  const bytes = await everything(await build('FROM scratch\nCOPY . /\n'))
  expect(bytes).toContain('data/')
  expect(bytes).not.toContain('hello\0')
})

test('buildah answers where it is installed', async () => {
  const commands = createCommands({ environment: process.env, workDir: workDir() })
  expect(await buildahAnswers(commands)).toBe(true)
  expect(existsSync('/usr/bin/buildah')).toBe(true)
})
