import { writeCaches } from '../../../src/commands/caches.js'
import type { Facts, GateRun } from '../../../src/commands/run.js'
import type { RunLog } from '../../../src/commands/run-log.js'
import { terminalContext } from '../../../src/github/context.js'
import { readInputs } from '../../../src/inputs.js'
import type { Services } from '../../../src/services.js'
import { PLAIN } from '../../pure/build/requests.js'
import { aVerdict } from '../../support/records.js'

/** Services that start nothing, and count who wanted to. */
function services(wanted: string[]): Services {
  return {
    environment: {},
    newCommands: () => ({
      run: () => Promise.reject(new Error('nothing is started here')),
      stream: () => {
        throw new Error('nothing is started here')
      },
      serve: () => Promise.reject(new Error('nothing is started here')),
      isolation: () => Promise.resolve('none'),
      stopAll: () => {
        wanted.push('started')
        return Promise.resolve()
      },
    }),
    workDir: '/nonexistent',
    clock: () => new Date(),
    progress: { stageStarted: () => undefined, stageEnded: () => undefined, note: () => undefined },
    signal: new AbortController().signal,
    programRoot: '/nonexistent',
  }
}

function aRun(wanted: string[]): GateRun {
  const request = readInputs(name => (name === 'image' ? 'ghcr.io/a/b' : ''), { sigil: '' })
  return { services: services(wanted), request, kind: 'event', surfaces: () => Promise.resolve() }
}

interface Case {
  readonly outcome?: 'pass' | 'fail' | 'incomplete'
  readonly trusted?: boolean
  readonly cacheTo?: readonly string[]
  readonly problem?: boolean
  readonly verdict?: false
}

async function warningsOf(given: Case): Promise<readonly [readonly string[], readonly string[]]> {
  const wanted: string[] = []
  const { outcome = 'pass', trusted = true, cacheTo = ['type=registry,ref=r/c'] } = given
  const context = terminalContext('/nonexistent')
  const log: RunLog = { stages: [], warnings: [], problems: [] }
  if (given.problem === true)
    log.problems.push({ stage: 'release', code: 'service', reason: 'registry-refused', message: 'x' })
  const facts: Facts = {
    startedAt: new Date(),
    context: { ...context, trigger: { kind: 'event', trusted } },
    ...(given.verdict === false ? {} : { verdict: aVerdict({ outcome, blocks: outcome !== 'pass' }) }),
    release: { state: 'not-wanted', bundles: [], tags: [] },
    files: [],
  }
  // Of what was built, only what was asked for is looked at.
  Object.assign(facts, { built: { asked: { ...PLAIN, cacheTo } } })
  await writeCaches(aRun(wanted), log, facts)
  return [log.warnings, wanted]
}

test.each<[string, Case, string]>([
  ['fail', { outcome: 'fail' }, 'the run is fail'],
  ['incomplete', { outcome: 'incomplete' }, 'the run is incomplete'],
  ['a problem after the verdict', { problem: true }, 'the run is incomplete'],
  ['no verdict', { verdict: false }, 'the run is incomplete'],
  ['an untrusted ref', { trusted: false }, 'this ref is not trusted'],
])('%s: nothing is started, and it is said', async (_, given, why) => {
  const [warnings, wanted] = await warningsOf(given)
  expect(wanted).toEqual([])
  expect(warnings).toHaveLength(1)
  expect(warnings[0]).toContain(`The build cache was not written (cache-to): ${why}`)
})

test('after a pass on a trusted ref it is tried; a failure is a warning', async () => {
  const [warnings, wanted] = await warningsOf({})
  expect(wanted).toEqual(['started'])
  expect(warnings).toHaveLength(1)
  expect(warnings[0]).toContain('The build cache was not written (cache-to): ')
})

test('where no cache is to be written nothing is said', async () => {
  expect(await warningsOf({ cacheTo: [], outcome: 'fail' })).toEqual([[], []])
})
