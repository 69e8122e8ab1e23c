import { setTimeout as sleep } from 'node:timers/promises'
import { GateError } from '../errors.js'
import { cancelled } from '../registry/failure.js'

/** How long signing services are waited for. Milliseconds. */
export interface SigningLimits {
  /** One try. */
  readonly attemptMs: number
  /** After the first failure of the whole release no try begins later than this. */
  readonly budgetMs: number
  /** First pause; doubles each time up to `maxPauseMs`. */
  readonly pauseMs: number
  readonly maxPauseMs: number
}

export const SIGNING_LIMITS: SigningLimits = {
  attemptMs: 45_000,
  budgetMs: 120_000,
  pauseMs: 1000,
  maxPauseMs: 20_000,
}

/** Tries again, within one budget for everything that is tried. */
export interface Patience {
  /** The result of `work`, tried again while its failure is a passing one and the budget lasts. */
  readonly attempt: <T>(work: () => Promise<T>) => Promise<T>
}

/** Opens one budget. `passing` says which failures may heal; all others are thrown at once. */
export function openPatience(given: {
  readonly limits: SigningLimits
  readonly passing: (thrown: unknown) => boolean
  readonly signal: AbortSignal
  readonly note?: (text: string) => void
}): Patience {
  const { limits, passing, signal, note } = given
  let until = Number.POSITIVE_INFINITY

  async function attempt<T>(work: () => Promise<T>): Promise<T> {
    for (let tries = 1; ; tries += 1) {
      refuseWhenStopped(signal)
      const began = performance.now()
      try {
        return await work()
      } catch (thrown) {
        refuseWhenStopped(signal)
        if (!passing(thrown)) throw thrown
        until = Math.min(until, began + limits.budgetMs)
        const pause = Math.min(limits.pauseMs * 2 ** (tries - 1), limits.maxPauseMs)
        if (performance.now() + pause >= until) throw givenUp(thrown, tries)
        note?.(`a signing service failed; trying again in ${String(pause)} ms`)
        await sleep(pause, undefined, { signal }).catch(() => undefined)
      }
    }
  }
  return { attempt }
}

function refuseWhenStopped(signal: AbortSignal): void {
  if (signal.aborted) throw cancelled()
}

function givenUp(thrown: unknown, tries: number): unknown {
  if (!(thrown instanceof GateError)) return thrown
  const { code, reason } = thrown
  const message = `${thrown.message}\nGiven up after ${String(tries)} ${tries === 1 ? 'try' : 'tries'}. Look at the status of the signing services and run again`
  return new GateError(code, { reason, message, cause: thrown })
}
