import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { z } from 'zod'
import type { BuildRequest } from '../../../src/build/build-request.js'
import type { BuiltImage } from '../../../src/build/built.js'
import { exportCache } from '../../../src/build/cache-export.js'
import { buildImage } from '../../../src/build/engine.js'
import { GateError } from '../../../src/errors.js'
import { hashBlobs } from '../../../src/oci/blobs.js'
import { openLayout } from '../../../src/oci/reader.js'
import { createCommands } from '../../../src/tools/commands.js'
import { programsFolder, smallRoot, startBuildkit, type TestBuildkit } from '../../support/buildkitd.js'
import { builtProgram } from '../../support/programs.js'
import { startRegistry, type RegistryProcess } from '../../support/registry-process.js'
import { run, toolPath } from '../../support/tools.js'
import { PLAIN } from '../../pure/build/requests.js'

const SECRET = 'a-value-that-nobody-may-see-42'
const SYSTEM_PATH = '/usr/sbin:/usr/bin:/sbin:/bin'

let buildkit: TestBuildkit
let registry: RegistryProcess
let all = ''
let root = ''
let dir = ''

beforeAll(async () => {
  all = await mkdtemp(join(tmpdir(), 'bx-all-'))
  root = await smallRoot(all)
  registry = await startRegistry()
  buildkit = await startBuildkit()
})
afterAll(async () => {
  await buildkit.stop()
  await registry.stop()
  await rm(all, { recursive: true, force: true })
})
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'bx-'))
  await mkdir(join(dir, 'context', 'data'), { recursive: true })
  await writeFile(join(dir, 'context', 'data', 'file'), 'x'.repeat(10_000))
})
afterEach(() => rm(dir, { recursive: true, force: true }))

type Environment = Readonly<Record<string, string>>

/** A private folder of one run and its processes, on the builder of these tests unless told otherwise. */
async function services(environment: Environment = buildkit.environment) {
  const workDir = await mkdtemp(join(dir, 'w-'))
  return { commands: createCommands({ environment, workDir }), workDir, environment }
}

async function request(dockerfile: string, more: Partial<BuildRequest> = {}): Promise<BuildRequest> {
  const context = join(dir, 'context')
  await run('/bin/cp', ['-r', root, context])
  await writeFile(join(context, 'Dockerfile'), dockerfile)
  return { ...PLAIN, context, dockerfile: join(context, 'Dockerfile'), network: 'none', ...more }
}

async function build(
  dockerfile: string,
  more: Partial<BuildRequest> = {},
  environment?: Environment,
): Promise<BuiltImage> {
  const asked = await request(dockerfile, more)
  return await buildImage(await services(environment), 'buildx', asked)
}

/** The image of a layout, every blob of it hashed. */
async function opened(built: BuiltImage) {
  expect(built.engine?.name).toBe('buildx')
  const layout = await openLayout(built.layoutDir, { name: 'app' })
  await hashBlobs(layout)
  return layout
}

/** A file of the image as another program unpacks it. */
async function fileOf(built: BuiltImage, path: string): Promise<string> {
  const bundle = join(dir, 'unpacked')
  await rm(bundle, { recursive: true, force: true })
  await mkdir(bundle)
  const { subject } = await openLayout(built.layoutDir, { name: 'app' })
  for (const layer of subject.platforms[0]?.layers ?? []) {
    const blob = join(built.layoutDir, 'blobs', 'sha256', layer.digest.slice(7))
    await run('/bin/tar', ['-xzf', blob, '-C', bundle])
  }
  return await readFile(join(bundle, path), 'utf8')
}

/** Everything that the layout holds, layers unpacked. */
async function everything(built: BuiltImage): Promise<string> {
  const folder = join(built.layoutDir, 'blobs', 'sha256')
  const blobs = await readdir(folder)
  const texts = blobs.map(async name => {
    const zipped = await run('/bin/sh', ['-c', `zcat "$0" 2>/dev/null || cat "$0"`, join(folder, name)])
    return zipped.stdout
  })
  return (await Promise.all(texts)).join('\n')
}

async function gateErrorOf(work: Promise<unknown>): Promise<GateError> {
  const thrown: unknown = await work.then(
    () => undefined,
    (error: unknown) => error,
  )
  if (thrown instanceof GateError) return thrown
  throw new Error(`a GateError was expected, not ${String(thrown)}`)
}

