import { describeError, GateError, systemErrorCode } from '../errors.js'
import { type Known, missing, present } from '../evidence/known.js'
import type { Problem } from '../record/record.js'

/** Collects what went wrong while evidence was gathered. */
export type Problems = Problem[]

/**
 * Does one piece of work. A failure becomes a missing fact and a problem, so that the other evidence is still
 * gathered; only a cancelled run is thrown on.
 */
export async function attempt<T>(problems: Problems, work: () => Promise<T>): Promise<Known<T>> {
  try {
    return present(await work())
  } catch (thrown) {
    if (thrown instanceof GateError && thrown.reason === 'cancelled') throw thrown
    return noteMissing(problems, thrown)
  }
}

/** Notes a failure as a problem of this stage and returns the missing fact it leaves. */
export function noteMissing<T>(problems: Problems, thrown: unknown): Known<T> {
  const problem = problemOf(thrown)
  problems.push(problem)
  return missing('inspect', problem.message)
}

function problemOf(thrown: unknown): Problem {
  const message = describeError(thrown)
  if (thrown instanceof GateError)
    return { stage: 'inspect', code: thrown.code, reason: thrown.reason, message }
  const code = systemErrorCode(thrown)
  if (code === 'ENOSPC' || code === 'EDQUOT')
    return { stage: 'inspect', code: 'tool', reason: 'disk-full', message: `The disk is full: ${message}` }
  return { stage: 'inspect', code: 'defect', reason: 'defect', message }
}

/** The value of a fact that is there, else undefined. */
export function valueOf<T>(known: Known<T>): T | undefined {
  return known.state === 'present' ? known.value : undefined
}
