import { GateError } from '../errors.js'
import { createProgress, type ProgressTarget } from '../progress.js'
import { createServices, type Environment, type Services } from '../services.js'

const STOP_SIGNALS = ['SIGINT', 'SIGTERM'] as const

/**
 * Runs work with live services, ends it when the process is told to stop or its time is over,
 * and always ends every child and removes the private folder before it returns.
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
  const stop = (signal: NodeJS.Signals): void => controller.abort(signal)
  for (const signal of STOP_SIGNALS) process.on(signal, stop)
  const timer = setTimeout(() => controller.abort(timeUp(given.timeoutMs)), given.timeoutMs)
  const progress = createProgress(given.target)
  const services = await createServices({
    environment: given.environment,
    progress,
    signal: controller.signal,
  })
  try {
    given.started?.(services.workDir)
    return await work(services)
  } finally {
    clearTimeout(timer)
    await services.dispose()
    for (const signal of STOP_SIGNALS) process.off(signal, stop)
  }
}

function timeUp(timeoutMs: number): GateError {
  const message = `The whole run took longer than ${timeoutMs / 60_000} minutes. Raise timeout, or look at the slowest stage.`
  return new GateError('tool', { reason: 'run-timed-out', message })
}