test('arguments, target, labels, annotations and the platform reach the image', async () => {
  const dockerfile = [
    'FROM scratch AS first',
    'COPY root /',
    'ARG WHAT=nothing',
    'RUN echo "$WHAT" > /what',
    'USER 65532',
    'FROM first AS last',
    'USER 0',
  ]
  const built = await build(dockerfile.join('\n'), {
    target: 'first',
    buildArgs: ['WHAT=a b, "c"'],
    labels: { 'org.opencontainers.image.revision': 'a b' },
    annotations: { 'com.example.note': 'x=y, z' },
    platforms: ['linux/amd64'],
  })
  const { subject } = await opened(built)
  const [image] = subject.platforms
  expect(image).toMatchObject({ platform: 'linux/amd64', configDigest: built.imageId })
  expect(image?.config).toMatchObject({
    user: '65532',
    labels: { 'org.opencontainers.image.revision': 'a b' },
  })
  expect(await fileOf(built, 'what')).toBe('a b, "c"\n')
  const manifest = await readFile(join(built.layoutDir, 'blobs', 'sha256', subject.digest.slice(7)), 'utf8')
  expect(JSON.parse(manifest)).toMatchObject({ annotations: { 'com.example.note': 'x=y, z' } })
  expect(built.engine?.version).toMatch(/^0\.36\.1, BuildKit 0\.32\.2$/)
  expect(built.engine?.why).toBe(
    "asked for; the selected builder 'tests' (driver remote), exports OCI layouts",
  )
})

test('two platforms are one index of two images, without attestations', async () => {
  const platforms = ['linux/amd64', 'linux/arm64']
  const built = await build('FROM scratch\nARG TARGETARCH\nCOPY data /$TARGETARCH\n', { platforms })
  const { subject } = await opened(built)
  expect(subject.platforms.map(image => image.platform)).toEqual(platforms)
  expect(subject.mediaType).toBe('application/vnd.oci.image.index.v1+json')
  expect(built.imageId).toBeNull()
})

describe('secrets', () => {
  const dockerfile = [
    'FROM scratch',
    'COPY root /',
    'RUN --mount=type=secret,id=one wc -c < /run/secrets/one > /size',
  ].join('\n')

  test.each(['file', 'env'] as const)('by %s: used by RUN, in no blob of the layout', async kind => {
    const file = join(dir, 'a secret, "quoted"')
    await writeFile(file, SECRET)
    const environment = { ...buildkit.environment, MY_SECRET: SECRET }
    const secret = kind === 'file' ? { id: 'one', file } : { id: 'one', env: 'MY_SECRET' }
    const built = await build(dockerfile, { secrets: [secret] }, environment)
    await opened(built)
    expect((await fileOf(built, 'size')).trim()).toBe(String(SECRET.length))
    expect(await everything(built)).not.toContain(SECRET)
  })

  test('a step that prints one fails without showing it', async () => {
    const leak = `${dockerfile}\nRUN --mount=type=secret,id=one cat /run/secrets/one && exit 3`
    const environment = { ...buildkit.environment, MY_SECRET: `first line\n${SECRET}` }
    const secrets = [{ id: 'one', env: 'MY_SECRET' }]
    const error = await gateErrorOf(build(leak, { secrets, noCache: true }, environment))
    expect(error.reason).toBe('build-failed')
    expect(error.message).toContain('***')
    expect(error.message).not.toContain(SECRET)
  })

  test.each([
    ['a variable that is not set', { id: 'one', env: 'NOT_SET' }],
    ['a file that is not there', { id: 'one', file: '/nonexistent/secret' }],
  ])('%s is a question of the inputs', async (_, secret) => {
    const error = await gateErrorOf(build(dockerfile, { secrets: [secret] }))
    expect([error.code, error.reason]).toEqual(['config', 'secret-missing'])
  })
})

test('a layout and a folder as named contexts', async () => {
  const base = await build('FROM scratch\nCOPY root /\n')
  const { subject } = await opened(base)
  const lib = join(dir, 'lib folder')
  await mkdir(lib)
  await writeFile(join(lib, 'from-lib'), 'lib\n')
  const buildContexts = {
    'base:1': `oci-layout://${base.layoutDir}@${subject.digest}`,
    lib,
  }
  const built = await build('FROM base:1\nCOPY --from=lib from-lib /\nRUN cat /from-lib > /copied\n', {
    buildContexts,
  })
  await opened(built)
  expect(await fileOf(built, 'copied')).toBe('lib\n')
})

