import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { RunRecord } from '../../src/record/record.js'
import { ROWS, type Row, type World } from '../support/failing-world.js'
import {
  makeProject,
  openBench,
  policyText,
  runGate,
  type Bench,
  type GateResult,
  type Project,
} from '../support/gate-runs.js'
import { startLyingRegistry, type LyingRegistry } from '../support/lying-registry.js'
import { mustEndWith } from '../support/terminal.js'
import { run } from '../support/tools.js'

interface Shown {
  readonly what: string
  readonly exit: string
  readonly outcome: string
  readonly stage: string
  readonly kind: string
  readonly reason: string
  readonly pushed: string
  readonly tagged: string
}

let bench: Bench
let strict: Project
let lax: Project
let lying: LyingRegistry
let world: World
const shown: Shown[] = []
const told = new Map<string, string>()
const early = new Map<string, Promise<GateResult>>()
const closing: (() => Promise<unknown>)[] = []

/** A file system of a few pages. Only root can mount one: elsewhere this fails, it does not skip. */
async function smallDisk(size: string): Promise<string> {
  const dir = await bench.folder('disk')
  try {
    await run('mount', ['-t', 'tmpfs', '-o', `size=${size},mode=0755`, 'small', dir])
  } catch (cause) {
    throw new Error('a full disk can only be tested by a user who may mount a tmpfs (root)', { cause })
  }
  closing.push(() => run('umount', [dir]))
  return dir
}

function repositoryOf(row: Row): string {
  return row.repository ?? row.what.toLowerCase().replaceAll(/[^a-z0-9]+/g, '-')
}

async function start(row: Row): Promise<GateResult> {
  const options = await row.arrange(world)
  return await runGate(bench, lax, { repository: repositoryOf(row), ...options })
}

beforeAll(async () => {
  bench = await openBench()
  strict = await makeProject(bench, 'fixed')
  lax = await makeProject(bench, 'fixed', policyText(['tool.verified']))
  lying = await startLyingRegistry(bench.registry.host)
  closing.push(() => lying.stop())
  lying.lie(request => {
    const repository = /^\/v2\/([^/]+)\//.exec(request.path)?.[1] ?? ''
    return world.lies.get(repository)?.(request) ?? null
  })
  world = { bench, lyingHost: lying.host, lies: new Map(), smallDisk }
  for (const row of ROWS) if (row.slow === true) early.set(row.what, start(row))
})

afterAll(async () => {
  process.stdout.write(table())
  await Promise.allSettled(early.values())
  for (const close of closing.toReversed()) await close()
  await bench.close()
})

function table(): string {
  const head: Shown = {
    ...{ what: 'WHAT FAILS', exit: 'EXIT', outcome: 'OUTCOME', stage: 'STAGE', kind: 'KIND' },
    ...{ reason: 'REASON', pushed: 'PUSHED', tagged: 'TAGGED' },
  }
  const rows = [head, ...shown].map(row => Object.values<string>({ ...row }))
  const widths = rows[0]?.map((_, at) => Math.max(...rows.map(row => row[at]?.length ?? 0))) ?? []
  const lines = rows.map(row =>
    row
      .map((cell, at) => cell.padEnd(widths[at] ?? 0))
      .join('  ')
      .trimEnd(),
  )
  return `\n${lines.join('\n')}\n\n`
}

function show(what: string, result: GateResult, where: { pushed: boolean; tags: readonly string[] }): void {
  const { record } = result
  const undecided = record?.verdict?.results.find(one => one.mode === 'enforce' && one.outcome === 'unknown')
  const rule = { stage: undecided === undefined ? '' : 'judge', code: undecided === undefined ? '' : 'rule' }
  const first =
    record === null ? saidFirst(result) : (record.problems[0] ?? { ...rule, reason: record.reason })
  shown.push({
    what,
    exit: String(result.code),
    outcome: record?.outcome ?? 'incomplete',
    stage: first.stage,
    kind: first.code,
    reason: record?.reason ?? first.reason,
    pushed: where.pushed ? 'by digest' : 'nothing',
    tagged: where.tags.length === 0 ? 'nothing' : where.tags.join(' '),
  })
}

/** Where no record could be written, what the terminal shows first. */
function saidFirst(result: GateResult): {
  readonly stage: string
  readonly code: string
  readonly reason: string
} {
  const line = /^INCOMPLETE .*\n\s*\n {2}([a-z]+): ([a-z-]+)$/m.exec(result.stdout)
  return { stage: line?.[1] ?? '', code: '(no record)', reason: line?.[2] ?? '' }
}

