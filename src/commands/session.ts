import { setMaxListeners } from 'node:events'
import { GateError } from '../errors.js'
import { createProgress, type ProgressTarget } from '../progress.js'
import { beforeCrash } from './worst.js'
import { exitCodeOfStop, SessionStopped } from './stopped.js'
import { createServices, type Environment, type Services } from '../services.js'

const STOP_SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

/**
 * Runs work with live services, ends it when the process is told to stop or its time is over,
 * and always ends every child and removes the private folder before it returns, after a crash as well. Work that
 * was stopped by a signal and throws ends as SessionStopped.
 */
export async function withSession<T>(
  given: {
    readonly environment: Environment
    readonly target: ProgressTarget
    readonly timeoutMs: number
    readonly started?: (workDir: string) => void
  },
  work: (services: Services) => Promise<T>,
): Promise<T> {
  const controller = new AbortController()
  // Every process and request of a run listens to it.
  setMaxListeners(0, controller.signal)
  const stop = (signal: NodeJS.Signals): void => controller.abort(signal)
  for (const signal of STOP_SIGNALS) process.on(signal, stop)
  const timer = setTimeout(() => controller.abort(timeUp(given.timeoutMs)), given.timeoutMs)
  const progress = createProgress(given.target)
  const services = await createServices({
    environment: given.environment,
    progress,
    signal: controller.signal,
  })
  const forget = beforeCrash(async () => {
    controller.abort(new GateError('tool', { reason: 'crash', message: 'The program crashed.' }))
    await services.dispose()
  })
  try {
    given.started?.(services.workDir)
    return await work(services)
  } catch (thrown) {
    const exitCode = exitCodeOfStop(controller.signal.reason)
    throw exitCode === undefined ? thrown : new SessionStopped(exitCode)
  } finally {
    clearTimeout(timer)
    await services.dispose()
    forget()
    for (const signal of STOP_SIGNALS) process.off(signal, stop)
  }
}

function timeUp(timeoutMs: number): GateError {
  const message = `The whole run took longer than ${timeoutMs / 60_000} minutes. Raise timeout, or look at the slowest stage.`
  return new GateError('tool', { reason: 'run-timed-out', message })
}
