import { spawn } from 'node:child_process'
import { PassThrough } from 'node:stream'
import type { Readable } from 'node:stream'
import { GateError, describeError } from '../errors.js'
import type { CommandResult } from './command.js'
import { redact, tailOf } from './output.js'

/** Why we ended a process ourselves. */
export type StopCause = 'timed-out' | 'cancelled' | 'stopped' | 'output-too-big'

export interface ProcessStart {
  /** Name for messages. */
  readonly name: string
  readonly file: string
  readonly args: readonly string[]
  readonly cwd: string
  readonly environment: Readonly<Record<string, string>>
  /** Milliseconds; 0 means no limit (services). */
  readonly timeoutMs: number
  readonly stdin: string | undefined
  readonly maxOutputBytes: number
  /** `capture`: collect and cap; `hand-out`: a stream for the caller; `tail`: keep only the last part (services). */
  readonly stdout: 'capture' | 'hand-out' | 'tail'
  /** Values that must not appear in a message. */
  readonly secrets: readonly string[]
  /** True when the confinement's shell stands between us and the program and reports a signal as 128 + number. */
  readonly confined?: boolean
  readonly signalGroup: (pid: number, signal: NodeJS.Signals) => void
}

/** A start that is ready, and what has to be done once the process is gone. */
export interface Prepared {
  readonly start: ProcessStart
  readonly finish: () => Promise<void>
}

export interface RunningProcess {
  readonly stdout: Readable
  readonly started: Promise<void>
  /** Resolves on exit code 0, after the whole group is gone. */
  readonly done: Promise<CommandResult>
  readonly stop: (cause: StopCause) => Promise<void>
  readonly output: () => string
}

const GRACE_MS = 2000
const HELD_PIPE_MS = 2000
const TAIL_BYTES = 256 * 1024

interface Captured {
  readonly push: (chunk: Buffer) => void
  readonly text: () => string
}

/** Starts one process as the leader of its own group. The group never outlives `done`. */
export function startProcess(start: ProcessStart): RunningProcess {
  const began = performance.now()
  const child = spawn(start.file, [...start.args], {
    cwd: start.cwd,
    env: { ...start.environment },
    detached: true,
    shell: false,
    stdio: ['pipe', 'pipe', 'pipe'],
    windowsHide: true,
  })
  let cause: StopCause | undefined
  function end(why: StopCause): void {
    if (cause !== undefined) return
    cause = why
    signal('SIGTERM')
    setTimeout(forceEnd, GRACE_MS).unref()
  }
  function signal(name: NodeJS.Signals): void {
    if (child.pid !== undefined) start.signalGroup(child.pid, name)
  }
  function forceEnd(): void {
    signal('SIGKILL')
    child.stdout.destroy()
    child.stderr.destroy()
  }
  const captured = captureOutput(start, () => end('output-too-big'))
  const handedOut = new PassThrough()
  handedOut.on('error', () => undefined)
  if (start.stdout === 'hand-out') child.stdout.pipe(handedOut, { end: false })
  else child.stdout.on('data', captured.stdout.push)
  child.stderr.on('data', captured.stderr.push)
  for (const stream of [child.stdin, child.stdout, child.stderr]) stream.on('error', () => undefined)
  child.stdin.end(start.stdin ?? '')

  const timer = start.timeoutMs > 0 ? setTimeout(() => end('timed-out'), start.timeoutMs) : undefined
  const started = new Promise<void>((resolve, reject) => {
    child.once('spawn', () => resolve())
    child.once('error', error => reject(notStarted(start, error)))
  })
  started.catch(() => undefined)
  const done = new Promise<CommandResult>((resolve, reject) => {
    let held = false
    child.once('error', error => {
      clearTimeout(timer)
      fail(notStarted(start, error))
    })
    child.once('exit', () => {
      signal('SIGKILL')
      if (start.stdout !== 'hand-out') setTimeout(releasePipes, HELD_PIPE_MS).unref()
    })
    child.once('close', (code, signalName) => {
      clearTimeout(timer)
      const stderr = captured.stderr.text()
      if (code === 0 && cause === undefined && !held) {
        handedOut.end()
        resolve({
          stdout: captured.stdout.text(),
          stderr,
          milliseconds: Math.round(performance.now() - began),
        })
      } else fail(whyFailed(start, { code, signalName, cause, held, stderr }))
    })
    function releasePipes(): void {
      if (child.stdout.closed && child.stderr.closed) return
      held = true
      child.stdout.destroy()
      child.stderr.destroy()
    }
    function fail(error: GateError): void {
      handedOut.destroy(error)
      reject(error)
    }
  })
  done.catch(() => undefined)
  return {
    stdout: handedOut,
    started,
    done,
    stop: async why => {
      end(why)
      await done.catch(() => undefined)
    },
    output: () => captured.stdout.text() + captured.stderr.text(),
  }
}

function captureOutput(
  start: ProcessStart,
  tooBig: () => void,
): { readonly stdout: Captured; readonly stderr: Captured } {
  const make = start.stdout === 'tail' ? keepTail : () => keepAll(start.maxOutputBytes, tooBig)
  return { stdout: make(), stderr: make() }
}

function keepAll(limit: number, tooBig: () => void): Captured {
  const chunks: Buffer[] = []
  let size = 0
  return {
    push: chunk => {
      size += chunk.length
      if (size > limit) tooBig()
      else chunks.push(chunk)
    },
    text: () => Buffer.concat(chunks).toString('utf8'),
  }
}

function keepTail(): Captured {
  let tail = Buffer.alloc(0)
  return {
    push: chunk => {
      tail = Buffer.concat([tail, chunk])
      if (tail.length > TAIL_BYTES) tail = tail.subarray(tail.length - TAIL_BYTES)
    },
    text: () => tail.toString('utf8'),
  }
}

interface Ending {
  readonly code: number | null
  readonly signalName: NodeJS.Signals | null
  readonly cause: StopCause | undefined
  readonly held: boolean
  readonly stderr: string
}

function whyFailed(start: ProcessStart, ending: Ending): GateError {
  const tail = redact(tailOf(ending.stderr), start.secrets)
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
  if (ending.signalName !== null)
    return {
      reason: 'killed',
      message: `${name} was killed by ${ending.signalName} (out of memory?).${last}`,
    }
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

function notStarted(start: ProcessStart, error: unknown): GateError {
  const message = `${start.name} could not be started: ${describeError(error)}.`
  return new GateError('tool', { reason: 'not-startable', message, cause: error })
}

/** Exit code and word by which the confinement says that it failed, and not the program inside it. */
export const CONFINEMENT_EXIT = 125
export const CONFINEMENT_MARK = 'portcullis-confinement-failed'
