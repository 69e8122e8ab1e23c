import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { z } from 'zod'
import { parseDockerfile } from '../../../src/evidence/dockerfile.js'
import { originsOfLayers } from '../../../src/evidence/layer-instructions.js'
import { blobPath } from '../../../src/oci/blobs.js'
import { openLayout } from '../../../src/oci/reader.js'
import { smallRoot, startBuildkit } from '../../support/buildkitd.js'
import { startDocker } from '../../support/dockerd.js'
import { builtProgram } from '../../support/programs.js'
import { machinePath, run } from '../../support/tools.js'

const BASE = `FROM scratch
COPY root /
ENV PATH=/bin
COPY mark /from-base
RUN echo x > /ran-in-base
ONBUILD RUN echo x > /trigger
CMD ["/bin/sh"]
`

/** Each instruction of ours leaves a file named after its own line. */
const COMMON = [
  'ARG FROM=base:1', // 1
  'FROM ${FROM} AS one', // 2
  'ARG LEVEL=1', // 3
  'ENV PLACE=/', // 4
  'COPY mark ${PLACE}line-5', // 5
  'RUN echo "$LEVEL" \\', // 6
  '  # words in between', // 7
  '  > /line-6', // 8
  'FROM one AS beside', // 9
  'RUN echo x > /beside', // 10
  'FROM one', // 11
  'SHELL ["/bin/sh", "-e", "-c"]', // 12
  'RUN echo x > /line-13', // 13
  'SHELL ["/bin/sh", "-c"]', // 14
  'COPY --from=beside /beside /line-15', // 15
  'COPY ["mark", "/line-16"]', // 16
  'ADD --chown=1:1 mark /line-17', // 17
  'RUN ["/bin/sh", "-c", "echo x > /line-18"]', // 18
  'RUN echo x >> /same', // 19
  'RUN echo x >> /same', // 20
  'LABEL a=b c="d e"', // 21
]
const LAST = ['EXPOSE 80', 'VOLUME /data', 'HEALTHCHECK CMD true', 'STOPSIGNAL 9', 'USER 1:1', 'CMD echo hi']
const PLAIN = [...COMMON, ...LAST].join('\n')
const MODERN = [
  ...COMMON,
  'COPY --link mark /line-22', // 22
  'RUN <<EOT', // 23
  'echo x > /line-23', // 24
  'EOT', // 25
  'RUN --mount=type=tmpfs,target=/scratch cat <<EOT > /line-26', // 26
  'words', // 27
  'EOT', // 28
  'COPY <<EOT /line-29', // 29
  'words', // 30
  'EOT', // 31
  'COPY --link --chmod=755 mark /line-32', // 32
  ...LAST,
].join('\n')

let dir = ''
let context = ''

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'or-'))
  context = join(dir, 'context')
  await mkdir(context)
  await smallRoot(context)
  await writeFile(join(context, 'mark'), 'x')
  await writeFile(join(context, 'base'), BASE)
  await writeFile(join(context, 'plain'), PLAIN)
  await writeFile(join(context, 'modern'), MODERN)
})
afterAll(() => rm(dir, { recursive: true, force: true }))

interface Told {
  readonly files: readonly string[]
  readonly origin: string
  readonly line: number | undefined
}

