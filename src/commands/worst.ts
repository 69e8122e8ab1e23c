import { visible } from '../report/markdown.js'
import { systemErrorCode } from '../errors.js'

type Cleanup = () => Promise<void>

/** How long processes and folders may take to be cleared away after a crash, milliseconds. */
const CLEAR_MS = 5000
const LINES = 40
const cleanups = new Set<Cleanup>()

/** Has something cleared away even when this program crashes; returns how to take it back. */
export function beforeCrash(cleanup: Cleanup): () => void {
  cleanups.add(cleanup)
  return () => void cleanups.delete(cleanup)
}

/**
 * Makes the worst ending the default: exit code 3 until something better was earned, and 3 for whatever
 * nobody caught (docs/architecture.md, "Interface"). Exit code 1 is only ever a verdict. A crash still ends every
 * child and removes private folders. A reader of our output that goes away is no crash: the record has it all.
 */
export function assumeTheWorst(write: (text: string) => unknown): void {
  process.exitCode = 3
  const state = { crashed: false }
  const crash = (thrown: unknown): void => {
    write(
      inertLines(
        `portcullis: ${thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown)}`,
      ),
    )
    if (state.crashed) return
    state.crashed = true
    setTimeout(() => process.exit(3), CLEAR_MS)
    void Promise.allSettled([...cleanups].map(cleanup => cleanup())).then(() => process.exit(3))
  }
  process.on('exit', () => {
    if (state.crashed) process.exitCode = 3
  })
  process.on('uncaughtException', crash)
  process.on('unhandledRejection', crash)
  process.stderr.on('error', () => undefined)
  process.stdout.on('error', (thrown: unknown) => {
    if (systemErrorCode(thrown) !== 'EPIPE') crash(thrown)
  })
}

/** Foreign text as lines that are no command to a terminal or a runner, ending with a newline. */
export function inertLines(text: string): string {
  const lines = text.split('\n', LINES).map(line => `${/^ */.exec(line)?.[0] ?? ''}${visible(line)}`)
  return `${lines.join('\n')}\n`
}
