import { spawn } from 'node:child_process'
import { bundled, node24 } from './tools.js'

export interface Ending {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly stdout: string
  readonly stderr: string
}

/** Throws with all that the process said when it ended with another code. */
export function mustEndWith(code: number, ending: Ending): void {
  if (ending.code === code) return
  const how = ending.code === null ? (ending.signal ?? 'nothing') : String(ending.code)
  throw new Error(`ended with ${how} instead of ${code}:\n${ending.stdout}\n${ending.stderr}`)
}

export interface NodeRun {
  readonly script: string
  readonly args?: readonly string[]
  readonly cwd: string
  /** The whole environment: nothing is inherited. */
  readonly env: Readonly<Record<string, string>>
  /** Called once with the process id while the process lives. */
  readonly started?: (pid: number) => void
  /** Program to run the script with. Default: the Node of the runner. */
  readonly node?: string
  /** As a shell's job: the process leads a group of its own. */
  readonly group?: boolean
}

/** Runs one script to its end without standard input. The process gets exactly the environment it is given. */
export async function runNode(run: NodeRun): Promise<Ending> {
  const child = spawn(run.node ?? node24(), [run.script, ...(run.args ?? [])], {
    cwd: run.cwd,
    env: { ...run.env },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: run.group === true,
  })
  const streams = { stdout: '', stderr: '' }
  child.stdout.setEncoding('utf8').on('data', (text: string) => (streams.stdout += text))
  child.stderr.setEncoding('utf8').on('data', (text: string) => (streams.stderr += text))
  return await new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('spawn', () => {
      if (child.pid !== undefined) run.started?.(child.pid)
    })
    child.once('close', (code, signal) => resolve({ code, signal, ...streams }))
  })
}

/** Variables of a person's shell, as few as a run needs; `home` and `tmp` are folders of the test. */
export function shellEnvironment(folders: {
  readonly home: string
  readonly tmp: string
}): Readonly<Record<string, string>> {
  return {
    PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
    HOME: folders.home,
    TMPDIR: folders.tmp,
    LANG: 'C.UTF-8',
    ...(process.env['PORTCULLIS_CACHE'] === undefined
      ? {}
      : { PORTCULLIS_CACHE: process.env['PORTCULLIS_CACHE'] }),
  }
}

/** Runs `portcullis ARGS…` from the built bundle, as a person at a terminal without a TTY would. */
export async function portcullis(
  args: readonly string[],
  given: Omit<NodeRun, 'script' | 'args'>,
): Promise<Ending> {
  return await runNode({ ...given, script: bundled('cli'), args })
}
