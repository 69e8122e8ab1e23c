import { cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gate } from '../../../src/commands/gate.js'
import { ROAD } from '../../../src/commands/road.js'
import type { Road } from '../../../src/commands/run.js'
import { GateError } from '../../../src/errors.js'
import { readInputs } from '../../../src/inputs.js'
import { createProgress } from '../../../src/progress.js'
import { parseRecord } from '../../../src/record/parse.js'
import type { RunRecord } from '../../../src/record/record.js'
import type { Request } from '../../../src/request.js'
import { createServices, type Services } from '../../../src/services.js'
import { makeDatabase, makeKeyPair, ROOT, toolsFolder, type KeyPair } from '../../support/tools.js'
import { policyText } from '../../support/gate-runs.js'
import { startRegistry, type RegistryProcess } from '../../support/registry-process.js'

type StageName = keyof Road
const STAGES: readonly StageName[] = [
  ...(['context', 'policy', 'tools', 'sources', 'build', 'inspect', 'judge', 'release'] as const),
]

let root = ''
let services: Services & { readonly dispose: () => Promise<void> }
let registry: RegistryProcess
let key: KeyPair
let replay: Road
let good: RunRecord
const home = process.cwd()

function requestFor(repository: string, output: string): Request {
  const values: Readonly<Record<string, string>> = {
    image: `${registry.host}/${repository}`,
    subject: `oci-layout:${join(root, 'layout')}`,
    context: join(root, 'project'),
    tools: `dir:${join(root, 'tools')}`,
    database: join(root, 'database'),
    publish: 'always',
    sign: 'key',
    key: key.key,
    tags: '1.0.0',
    output,
  }
  return readInputs(name => values[name] ?? '', { sigil: '--' })
}

/** The real road, and a road that gives again what each stage but the release gave to the first run. */
function recording(): { readonly road: Road; readonly replay: Road } {
  const kept: { -readonly [K in StageName]?: Road[K] } = {}
  function keeping<A extends unknown[], R>(
    work: (...args: A) => Promise<R>,
    keep: (again: () => Promise<R>) => void,
  ): (...args: A) => Promise<R> {
    return async (...args) => {
      const result = await work(...args)
      keep(() => Promise.resolve(result))
      return result
    }
  }
  const road: Road = {
    context: keeping(ROAD.context.bind(ROAD), again => (kept.context = again)),
    policy: keeping(ROAD.policy.bind(ROAD), again => (kept.policy = again)),
    tools: keeping(ROAD.tools.bind(ROAD), again => (kept.tools = again)),
    sources: keeping(ROAD.sources.bind(ROAD), again => (kept.sources = again)),
    build: keeping(ROAD.build.bind(ROAD), again => (kept.build = again)),
    inspect: keeping(ROAD.inspect.bind(ROAD), again => (kept.inspect = again)),
    judge: keeping(ROAD.judge.bind(ROAD), again => (kept.judge = again)),
    release: ROAD.release.bind(ROAD),
  }
  const again: Road = {
    context: (...args) => (kept.context ?? road.context)(...args),
    policy: (...args) => (kept.policy ?? road.policy)(...args),
    tools: (...args) => (kept.tools ?? road.tools)(...args),
    sources: (...args) => (kept.sources ?? road.sources)(...args),
    build: (...args) => (kept.build ?? road.build)(...args),
    inspect: (...args) => (kept.inspect ?? road.inspect)(...args),
    judge: (...args) => (kept.judge ?? road.judge)(...args),
    release: (...args) => road.release(...args),
  }
  return { road, replay: again }
}

/** The SBOMs that a replayed inspection speaks of lie in the report folder of the first run. */
async function run(
  name: string,
  road: Road,
  surfaces: (record: RunRecord) => Promise<void> = () => Promise.resolve(),
  output = join(root, 'report-good'),
): Promise<RunRecord> {
  return await gate({ services, request: requestFor(name, output), kind: 'terminal', surfaces, road })
}

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'pc-crash-'))
  registry = await startRegistry()
  await cp(join(ROOT, 'examples/app/layouts/fixed'), join(root, 'layout'), { recursive: true })
  await cp(join(ROOT, 'examples/app/fixed'), join(root, 'project'), { recursive: true })
  await mkdir(join(root, 'project/.github'), { recursive: true })
  await writeFile(join(root, 'project/.github/portcullis.yml'), policyText())
  await makeDatabase(join(root, 'database'))
  const tools = await toolsFolder(root)
  await cp(tools, join(root, 'tools'), { recursive: true })
  key = await makeKeyPair(join(root, 'key'))
  process.chdir(join(root, 'project'))
  services = await createServices({
    environment: { PATH: '/usr/bin:/bin', HOME: root, COSIGN_PASSWORD: key.password },
    progress: createProgress({ write: () => true }),
    signal: new AbortController().signal,
  })
  const recorded = recording()
  replay = recorded.replay
  good = await run('good', recorded.road)
})

