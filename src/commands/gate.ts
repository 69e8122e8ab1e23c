import { mkdtemp } from 'node:fs/promises'
import { join } from 'node:path'
import { describeError, GateError } from '../errors.js'
import type { Evidence } from '../evidence/evidence.js'
import type { ReleaseRecord, RunRecord } from '../record/record.js'
import { endingOf, withReleasedResults } from '../record/assemble.js'
import { clearReportFolder, openReportFolder } from '../tools/report-folder.js'
import { finishRun } from './finish.js'
import { planOf } from './plan.js'
import { writeCaches } from './caches.js'
import { ROAD } from './road.js'
import { removeSeal } from './seal.js'
import { foreignFolders, reportFolder, type Facts, type GateRun, type ReleaseInput } from './run.js'
import { problemOf, runStage, skipStage, StageFailed, type RunLog } from './run-log.js'

const NOT_WANTED: ReleaseRecord = { state: 'not-wanted', bundles: [], tags: [] }

/**
 * One run from sources to a released image or a clear refusal (docs/architecture.md, "The road of one run").
 * Never throws and never passes by accident: whatever fails ends in a record that says so.
 */
export async function gate(asked: GateRun): Promise<RunRecord> {
  const workDir = await mkdtemp(join(asked.services.workDir, 'gate-'))
  const run: GateRun = { ...asked, services: { ...asked.services, workDir } }
  const log: RunLog = { stages: [], problems: [], warnings: [] }
  const facts: Facts = { startedAt: run.services.clock(), release: NOT_WANTED, files: [] }
  try {
    await walk(run, log, facts)
  } catch (thrown) {
    if (!(thrown instanceof StageFailed)) log.problems.push(problemOf('judge', thrown, run.services.signal))
  }
  await writeCaches(run, log, facts)
  return await finishRun(run, log, facts)
}

async function walk(run: GateRun, log: RunLog, facts: Facts): Promise<void> {
  const { services, request } = run
  const road = run.road ?? ROAD
  const scanning = services.newCommands()
  const given = { services, request, commands: scanning, facts }

  const context = await runStage(log, services, {
    stage: 'context',
    work: async () => {
      const found = await road.context(given, run.kind)
      facts.context = found.value
      await emptyReportFolder(run, facts)
      return found
    },
  })
  const { policy, plan } = await runStage(log, services, {
    stage: 'policy',
    work: async () => {
      const { value, ...result } = await road.policy(given, context)
      return { ...result, value: { policy: value, plan: planOf({ ...given, context, policy: value }) } }
    },
  })
  facts.plan = plan
  const tools = await runStage(log, services, {
    stage: 'tools',
    work: () => road.tools(given, { plan, policy }),
  })
  facts.tools = tools

  const sources = await runStage(log, services, {
    stage: 'sources',
    work: () => road.sources(given, { context, policy }),
  })
  if (sources.verdict.blocks) {
    facts.verdict = sources.verdict
    facts.release = plan.publish ? { ...NOT_WANTED, state: 'refused' } : NOT_WANTED
    for (const stage of ['build', 'inspect', 'judge', 'release'] as const)
      skipStage(log, services, stage, 'refused by the sources')
    return
  }

  const built = await runStage(log, services, {
    stage: 'build',
    work: () => road.build(given, { context, tools, ...sources }),
  })
  facts.built = built
  const evidence: Evidence = await runStage(log, services, {
    stage: 'inspect',
    work: () => road.inspect(given, { built, tools, dockerfile: sources.dockerfile }),
  })
  facts.evidence = evidence
  const verdict = await runStage(log, services, {
    stage: 'judge',
    work: () => road.judge(given, { policy, evidence }),
  })
  facts.verdict = verdict

  await scanning.stopAll()
  await releaseWhenAllowed(run, log, facts, { plan, policy, built, tools, evidence, verdict })
}

/** Before anything is done: no report is written through a link, and no record of an earlier run outlives this one. */
async function emptyReportFolder(run: GateRun, facts: Facts): Promise<void> {
  const dir = reportFolder(run, facts)
  try {
    await openReportFolder(dir, foreignFolders(run, facts))
    await clearReportFolder(dir)
    if (run.command !== 'release') await removeSeal(dir)
  } catch (cause) {
    if (cause instanceof GateError) throw cause
    const message = `output: '${run.request.output}' cannot be used for reports: ${describeError(cause)}`
    throw new GateError('tool', { reason: 'record-not-written', message, cause })
  }
}

/** Stage 8: only a complete pass without any problem goes on, with processes of its own. */
async function releaseWhenAllowed(
  run: GateRun,
  log: RunLog,
  facts: Facts,
  input: ReleaseInput,
): Promise<void> {
  const { services, request, road = ROAD } = run
  const { plan, verdict } = input
  if (!plan.publish) {
    skipStage(log, services, 'release', 'not asked to publish')
    return
  }
  const soFar = endingOf({ verdict, problems: log.problems, release: NOT_WANTED })
  if (verdict.blocks || soFar.outcome !== 'pass') {
    facts.release = { ...NOT_WANTED, state: 'refused' }
    skipStage(log, services, 'release', 'refused by the verdict')
    return
  }
  facts.release = { ...NOT_WANTED, state: 'failed' }
  const given = { services, request, facts, commands: services.newCommands() }
  await runStage(log, services, {
    stage: 'release',
    work: async () => {
      const result = await road.release(given, input)
      // Kept even when the run is stopped now: what was pushed and tagged stays pushed and tagged.
      facts.release = result.value.record
      facts.files = [...facts.files, ...result.value.files]
      facts.verdict = withReleasedResults(verdict, result.value.results)
      return result
    },
  })
}
