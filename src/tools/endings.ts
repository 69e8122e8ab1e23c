import { GateError, describeError } from '../errors.js'
import { redact, tailOf } from './output.js'
import type { ProcessStart, StopCause } from './process-start.js'

/** Exit code and word by which the confinement says that it failed, and not the program inside it. */
export const CONFINEMENT_EXIT = 125
export const CONFINEMENT_MARK = 'portcullis-confinement-failed'

/** How a process ended, before anyone judged it. */
export interface Ending {
  readonly code: number | null
  readonly signalName: NodeJS.Signals | null
  readonly cause: StopCause | undefined
  readonly held: boolean
  readonly stderr: string
}

/** The error for a process that did not end well: one distinct reason each. */
export function whyFailed(start: ProcessStart, ending: Ending): GateError {
  const tail = redact(tailOf(redact(ending.stderr, start.secrets)), start.secrets)
  const last = tail === '' ? '' : `\nIts last lines:\n${tail}`
  return new GateError('tool', { ...describeEnding(start, ending, last) })
}

function describeEnding(
  start: ProcessStart,
  ending: Ending,
  last: string,
): { reason: string; message: string } {
  const { name } = start
  switch (ending.cause) {
    case 'timed-out':
      return {
        reason: 'timed-out',
        message: `${name} was stopped after its time limit of ${start.timeoutMs} ms.${last}`,
      }
    case 'cancelled':
      return { reason: 'cancelled', message: `${name} was stopped because the run was cancelled.` }
    case 'stopped':
      return { reason: 'cancelled', message: `${name} was stopped because the run ended.` }
    case 'output-too-big':
      return {
        reason: 'output-too-big',
        message: `${name} wrote more than the ${start.maxOutputBytes} bytes allowed and was stopped.${last}`,
      }
    case undefined:
      break
  }
  if (ending.code === CONFINEMENT_EXIT && ending.stderr.includes(CONFINEMENT_MARK))
    return {
      reason: 'confinement-failed',
      message: `${name} was not started: its confinement could not be set up.${last}`,
    }
  const signal = ending.signalName ?? (start.confined === true ? signalOfExit(ending.code) : undefined)
  if (signal !== undefined)
    return { reason: 'killed', message: `${name} was killed by ${signal} (out of memory?).${last}` }
  if (ending.code === 0)
    return {
      reason: 'left-running',
      message: `${name} ended but left a process that holds its output open.${last}`,
    }
  return { reason: 'exit-code', message: `${name} failed with exit code ${ending.code ?? 'unknown'}.${last}` }
}

/** A shell reports the signal that ended its child as 128 + its number (POSIX, XCU 2.8.2). */
function signalOfExit(code: number | null): string | undefined {
  return code !== null && code > 128 ? `signal ${code - 128}` : undefined
}

/** The error for a process that the operating system refused to start. */
export function notStarted(start: ProcessStart, error: unknown): GateError {
  const message = `${start.name} could not be started: ${describeError(error)}.`
  return new GateError('tool', { reason: 'not-startable', message, cause: error })
}