describe('bases', () => {
  const crane = () => toolPath('crane')
  const name = (): string => `${registry.host}/base:1`

  /** Pushes an image that holds a word, under the tag, and returns its digest. */
  async function pushBase(word: string): Promise<string> {
    await writeFile(join(dir, 'context', 'data', 'file'), word)
    const built = await build('FROM scratch\nCOPY data /\n')
    const { subject } = await opened(built)
    await run(crane(), ['push', built.layoutDir, name()])
    return subject.digest
  }

  test('the digest that was checked is the one that is used, although the tag has moved', async () => {
    const digest = await pushBase('checked')
    await pushBase('moved')
    const dockerfile = `FROM ${name()}\nCOPY data /own/\n`
    const bases = [{ reference: name(), digest }]
    const built = await build(dockerfile, { bases, platforms: ['linux/amd64'] })
    expect(await fileOf(built, 'file')).toBe('checked')
    const free = await build(dockerfile, { platforms: ['linux/amd64'] })
    expect(await fileOf(free, 'file')).toBe('moved')
  })

  test('a base that is not the checked one is refused', async () => {
    const digest = await pushBase('the real one')
    const other = await pushBase('another')
    // A named context of the user wins over the checked digest, so the build reads something else.
    const bases = [{ reference: name(), digest }]
    const buildContexts = { [name()]: `docker-image://${name()}@${other}` }
    const error = await gateErrorOf(build(`FROM ${name()}\nCOPY data /own/\n`, { bases, buildContexts }))
    expect([error.code, error.reason]).toEqual(['integrity', 'base-changed'])
    expect(error.message).toContain(other)
  })
})

test('an agent is forwarded', async () => {
  const socket = join(dir, 'agent')
  const agent = createServer()
  await new Promise<void>(resolve => agent.listen(socket, resolve))
  try {
    const mounted = '--mount=type=ssh,id=own [ -S "$SSH_AUTH_SOCK" ] && echo there > /agent'
    const dockerfile = `FROM scratch\nCOPY root /\nRUN ${mounted}\n`
    const built = await build(dockerfile, { ssh: [`own=${socket}`] })
    expect(await fileOf(built, 'agent')).toBe('there\n')
  } finally {
    agent.close()
  }
})

test('a remote builder that is gone is said to be so', async () => {
  const bin = await programsFolder(dir, ['buildx'])
  const environment = { PATH: `${bin}:${SYSTEM_PATH}`, HOME: dir }
  const create = ['create', '--name', 'gone', '--driver', 'remote', `unix://${join(dir, 'gone')}`]
  await run(join(bin, 'buildx'), create, { env: environment })
  const error = await gateErrorOf(build('FROM scratch\nCOPY data /\n', { builder: 'gone' }, environment))
  expect([error.code, error.reason]).toEqual(['tool', 'engine-missing'])
  expect(error.message).toContain("builder 'gone' (driver remote) does not answer")
})

test('a failing build names the step and shows the last lines', async () => {
  const error = await gateErrorOf(build('FROM scratch\nCOPY root /\nRUN echo the-last-words >&2; exit 7\n'))
  expect([error.code, error.reason]).toEqual(['tool', 'build-failed'])
  expect(error.message).toContain('Dockerfile:3')
  expect(error.message).toContain('exit 7')
  expect(error.message).toContain('the-last-words')
})

test('a builder by name, and none of another name instead', async () => {
  const built = await build('FROM scratch\nCOPY data /\n', { builder: buildkit.builder })
  expect(built.engine?.why).toContain("the builder asked for, 'tests'")
  const error = await gateErrorOf(build('FROM scratch\nCOPY data /\n', { builder: 'nobody' }))
  expect([error.code, error.reason]).toEqual(['tool', 'engine-missing'])
  expect(error.message).toContain('nobody')
})

test('buildx as the plugin of the Docker client', async () => {
  const plugins = join(dir, '.docker', 'cli-plugins')
  await mkdir(plugins, { recursive: true })
  await symlink(builtProgram('buildx').path, join(plugins, 'docker-buildx'))
  const environment = { ...buildkit.environment, PATH: SYSTEM_PATH, HOME: dir }
  const platforms = ['linux/amd64', 'linux/arm64']
  const built = await build('FROM scratch\nCOPY data /\n', { platforms }, environment)
  expect((await opened(built)).subject.platforms).toHaveLength(2)
  expect(built.engine?.version).toBe('0.36.1, BuildKit 0.32.2')
})

test('caches are written by the call for them, and read by a build', async () => {
  const dockerfile = 'FROM scratch\nCOPY root /\nRUN cat /proc/uptime > /when\n'
  const cache = join(dir, 'cache')
  const cacheTo = [`type=local,dest=${cache},mode=max`]
  const asked = await request(dockerfile, { cacheTo })
  const given = await services()
  const first = await buildImage(given, 'auto', asked)
  expect(first.engine?.name).toBe('buildx')
  expect(await readdir(dir)).not.toContain('cache')
  await exportCache(given, asked)
  expect(await readdir(cache)).toContain('index.json')
  const when = await fileOf(first, 'when')
  await run('/bin/sh', ['-c', 'exit 0'])
  const pruned = await services()
  const again = await buildImage(pruned, 'buildx', { ...asked, cacheFrom: [`type=local,src=${cache}`] })
  expect(await fileOf(again, 'when')).toBe(when)
})

