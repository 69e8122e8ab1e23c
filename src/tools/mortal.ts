import { systemProgram } from './confinement.js'
import { SYSTEM_PATH } from './grants.js'
import { signalOwnGroup, startProcess } from './process.js'
import type { ProcessStart } from './process-start.js'

let found: Promise<string | null> | undefined

/**
 * The same start, of a process that dies with us even when we are killed (Linux: prctl(2), PR_SET_PDEATHSIG, through
 * `setpriv` of util-linux). Where that cannot be had the start stays as it is.
 */
export async function mortal<T extends Pick<ProcessStart, 'file' | 'args'>>(start: T): Promise<T> {
  const setpriv = await (found ??= findSetpriv())
  if (setpriv === null) return start
  return { ...start, file: setpriv, args: [...wrapping(start.file), ...start.args] }
}

function wrapping(file: string): readonly string[] {
  return ['--pdeathsig', 'KILL', '--', file]
}

/** Tried once: the one of busybox has the name and not the flag. */
async function findSetpriv(): Promise<string | null> {
  const setpriv = systemProgram('setpriv')
  if (process.platform !== 'linux' || setpriv === undefined) return null
  const probe: ProcessStart = {
    ...{ name: 'setpriv', file: setpriv, args: wrapping(systemProgram('true') ?? '/bin/true'), cwd: '/' },
    ...{ environment: { PATH: SYSTEM_PATH }, timeoutMs: 10_000, stdin: undefined, maxOutputBytes: 64 * 1024 },
    ...{ stdout: 'capture', secrets: [], signalGroup: signalOwnGroup },
  }
  return await startProcess(probe).done.then(
    () => setpriv,
    () => null,
  )
}
