import { cp, link, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { BuildRequest } from '../../../src/build/build-request.js'
import { buildImage, type EngineName } from '../../../src/build/engine.js'
import { parseDockerfile } from '../../../src/evidence/dockerfile.js'
import type { PlatformEvidence } from '../../../src/evidence/evidence.js'
import type { Known } from '../../../src/evidence/known.js'
import { instructionsOfLayers } from '../../../src/evidence/layer-instructions.js'
import type { PreparedDatabase } from '../../../src/inspect/database.js'
import { hashBlobs } from '../../../src/oci/blobs.js'
import { openLayout } from '../../../src/oci/reader.js'
import { createCommands } from '../../../src/tools/commands.js'
import { smallRoot, startBuildkit, type TestBuildkit } from '../../support/buildkitd.js'
import { debianRootTar } from '../../support/debian-root.js'
import { startDocker, type TestDocker } from '../../support/dockerd.js'
import { openBench, type Bench } from '../../support/inspection.js'
import type { LayoutFile } from '../../support/layouts.js'
import { nodePackage, wheel } from '../../support/sample-image.js'
import { makeDatabase } from '../../support/tools.js'
import { PLAIN } from '../../pure/build/requests.js'

const AMD = ['linux/amd64']
const BOTH = ['linux/amd64', 'linux/arm64']
const SYSTEM_PATH = '/usr/sbin:/usr/bin:/sbin:/bin'
const BUILD_MS = 600_000

interface Image {
  readonly name: string
  readonly dockerfile: string
  readonly files: readonly LayoutFile[]
  /** Needs a shell to run steps with. */
  readonly shell?: boolean
  readonly debian?: boolean
  /** What must be found at least, so that two empty answers are not taken for equal ones. */
  readonly expected: readonly string[]
  readonly platforms: readonly (readonly string[])[]
}

const IMAGES: readonly Image[] = [
  {
    name: 'Python and npm packages on scratch',
    dockerfile: 'FROM scratch\nCOPY usr /usr\nCOPY app /app\nUSER 65532\n',
    files: [...wheel('langchain', '0.0.170'), ...wheel('idna', '3.7'), ...nodePackage('minimist', '1.2.5')],
    expected: ['pkg:npm/minimist@1.2.5', 'pkg:pypi/idna@3.7', 'pkg:pypi/langchain@0.0.170'],
    platforms: [AMD, BOTH],
  },
  {
    name: 'two stages, the first with RUN',
    dockerfile: [
      'FROM --platform=$BUILDPLATFORM scratch AS made',
      'COPY root /',
      'COPY usr /made/usr',
      'RUN wc -c /made/usr/local/lib/python3.11/site-packages/langchain-0.0.170.dist-info/METADATA > /made/size',
      'FROM scratch',
      'COPY --from=made /made/usr /usr',
      'COPY --from=made /made/size /size',
      '',
    ].join('\n'),
    files: wheel('langchain', '0.0.170'),
    shell: true,
    expected: ['pkg:pypi/langchain@0.0.170'],
    platforms: [AMD, BOTH],
  },
  {
    name: 'Debian with RUN',
    dockerfile:
      'FROM scratch\nADD root.tar /\nRUN useradd --system app && rm -rf /usr/share/doc\nCOPY usr /usr\nUSER app\n',
    files: wheel('langchain', '0.0.170'),
    debian: true,
    expected: ['pkg:pypi/langchain@0.0.170', 'pkg:deb/debian/bash@'],
    platforms: [AMD],
  },
]

const CASES = IMAGES.flatMap(image => image.platforms.map(platforms => ({ image, platforms })))

let bench: Bench
let database: PreparedDatabase
let docker: TestDocker | undefined
let buildkit: TestBuildkit | undefined
let root = ''
const table: string[] = []

beforeAll(async () => {
  bench = await openBench()
  database = await bench.database(await makeDatabase(join(bench.dir, 'db')))
  docker = await startDocker()
  buildkit = await startBuildkit()
  root = await smallRoot(bench.dir)
}, BUILD_MS)
afterAll(async () => {
  await buildkit?.stop()
  await docker?.stop()
  await bench.close()
  process.stdout.write(
    ['', 'image | platforms | engine | packages | findings | layers', ...table, ''].join('\n'),
  )
})

/** What each engine sees of the machine: itself alone, so that no other one can have built. */
function environmentOf(engine: EngineName): Readonly<Record<string, string>> {
  // A DOCKER_HOST would be taken for the selected builder.
  if (engine === 'buildx') return { ...buildkit?.environment }
  const nobody = `unix://${bench.dir}/nobody.sock`
  return {
    PATH: SYSTEM_PATH,
    HOME: bench.dir,
    DOCKER_HOST: engine === 'docker' ? (docker?.host ?? nobody) : nobody,
  }
}

async function contextOf(image: Image): Promise<string> {
  const context = await mkdtemp(join(bench.dir, 'context-'))
  for (const file of image.files) {
    await mkdir(dirname(join(context, file.path)), { recursive: true })
    await writeFile(join(context, file.path), file.content ?? '')
  }
  await writeFile(join(context, 'Dockerfile'), image.dockerfile)
  if (image.shell === true) await cp(root, join(context, 'root'), { recursive: true })
  if (image.debian === true) await placeDebian(join(context, 'root.tar'))
  return context
}

async function placeDebian(to: string): Promise<void> {
  const from = await debianRootTar()
  await link(from, to).catch(() => cp(from, to))
}

function value<T>(known: Known<T>): T {
  if (known.state !== 'present') throw new Error(`not present: ${JSON.stringify(known)}`)
  return known.value
}

function factsOf(child: PlatformEvidence, lines: readonly (number | undefined)[]) {
  const scan = value(child.vulnerabilities)
  return {
    platform: child.platform,
    packages: scan.packages.map(found => found.purl).sort(),
    findings: scan.findings.map(({ id, purl, severity }) => `${id} ${purl} ${severity}`).sort(),
    listed: value(child.sboms).packages.length,
    secrets: value(child.secrets).findings.length,
    lines,
  }
}

/** Builds with exactly this engine, inspects every platform, and says what was found. */
async function builtBy(engine: EngineName, image: Image, platforms: readonly string[]) {
  const context = await contextOf(image)
  const workDir = await mkdtemp(join(bench.dir, 'build-'))
  const environment = environmentOf(engine)
  const request: BuildRequest = {
    ...PLAIN,
    ...{ context, dockerfile: join(context, 'Dockerfile'), network: 'none', platforms },
  }
  const commands = createCommands({ environment, workDir })
  const built = await buildImage({ commands, workDir, environment, signs: true }, engine, request)
  const layout = await openLayout(built.layoutDir, { name: 'app' })
  await hashBlobs(layout)
  const dockerfile = parseDockerfile(image.dockerfile, 'Dockerfile')
  const inspection = await bench.inspect({ layoutDir: built.layoutDir, database })
  expect(inspection.problems).toEqual([])
  const facts = inspection.platforms.map(child => {
    const { config } = layout.subject.platforms.find(one => one.platform === child.platform) ?? {}
    const places = instructionsOfLayers(config?.history ?? [], dockerfile)
    return factsOf(
      { ...child, platform: child.platform.replace(/\/v8$/, '') },
      places.map(place => place?.line),
    )
  })
  await Promise.all([context, workDir].map(path => rm(path, { recursive: true, force: true })))
  return { engine: built.engine, facts: facts.sort((a, b) => a.platform.localeCompare(b.platform)) }
}

type Built = Awaited<ReturnType<typeof builtBy>>

function row(image: Image, { engine, facts }: Built): string {
  const sum = (numbers: readonly number[]): string => numbers.join(' + ')
  return [
    image.name,
    facts.map(child => child.platform).join(', '),
    `${engine?.name ?? 'none'} ${engine?.version ?? ''}`,
    sum(facts.map(child => child.packages.length)),
    sum(facts.map(child => child.findings.length)),
    sum(facts.map(child => child.lines.length)),
  ].join(' | ')
}

test.each(CASES.map(one => [one.image.name, one.platforms.join(' and '), one] as const))(
  '%s for %s is the same from every engine',
  async (_name, _platforms, { image, platforms }) => {
    const engines: readonly EngineName[] =
      platforms.length > 1 ? ['buildx', 'buildah'] : ['buildx', 'docker', 'buildah']
    const results: Built[] = []
    for (const engine of engines) {
      const result = await builtBy(engine, image, platforms)
      table.push(row(image, result))
      expect(result.engine?.name).toBe(engine)
      results.push(result)
    }
    const [first, ...others] = results
    expect(first?.facts.map(child => child.platform)).toEqual(platforms)
    for (const child of first?.facts ?? []) {
      for (const purl of image.expected) expect(child.packages.join('\n')).toContain(purl)
      expect(child.findings.join('\n')).toContain('pkg:pypi/langchain@0.0.170')
    }
    for (const other of others) expect(other.facts).toEqual(first?.facts)
  },
  BUILD_MS,
)

test('docker refuses several platforms, and no other engine takes its place', async () => {
  const [image] = IMAGES
  if (image === undefined) throw new Error('an image is expected')
  await expect(builtBy('docker', image, BOTH)).rejects.toMatchObject({ reason: 'engine-cannot' })
})