async function outside(repository: string): Promise<{ pushed: boolean; tags: readonly string[] }> {
  return {
    pushed: (await bench.registry.catalog()).includes(repository),
    tags: await bench.registry.tags(repository),
  }
}

it('the same command with the real tools passes and releases', async () => {
  const result = await runGate(bench, strict, { repository: 'real-tools' })
  const where = await outside('real-tools')
  show('(nothing fails: the real tools)', result, where)
  mustEndWith(0, result)
  expect([result.record?.outcome, result.record?.reason]).toEqual(['pass', 'clean'])
  expect(where).toEqual({ pushed: true, tags: ['1.0.0'] })
})

it('the same command through the registry that can lie, while it does not, passes and releases', async () => {
  const result = await runGate(bench, lax, { repository: 'honest', host: lying.host })
  const where = await outside('honest')
  show('(nothing fails: the registry that can lie)', result, where)
  mustEndWith(0, result)
  expect(result.record?.outcome).toBe('pass')
  expect(where).toEqual({ pushed: true, tags: ['1.0.0'] })
})

it('a small disk that is large enough passes and releases', async () => {
  const env = { TMPDIR: await smallDisk('512m') }
  const output = join(await smallDisk('64m'), 'report')
  const result = await runGate(bench, lax, { repository: 'roomy', env, output })
  show('(nothing fails: disks with room)', result, await outside('roomy'))
  mustEndWith(0, result)
  expect(result.record?.outcome).toBe('pass')
})

describe('never fails open', () => {
  it.each(ROWS.toSorted((a, b) => Number(a.slow ?? false) - Number(b.slow ?? false)))(
    '$what',
    async row => {
      const result = await (early.get(row.what) ?? start(row))
      const where = await outside(repositoryOf(row))
      show(row.what, result, where)
      const said = `${result.stdout}\n${result.stderr}`
      mustEndWith(3, result)
      expect(where.tags).toEqual([])
      if (row.inRelease !== true) expect(where.pushed).toBe(false)
      expect(said).toMatch(row.text)
      const { record } = result
      if (record === null) {
        expect(row.what).toMatch(/report folder/)
        expect(saidFirst(result)).toMatchObject({ stage: row.stage, reason: row.reason })
        return
      }
      expect([record.outcome, record.exitCode]).toEqual(['incomplete', 3])
      expect(
        record.verdict?.outcome === 'pass' && row.inRelease !== true && record.problems.length === 0,
      ).toBe(false)
      const problem = record.problems[0]
      expect(problem?.stage ?? 'judge').toBe(row.stage)
      expect([...record.problems.map(one => one.reason), record.reason]).toContain(row.reason)
      told.set(row.what, tellingOf(record))
      expect(record.problems.map(one => one.code)).not.toContain('defect')
      expect(record.release.tags).toEqual([])
      const onDisk: unknown = JSON.parse(await readFile(join(result.reportDir, 'portcullis.json'), 'utf8'))
      expect(onDisk).toMatchObject({ outcome: 'incomplete', exitCode: 3 })
    },
    300_000,
  )
})

/** What the record says first, without what differs from run to run. */
function tellingOf(record: RunRecord): string {
  const problem = record.problems[0]
  const rule = record.verdict?.results.find(one => one.mode === 'enforce' && one.outcome === 'unknown')
  const text = problem?.message ?? rule?.unknown.join('; ') ?? ''
  const words = text
    .replaceAll(record.request.image, 'IMAGE')
    .replaceAll(/127\.0\.0\.1:\d+\/[a-z-]+/g, 'IMAGE')
  return `${problem?.stage ?? 'judge'} ${problem?.code ?? 'rule'} ${record.reason} ${words}`
}

it('each says something of its own', () => {
  expect(told.size).toBeGreaterThan(25)
  expect([...new Set(told.values())].toSorted()).toEqual([...told.values()].toSorted())
})

describe('a program that is not the pinned one', () => {
  it('is refused by tool.verified, however honest it is', async () => {
    const dir = await bench.folder('altered')
    const altered = join(dir, 'trivy')
    await mkdir(dir, { recursive: true })
    await writeFile(altered, Buffer.concat([await readFile(join(bench.tools, 'trivy')), Buffer.from('\n')]))
    const tools = await bench.toolsWith({ trivy: altered })
    const refused = await runGate(bench, strict, { repository: 'altered', tools })
    expect([refused.code, refused.record?.outcome, refused.record?.reason]).toEqual([
      1,
      'fail',
      'tool.verified',
    ])
    expect(await outside('altered')).toEqual({ pushed: false, tags: [] })
    const accepted = await runGate(bench, lax, { repository: 'altered-accepted', tools })
    expect([accepted.code, accepted.record?.outcome]).toEqual([0, 'pass'])
  }, 300_000)
})
