import { exportCache } from '../build/cache-export.js'
import { describeError } from '../errors.js'
import { endingOf } from '../record/assemble.js'
import type { Facts, GateRun } from './run.js'
import type { RunLog } from './run-log.js'

/**
 * Writes the caches of the build, the very last thing that is done with the image: others can read them, so they are
 * written after the verdict `pass` alone, and only where the context may publish. Never changes how the run ended:
 * caches that were not written are a warning that says why.
 */
export async function writeCaches(run: GateRun, log: RunLog, facts: Facts): Promise<void> {
  const { built } = facts
  const asked = built?.asked
  if (asked === undefined || asked.cacheTo.length === 0) return
  const why = whyNot(log, facts)
  if (why !== undefined) {
    log.warnings.push(`The build cache was not written (cache-to): ${why}.`)
    return
  }
  const { environment, workDir, progress, signal } = run.services
  const commands = run.services.newCommands()
  try {
    signal.throwIfAborted()
    await exportCache({ commands, workDir, environment }, asked)
    progress.note('build cache written')
  } catch (thrown) {
    const message = describeError(thrown).slice(0, 2000)
    log.warnings.push(`The build cache was not written (cache-to): ${message}`)
  } finally {
    await commands.stopAll()
  }
}

function whyNot(log: RunLog, { verdict, release, context }: Facts): string | undefined {
  const { outcome } = endingOf({ verdict: verdict ?? null, problems: log.problems, release })
  if (outcome !== 'pass') return `the run is ${outcome}, only one that passes writes caches`
  return context?.trigger.trusted === true ? undefined : 'this ref is not trusted'
}
