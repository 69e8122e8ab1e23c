import { describeError, GateError, systemErrorCode } from '../errors.js'
import type { Stage } from '../evidence/known.js'
import type { Progress } from '../progress.js'
import type { Problem, StageRecord } from '../record/record.js'

/** How long a stage may take to end once the run was stopped, milliseconds. */
const STOPPED_MS = 5000

/** What happened so far; grows as the run goes on and is never rewritten. */
export interface RunLog {
  readonly stages: StageRecord[]
  readonly problems: Problem[]
  readonly warnings: string[]
}

/** Value of a stage and the short line that people read beside its name. */
export interface StageResult<T> {
  readonly value: T
  readonly detail: string
  /** Problems that did not stop the stage but make the run incomplete. */
  readonly problems?: readonly Problem[]
}

/** Thrown after a stage failed and was logged: nothing further is done but record and reports. */
export class StageFailed extends Error {
  override readonly name = 'StageFailed'
}

/** Time and place to write to while a stage runs. */
export interface StageServices {
  readonly clock: () => Date
  readonly progress: Progress
  readonly signal: AbortSignal
}

/**
 * Runs one stage: measures it, shows it, logs it. Whatever it throws becomes a problem of this stage;
 * an error that is no GateError is a defect of ours, which makes the run incomplete as well.
 */
export async function runStage<T>(
  log: RunLog,
  services: StageServices,
  step: { readonly stage: Stage; readonly work: () => Promise<StageResult<T>> },
): Promise<T> {
  const { stage } = step
  const started = services.clock()
  services.progress.stageStarted(stage)
  const end = (state: StageRecord['state'], detail: string): void => {
    const milliseconds = Math.max(0, services.clock().getTime() - started.getTime())
    log.stages.push({ stage, state, startedAt: started.toISOString(), milliseconds, detail })
    services.progress.stageEnded(stage, state, detail, milliseconds)
  }
  try {
    services.signal.throwIfAborted()
    const { value, detail, problems = [] } = await orStopped(step.work(), services.signal)
    services.signal.throwIfAborted()
    log.problems.push(...problems)
    end(problems.length > 0 ? 'failed' : 'done', detail)
    return value
  } catch (thrown) {
    const problem = problemOf(stage, thrown, services.signal)
    log.problems.push(problem)
    end('failed', problem.reason)
    throw new StageFailed(problem.message)
  }
}

/**
 * The work's own end; when the run was stopped and the work does not end soon after, its end is not waited for: a
 * pipe that nobody writes to or a lost network drive would hold the run beyond its time limit.
 */
async function orStopped<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  work.catch(() => undefined)
  const ended = new AbortController()
  const givenUp = new Promise<never>((_resolve, reject) => {
    const wait = (): void => {
      const timer = setTimeout(() => reject(new Error('stopped')), STOPPED_MS)
      ended.signal.addEventListener('abort', () => clearTimeout(timer), { once: true })
    }
    if (signal.aborted) wait()
    else signal.addEventListener('abort', wait, { once: true, signal: ended.signal })
  })
  try {
    return await Promise.race([work, givenUp])
  } finally {
    ended.abort()
  }
}

/** Logs a stage that was not run, and why. */
export function skipStage(log: RunLog, services: StageServices, stage: Stage, why: string): void {
  log.stages.push({
    stage,
    state: 'skipped',
    startedAt: services.clock().toISOString(),
    milliseconds: 0,
    detail: why,
  })
  services.progress.stageEnded(stage, 'skipped', why, 0)
}

/** Any thrown value as a problem of a stage. A time limit of the whole run wins over what it broke. */
export function problemOf(stage: Stage, thrown: unknown, signal?: AbortSignal): Problem {
  if (signal?.aborted === true) return stoppedProblem(stage, signal.reason)
  if (thrown instanceof GateError) {
    return { stage, code: thrown.code, reason: thrown.reason, message: thrown.message }
  }
  const code = systemErrorCode(thrown)
  if (code === 'ENOSPC' || code === 'EDQUOT') return diskFull(stage, thrown)
  const message = `${describeError(thrown).slice(0, 2000)} This is a defect of Portcullis: please report it with the record.`
  return { stage, code: 'defect', reason: 'crash', message }
}

function diskFull(stage: Stage, thrown: unknown): Problem {
  const message = `The disk is full: ${describeError(thrown).slice(0, 500)}. Free space, or set TMPDIR or --output to another disk.`
  return { stage, code: 'tool', reason: 'disk-full', message }
}

function stoppedProblem(stage: Stage, reason: unknown): Problem {
  if (reason instanceof GateError)
    return { stage, code: reason.code, reason: reason.reason, message: reason.message }
  return { stage, code: 'cancelled', reason: 'cancelled', message: 'The run was stopped from outside.' }
}