describe('without a builder', () => {
  const socket = (): string => `unix://${join(dir, 'nobody.sock')}`

  async function machineWith(programs: readonly string[]): Promise<Environment> {
    const bin = await programsFolder(dir, programs)
    return { PATH: `${bin}:${SYSTEM_PATH}`, HOME: dir, DOCKER_HOST: socket() }
  }

  test('a BuildKit of our own builds and is gone afterwards, folder and all', async () => {
    const environment = await machineWith(['buildx', 'buildkitd'])
    const given = await services(environment)
    const asked = await request('FROM scratch\nCOPY root /\nRUN echo built > /ran\n')
    const built = await buildImage(given, 'auto', asked)
    await opened(built)
    expect(await fileOf(built, 'ran')).toBe('built\n')
    expect(built.engine?.why).toContain(
      "a BuildKit of this run's own, because builder 'default' does not answer",
    )
    expect(await readdir(given.workDir)).not.toContain('buildkit')
    const { stdout } = await run('/bin/ps', ['-eo', 'args'])
    expect(stdout).not.toContain(given.workDir)
  })

  test('its cache lasts until the caches were written', async () => {
    const environment = await machineWith(['buildx', 'buildkitd'])
    const given = await services(environment)
    const cache = join(dir, 'cache')
    const cacheTo = [`type=local,dest=${cache},mode=max`]
    const asked = await request('FROM scratch\nCOPY root /\nRUN cat /proc/uptime > /when\n', { cacheTo })
    const built = await buildImage(given, 'buildx', asked)
    await exportCache(given, asked)
    const manifests = z.object({ manifests: z.array(z.unknown()) })
    expect(
      manifests.parse(JSON.parse(await readFile(join(cache, 'index.json'), 'utf8'))).manifests,
    ).toHaveLength(1)
    const { subject } = await opened(built)
    const layer = subject.platforms[0]?.layers.at(-1)?.digest ?? ''
    expect(await readdir(join(cache, 'blobs', 'sha256'))).toContain(layer.slice(7))
    expect(await readdir(given.workDir)).not.toContain('buildkit')
  })

  test('a build that is stopped leaves no process, no mount and no folder that cannot be removed', async () => {
    const environment = await machineWith(['buildx', 'buildkitd'])
    const stopping = new AbortController()
    const workDir = await mkdtemp(join(dir, 'w-'))
    const commands = createCommands({ environment, workDir, signal: stopping.signal })
    const dockerfile = 'FROM scratch\nCOPY root /\nRUN while :; do :; done\n'
    const asked = await request(dockerfile)
    const building = gateErrorOf(buildImage({ commands, workDir, environment }, 'buildx', asked))
    const running = async () => (await run('/bin/ps', ['-eo', 'args'])).stdout
    while (!(await running()).includes('/bin/sh -c while :; do :; done')) {
      await new Promise(resolve => setTimeout(resolve, 200))
    }
    stopping.abort()
    expect((await building).reason).toBe('cancelled')
    await commands.stopAll()
    expect(await running()).not.toContain('/bin/sh -c while :; do :; done')
    expect(await running()).not.toContain(workDir)
    expect(await readFile('/proc/mounts', 'utf8')).not.toContain(workDir)
    await rm(workDir, { recursive: true })
  })

  test('the network of the host where it is asked for', async () => {
    const environment = await machineWith(['buildx', 'buildkitd'])
    const dockerfile = 'FROM scratch\nCOPY root /\nRUN cat /proc/net/dev > /devices\n'
    const none = await build(dockerfile, { network: 'none' }, environment)
    const host = await build(dockerfile, { network: 'host' }, environment)
    const here = await readFile('/proc/net/dev', 'utf8')
    const devices = (text: string) => [...text.matchAll(/^ *([a-z0-9@.-]+):/gm)].map(([, name]) => name)
    expect(devices(await fileOf(none, 'devices'))).toEqual(['lo'])
    expect(devices(await fileOf(host, 'devices'))).toEqual(devices(here))
  })

  test('with buildx alone the engine is missing, and says why', async () => {
    const environment = await machineWith(['buildx'])
    const error = await gateErrorOf(build('FROM scratch\nCOPY data /\n', {}, environment))
    expect([error.code, error.reason]).toEqual(['tool', 'engine-missing'])
    expect(error.message).toContain('buildkitd is not on PATH')
  })

  test('without buildx the engine is missing, another is not taken instead', async () => {
    const environment = await machineWith([])
    const error = await gateErrorOf(build('FROM scratch\nCOPY data /\n', {}, environment))
    expect([error.code, error.reason]).toEqual(['tool', 'engine-missing'])
    expect(error.message).toContain('engine buildx: buildx is neither on PATH nor a plugin of docker')
  })
})
