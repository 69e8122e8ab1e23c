import { access, constants, mkdir, mkdtemp, realpath } from 'node:fs/promises'
import { isAbsolute, join } from 'node:path'
import { PassThrough } from 'node:stream'
import { finished } from 'node:stream/promises'
import { GateError } from '../errors.js'
import type { Isolation } from '../evidence/tooling.js'
import type { Command, CommandResult, Commands, RunningCommand } from './command.js'
import { grantEnvironment, needsFreshFolders } from './grants.js'
import { hashFile } from './hash.js'
import { createLadder } from './ladder.js'
import { mortal } from './mortal.js'
import { signalOwnGroup, startProcess } from './process.js'
import type { Prepared, RunningProcess } from './process.js'
import type { ProcessStart, StopCause } from './process-start.js'

export interface CommandsOptions {
  /** The environment of the run; only what a grant lists is ever handed on. */
  readonly environment: Readonly<Record<string, string | undefined>>
  /** Private folder of this run; fresh folders of processes are made in it. Absolute. */
  readonly workDir: string
  /** Aborting it stops every process group and refuses new ones. */
  readonly signal?: AbortSignal
  /** One line per start, for a debug log: program name and grant, never arguments. */
  readonly log?: (line: string) => void
  /** Only these rungs of the confinement ladder are tried; all when absent. */
  readonly rungs?: readonly Isolation[]
}

const DEFAULT_OUTPUT_BYTES = 16 * 1024 * 1024
const SECRET_NAME = /PASSWORD|TOKEN|SECRET|KEY/u

/**
 * The one place that starts processes: argv arrays, no shell, own process group, environment by grant, program hashed
 * before each start, exit code alone decides. Scanners run on the strongest rung of the confinement ladder that a
 * probe proved on this machine.
 */
export function createCommands(options: CommandsOptions): Commands {
  const alive = new Set<RunningProcess>()
  const ladder = createLadder(options)
  let stopped: StopCause | undefined

  async function stopWith(cause: StopCause): Promise<void> {
    stopped ??= cause
    await Promise.all([...alive].map(running => running.stop(cause)))
  }
  options.signal?.addEventListener('abort', () => void stopWith('cancelled'), { once: true })

  async function begin(command: Command, stdout: ProcessStart['stdout']): Promise<Begun> {
    refuseWhenStopped(command)
    await checkProgram(command)
    const prepared = await prepare(command, stdout)
    refuseWhenStopped(command)
    options.log?.(`start ${command.program.name} (${command.grant})`)
    const running = startProcess(prepared.start)
    alive.add(running)
    const forget = (): void => void alive.delete(running)
    running.done.then(forget, forget)
    return { running, finish: prepared.finish }
  }

  function refuseWhenStopped(command: Command): void {
    if (stopped === undefined && options.signal?.aborted !== true) return
    throw new GateError('tool', {
      reason: 'cancelled',
      message: `${command.program.name} was not started because the run was cancelled.`,
    })
  }

  async function prepare(command: Command, stdout: ProcessStart['stdout']): Promise<Prepared> {
    const folders = needsFreshFolders(command.grant) ? await freshFolders(options.workDir) : undefined
    const variables = command.variables === undefined ? {} : { variables: command.variables }
    const environment = grantEnvironment(command.grant, options.environment, {
      ...variables,
      ...(folders === undefined ? {} : { folders }),
    })
    const cwd = command.cwd ?? (await mkdtemp(join(options.workDir, 'cwd-')))
    const start = { ...plainStart(command, stdout), cwd, environment }
    if (command.grant !== 'scanner' || folders === undefined)
      return { start: await mortal(start), finish: () => Promise.resolve() }
    return ladder.confine(start, { ...command.paths, folders: [folders.home, folders.tmp] })
  }

  return {
    run: async command => {
      const { running, finish } = await begin(command, 'capture')
      return await settle(running.done, finish)
    },
    stream: command => streamCommand(command, () => begin(command, 'hand-out')),
    serve: async command => {
      const { running } = await begin({ ...command, timeoutMs: 0 }, 'tail')
      await running.started
      return { stop: () => running.stop('stopped'), output: running.output }
    },
    isolation: () => ladder.isolation(),
    stopAll: () => stopWith('stopped'),
  }
}

interface Begun {
  readonly running: RunningProcess
  readonly finish: () => Promise<void>
}

/** The result once everything is taken back; what the program failed with outranks what was found afterwards. */
async function settle(done: Promise<CommandResult>, finish: () => Promise<void>): Promise<CommandResult> {
  try {
    await done
  } catch (thrown) {
    await finish().catch(() => undefined)
    throw thrown
  }
  await finish()
  return await done
}

function streamCommand(command: Command, begin: () => Promise<Begun>): RunningCommand {
  const stdout = new PassThrough()
  stdout.on('error', () => undefined)
  async function follow(): Promise<CommandResult> {
    try {
      const { running, finish } = await begin()
      const handedOn = finished(running.stdout, { writable: false }).catch(() => undefined)
      // Nobody reads any more: the rest is thrown away, so that the process is not kept waiting.
      if (stdout.destroyed) running.stdout.resume()
      else running.stdout.pipe(stdout, { end: false })
      stdout.once('close', () => running.stdout.resume())
      const result = await settle(running.done, finish)
      await handedOn
      stdout.end()
      return result
    } catch (thrown) {
      stdout.destroy(thrown instanceof Error ? thrown : new Error(`${command.program.name} failed`))
      throw thrown
    }
  }
  const done = follow()
  done.catch(() => undefined)
  return { stdout, done }
}

async function freshFolders(workDir: string): Promise<{ readonly home: string; readonly tmp: string }> {
  const base = await mkdtemp(join(workDir, 'home-'))
  const folders = { home: join(base, 'home'), tmp: join(base, 'tmp') }
  await Promise.all([mkdir(folders.home), mkdir(folders.tmp)])
  return folders
}

function plainStart(
  command: Command,
  stdout: ProcessStart['stdout'],
): Omit<ProcessStart, 'cwd' | 'environment'> {
  const variables = Object.entries(command.variables ?? {})
  return {
    name: command.program.name,
    file: command.program.path,
    args: command.args,
    timeoutMs: command.timeoutMs,
    stdin: command.stdin,
    maxOutputBytes: command.maxOutputBytes ?? DEFAULT_OUTPUT_BYTES,
    stdout,
    secrets: [
      ...variables.filter(([name]) => SECRET_NAME.test(name)).map(([, value]) => value),
      ...(command.redacted ?? []),
    ],
    signalGroup: signalOwnGroup,
  }
}

/**
 * Right before the start: the program exists, may be executed, and still has the hash it was proved to have. Refuses
 * relative paths, which would be looked for in PATH.
 */
async function checkProgram({ program }: Command): Promise<void> {
  const { name, path, sha256 } = program
  if (!isAbsolute(path)) throw new TypeError(`the program ${name} needs an absolute path`)
  try {
    await access(await realpath(path), constants.X_OK)
  } catch (cause) {
    throw new GateError('tool', {
      reason: 'not-found',
      message: `${name} is not there or may not be executed. Install it again, or choose another source of tools.`,
      cause,
    })
  }
  if (sha256 === undefined) return
  const found = await hashFile(path)
  if (found === sha256) return
  throw new GateError('integrity', {
    reason: 'hash-changed',
    message: `${name} was changed on the disk after it was checked (SHA-256 ${found}, expected ${sha256}). It was not started.`,
  })
}