/** Each layer with its files, as tar lists them, and what we say of it. */
async function told(layoutDir: string, dockerfile: string): Promise<readonly Told[]> {
  const [image] = (await openLayout(layoutDir, { name: 'x' })).subject.platforms
  if (image === undefined) throw new Error('one platform is expected')
  const diffIds = image.layers.map(layer => layer.diffId)
  const facts = parseDockerfile(dockerfile, 'Dockerfile', { buildArgs: { LEVEL: 'two words' } })
  const given = { history: image.config.history, dockerfile: facts, builtHere: true }
  const origins = originsOfLayers(diffIds, given)
  return Promise.all(
    image.layers.map(async (layer, at) => {
      const listed = await run('/usr/bin/tar', ['-tf', blobPath(layoutDir, layer.digest)])
      const files = listed.stdout.split('\n').map(name => name.replace(/^\.?\//, ''))
      return {
        files: files.filter(name => name !== ''),
        origin: origins[at]?.origin ?? '?',
        line: origins[at]?.instruction?.line,
      }
    }),
  )
}

/** Every layer answers for what really is in it. */
function check(layers: readonly Told[], lines: readonly number[]): void {
  const own = layers.filter(layer => layer.origin === 'own')
  const below = layers.slice(0, layers.length - own.length)
  expect(below.map(({ origin, line }) => ({ origin, line }))).toEqual(
    below.map(() => ({ origin: 'base', line: 2 })),
  )
  const inBase = below.flatMap(layer => layer.files)
  for (const file of ['bin/sh', 'from-base', 'ran-in-base']) expect(inBase).toContain(file)
  expect(inBase.filter(file => /^line-|^same/.test(file))).toEqual([])
  for (const { files, line } of own) {
    const marked = files.filter(file => file.startsWith('line-'))
    if (marked.length > 0) expect(marked).toEqual([`line-${line}`])
    else expect([19, 20]).toContain(line)
  }
  expect(own.map(layer => layer.line)).toEqual(lines)
}

const PLAIN_LINES = [5, 6, 13, 15, 16, 17, 18, 19, 20]
const ARGUMENTS = ['--build-arg', 'LEVEL=two words', '--label', 'org.example=1']

test('the classic builder of Docker', async () => {
  const docker = await startDocker()
  try {
    const env = {
      PATH: '/usr/sbin:/usr/bin:/sbin:/bin',
      HOME: dir,
      DOCKER_HOST: docker.host,
      DOCKER_BUILDKIT: '0',
    }
    const build = (...more: readonly string[]) =>
      run(machinePath('docker'), ['build', '-q', '--network', 'none', ...more, context], { env })
    await build('-f', join(context, 'base'), '-t', 'base:1')
    await build('-f', join(context, 'plain'), '-t', 'app:1', ...ARGUMENTS)
    await run(machinePath('docker'), ['save', '-o', join(dir, 'app.tar'), 'app:1'], { env })
    const layout = join(dir, 'classic')
    await run(machinePath('skopeo'), [
      'copy',
      '-q',
      `docker-archive:${join(dir, 'app.tar')}`,
      `oci:${layout}:x`,
    ])
    const layers = await told(layout, PLAIN)
    check(layers, PLAIN_LINES)
    expect(layers.find(layer => layer.files.includes('trigger'))).toMatchObject({ origin: 'base', line: 2 })
  } finally {
    await docker.stop()
  }
})

test('BuildKit, with --link and documents in the Dockerfile', async () => {
  const buildkit = await startBuildkit()
  try {
    const build = (file: string, into: string, ...more: readonly string[]) => {
      const output = `type=oci,dest=${join(dir, into)},tar=false`
      const flags = ['build', '-q', '--provenance=false', '--network', 'none', '-o', output]
      const name = join(context, file)
      return run(builtProgram('buildx').path, [...flags, '-f', name, ...more, context], {
        env: buildkit.environment,
      })
    }
    await build('base', 'bk-base')
    const index = z
      .object({ manifests: z.tuple([z.object({ digest: z.string() })]) })
      .parse(JSON.parse(await readFile(join(dir, 'bk-base', 'index.json'), 'utf8')))
    const base = `base:1=oci-layout://${join(dir, 'bk-base')}@${index.manifests[0].digest}`
    await build('modern', 'bk-app', '--build-context', base, ...ARGUMENTS)
    const layers = await told(join(dir, 'bk-app'), MODERN)
    check(layers, [...PLAIN_LINES, 22, 23, 26, 29, 32])
    expect(layers.find(layer => layer.files.includes('trigger'))).toMatchObject({ origin: 'base', line: 2 })
  } finally {
    await buildkit.stop()
  }
})

test('buildah, with a layer for each step, with one for each stage, and squashed', async () => {
  const store = ['--root', join(dir, 'store'), '--runroot', join(dir, 'run'), '--storage-driver', 'vfs']
  const buildah = (...more: readonly string[]) => run(machinePath('buildah'), [...store, ...more])
  const layout = async (name: string, ...flags: readonly string[]): Promise<string> => {
    const isolation = ['--isolation', 'chroot', '--pull-never']
    const from = ['--build-arg', 'FROM=localhost/base:1', ...ARGUMENTS]
    await buildah(
      'bud',
      '-q',
      ...isolation,
      ...flags,
      ...from,
      '-t',
      `localhost/${name}:1`,
      '-f',
      join(context, 'plain'),
      context,
    )
    await buildah('push', '-q', `localhost/${name}:1`, `oci:${join(dir, name)}:x`)
    return join(dir, name)
  }
  await buildah(
    'bud',
    '-q',
    '--isolation',
    'chroot',
    '--layers',
    '-t',
    'localhost/base:1',
    '-f',
    join(context, 'base'),
    context,
  )
  check(await told(await layout('steps', '--layers'), PLAIN), PLAIN_LINES)
  const stages = (await told(await layout('stages', '--layers=false'), PLAIN)).slice(-2)
  expect(stages).toMatchObject([{ origin: 'own' }, { origin: 'own' }])
  expect(stages.map(layer => layer.line)).toEqual([undefined, undefined])
  for (const [at, files] of [
    ['line-5', 'line-6'],
    ['line-13', 'line-18'],
  ].entries())
    for (const file of files) expect(stages[at]?.files).toContain(file)
  const squashed = await told(await layout('squashed', '--squash'), PLAIN)
  expect(squashed).toMatchObject([{ origin: '?', line: undefined }])
})
