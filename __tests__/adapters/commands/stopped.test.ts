import { link, mkdir, mkdtemp, readFile, realpath, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gate } from '../../../src/commands/gate.js'
import { ROAD } from '../../../src/commands/road.js'
import type { Built, Road } from '../../../src/commands/run.js'
import { withSession } from '../../../src/commands/session.js'
import type { SessionStopped } from '../../../src/commands/stopped.js'
import { GateError } from '../../../src/errors.js'
import { notConfigured } from '../../../src/evidence/known.js'
import { readInputs } from '../../../src/inputs.js'
import { createProgress } from '../../../src/progress.js'
import { parseRecord } from '../../../src/record/parse.js'
import type { RunRecord } from '../../../src/record/record.js'
import { createServices } from '../../../src/services.js'
import { goodEvidence } from '../../pure/policy/sample.js'
import { aRelease, aVerdict } from '../../support/records.js'

let root = ''
const home = process.cwd()

beforeEach(async () => {
  root = await realpath(await mkdtemp(join(tmpdir(), 'pc-stopped-')))
  process.chdir(root)
})

afterEach(async () => {
  process.chdir(home)
  await rm(root, { recursive: true, force: true })
})

function roadWith(changes: Partial<Road>): Road {
  const evidence = goodEvidence()
  const subject = evidence.subject.state === 'present' ? evidence.subject.value : undefined
  // Only the digests of it are read: nothing of this image is on the disk.
  const built = { layout: { dir: root, subject, blobs: [] }, engine: null } as unknown as Built
  const verdict = aVerdict()
  return {
    ...ROAD,
    tools: () => Promise.resolve({ value: {}, detail: '' }),
    sources: () =>
      Promise.resolve({
        value: { dockerfile: notConfigured(), verdict: { ...verdict, blocks: false } },
        detail: '',
      }),
    build: () => Promise.resolve({ value: built, detail: '' }),
    inspect: () => Promise.resolve({ value: evidence, detail: '' }),
    judge: () => Promise.resolve({ value: verdict, detail: '' }),
    ...changes,
  }
}

async function runWith(
  changes: (stop: (reason: unknown) => void) => Partial<Road>,
  output = 'report',
): Promise<RunRecord> {
  const controller = new AbortController()
  const services = await createServices({
    environment: {},
    progress: createProgress({ write: () => true }),
    signal: controller.signal,
  })
  const values: Readonly<Record<string, string>> = {
    ...{ image: 'demo/app', subject: 'oci-layout:layout', publish: 'always', sign: 'key', key: 'k' },
    ...{ tags: '1.0.0', output },
  }
  try {
    return await gate({
      services,
      request: readInputs(name => values[name] ?? '', { sigil: '--' }),
      kind: 'terminal',
      surfaces: () => Promise.resolve(),
      road: roadWith(changes(reason => controller.abort(reason))),
    })
  } finally {
    await services.dispose()
  }
}

it('a stage that never ends is given up soon after the run was stopped, and there is a record', async () => {
  const late = new GateError('tool', { reason: 'run-timed-out', message: 'Too long.' })
  const record = await runWith(stop => ({
    sources: () => {
      stop(late)
      return new Promise(() => undefined)
    },
  }))
  expect([record.exitCode, record.outcome, record.reason]).toEqual([3, 'incomplete', 'run-timed-out'])
  expect(parseRecord(await readFile(join(root, 'report/portcullis.json'), 'utf8')).reason).toBe(
    'run-timed-out',
  )
})

it.each([
  ['SIGINT', 130],
  ['SIGTERM', 143],
  ['SIGHUP', 3],
])('a run that %s stops after its tags were set says so in its record, exit %i', async (signal, exitCode) => {
  const release = aRelease()
  const record = await runWith(stop => ({
    release: () => {
      stop(signal)
      return Promise.resolve({ value: { record: release, results: [], problems: [], files: [] }, detail: '' })
    },
  }))
  expect([record.exitCode, record.outcome, record.reason]).toEqual([exitCode, 'incomplete', 'cancelled'])
  expect(record.release).toEqual(release)
})

describe('what lies in the report folder before the run', () => {
  const never = (): Partial<Road> => ({
    policy: () => Promise.reject(new GateError('tool', { reason: 'of-the-test', message: 'On purpose.' })),
  })

  it('a folder that is a link: refused, nothing is written behind it', async () => {
    await mkdir(join(root, 'victim'))
    await symlink(join(root, 'victim'), join(root, 'report'))
    const record = await runWith(never)
    expect([record.exitCode, record.outcome, record.reason]).toEqual([2, 'incomplete', 'output-is-a-link'])
    await expect(readFile(join(root, 'victim/portcullis.json'))).rejects.toThrow('ENOENT')
  })

  it.each([
    ['links', symlink],
    ['other names of foreign files', link],
  ])('files that are %s: replaced, not written through', async (_name, plant) => {
    await mkdir(join(root, 'report'))
    await writeFile(join(root, 'victim'), 'keep')
    for (const name of ['portcullis.json', '.portcullis.json.part', 'summary.md', '.summary.md.part'])
      await plant(join(root, 'victim'), join(root, 'report', name))
    await runWith(never)
    expect(await readFile(join(root, 'victim'), 'utf8')).toBe('keep')
    expect(parseRecord(await readFile(join(root, 'report/portcullis.json'), 'utf8')).reason).toBe(
      'of-the-test',
    )
  })

  it('the record of an earlier run is gone before anything else is done', async () => {
    await mkdir(join(root, 'report'))
    await writeFile(join(root, 'report/portcullis.json'), '{"outcome":"pass"}')
    let found: unknown
    await runWith(() => ({
      policy: async () => {
        found = await readFile(join(root, 'report/portcullis.json')).catch(() => 'gone')
        throw new GateError('tool', { reason: 'of-the-test', message: 'On purpose.' })
      },
    }))
    expect(found).toBe('gone')
  })
})

it('work without an ending of its own that a signal stops ends with the code of the signal', async () => {
  const target = { write: () => true }
  const work = withSession({ environment: {}, target, timeoutMs: 60_000 }, async services => {
    process.emit('SIGTERM', 'SIGTERM')
    await Promise.resolve()
    services.signal.throwIfAborted()
  })
  await expect(work).rejects.toThrow(expect.objectContaining({ exitCode: 143 }) as SessionStopped)
})