afterAll(async () => {
  process.chdir(home)
  await services.dispose()
  await registry.stop()
  await rm(root, { recursive: true, force: true })
})

it('the same road without a crash passes and is released', async () => {
  expect([good.exitCode, good.outcome, good.reason, good.problems]).toEqual([0, 'pass', 'clean', []])
  expect(good.release.state).toBe('released')
  expect(await registry.tags('good')).toEqual(['1.0.0'])
})

describe('a crash', () => {
  const THROWN: readonly (readonly [string, () => unknown])[] = [
    ['an Error', () => new Error('something nobody thought of')],
    ['a TypeError', () => new TypeError("Cannot read properties of undefined (reading 'x')")],
    ['a text', () => 'just a text'],
    ['nothing', () => undefined],
  ]
  const cases = STAGES.flatMap(stage => THROWN.map(([kind, make]) => ({ stage, kind, make })))

  it.each(cases)(
    '$kind thrown at stage $stage is a defect, incomplete, exit 3',
    async ({ stage, kind, make }) => {
      const name = `crash-${stage}-${kind.replaceAll(' ', '-').toLowerCase()}`
      const crash = (): never => {
        throw make()
      }
      const record = await run(name, { ...replay, [stage]: crash })
      expect([record.exitCode, record.outcome, record.reason]).toEqual([3, 'incomplete', 'crash'])
      expect(record.problems.map(problem => [problem.stage, problem.code])).toEqual([[stage, 'defect']])
      expect(await registry.tags(name)).toEqual([])
      expect(await registry.catalog()).not.toContain(name)
    },
  )

  it.each(STAGES)('a rejected promise at stage %s is the same as a throw', async stage => {
    const name = `rejected-${stage}`
    const record = await run(name, { ...replay, [stage]: () => Promise.reject(new Error('later')) })
    expect([record.exitCode, record.outcome, record.reason]).toEqual([3, 'incomplete', 'crash'])
    expect(await registry.catalog()).not.toContain(name)
  })

  it('is in the record on disk, which parses', async () => {
    const output = join(root, 'report-on-disk')
    const judge = (): never => {
      throw new Error('no verdict today')
    }
    await run('on-disk', { ...replay, judge }, undefined, output)
    const record = parseRecord(await readFile(join(output, 'portcullis.json'), 'utf8'))
    expect(record.problems[0]?.message).toMatch(/no verdict today.*defect of Portcullis/)
    expect(record.verdict?.outcome).not.toBe('pass')
    expect((await readdir(output)).filter(file => file.endsWith('.part'))).toEqual([])
  })

  it('while the record is shown (stage publish) never leaves a pass', async () => {
    const record = await run('surfaces', replay, () => Promise.reject(new Error('the surface broke')))
    expect([record.exitCode, record.outcome]).toEqual([3, 'incomplete'])
    expect(record.problems.map(problem => [problem.stage, problem.code])).toEqual([['publish', 'defect']])
  })

  it('a report folder that cannot be made (stage record) never leaves a pass', async () => {
    await writeFile(join(root, 'a-file'), '')
    const record = await run('no-report', replay, undefined, join(root, 'a-file', 'report'))
    expect([record.exitCode, record.outcome]).toEqual([3, 'incomplete'])
    expect(record.problems.some(problem => problem.reason === 'record-not-written')).toBe(true)
    expect(await registry.tags('no-report')).toEqual([])
  })
})

describe('an error on purpose', () => {
  it.each([
    ['tool', 3],
    ['integrity', 3],
    ['evidence', 3],
    ['service', 3],
    ['config', 2],
  ] as const)('of kind %s ends with exit %i at every stage, never 1', async (code, exitCode) => {
    for (const stage of STAGES) {
      const name = `purpose-${code}-${stage}`
      const fail = (): never => {
        throw new GateError(code, { reason: 'of-the-test', message: 'On purpose.' })
      }
      const record = await run(name, { ...replay, [stage]: fail })
      expect([stage, record.exitCode, record.outcome, record.reason]).toEqual([
        stage,
        exitCode,
        'incomplete',
        'of-the-test',
      ])
      expect(await registry.catalog()).not.toContain(name)
    }
  })
})

it('a verdict that did not come from the judge does not pass: no enforced rule, no pass', async () => {
  const judge: Road['judge'] = async (given, has) => {
    const { value } = await replay.judge(given, has)
    return { value: { ...value, results: [] }, detail: 'a planted pass' }
  }
  const record = await run('planted-pass', { ...replay, judge })
  expect([record.exitCode, record.outcome]).toEqual([3, 'incomplete'])
  expect(await registry.tags('planted-pass')).toEqual([])
})
