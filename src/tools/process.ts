import { spawn } from 'node:child_process'
import type { ChildProcessWithoutNullStreams } from 'node:child_process'
import { PassThrough, pipeline } from 'node:stream'
import type { Readable } from 'node:stream'
import type { GateError } from '../errors.js'
import type { CommandResult } from './command.js'
import { notStarted, whyFailed } from './endings.js'
import type { ProcessStart, StopCause } from './process-start.js'

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
const HELD_PIPE_MS = 1500
const GROUP_GONE_MS = 500
const TAIL_BYTES = 256 * 1024

interface Captured {
  readonly push: (chunk: Buffer) => void
  readonly text: () => string
}

/** A started process as its parts see it. */
interface Watched {
  readonly start: ProcessStart
  readonly child: ChildProcessWithoutNullStreams
  readonly stdout: Captured
  readonly stderr: Captured
  readonly handedOut: PassThrough
  /** Set when we ended it, when its pipes stayed open, and when its leader is gone. */
  readonly state: { cause?: StopCause; held: boolean; exited: boolean }
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
  const state: Watched['state'] = { held: false, exited: false }
  const make =
    start.stdout === 'tail'
      ? keepTail
      : () => keepAll(start.maxOutputBytes, () => end(watched, 'output-too-big'))
  const watched: Watched = {
    start,
    child,
    stdout: make(),
    stderr: make(),
    handedOut: new PassThrough(),
    state,
  }
  connect(watched)
  const started = new Promise<void>((resolve, reject) => {
    child.once('spawn', resolve)
    child.once('error', error => reject(notStarted(start, error)))
  })
  const done = waitForEnd(watched, began)
  started.catch(() => undefined)
  done.catch(() => undefined)
  return {
    stdout: watched.handedOut,
    started,
    done,
    stop: async why => {
      end(watched, why)
      await done.catch(() => undefined)
    },
    output: () => watched.stdout.text() + watched.stderr.text(),
  }
}

function connect({ start, child, stdout, stderr, handedOut }: Watched): void {
  if (start.stdout === 'hand-out') child.stdout.pipe(handedOut, { end: false })
  else child.stdout.on('data', stdout.push)
  child.stderr.on('data', stderr.push)
  // A broken pipe is the program's affair: its exit code tells. Without a listener it would end this process.
  for (const stream of [child.stdin, child.stdout, child.stderr, handedOut])
    stream.on('error', () => undefined)
  if (start.stdin === undefined || typeof start.stdin === 'string') child.stdin.end(start.stdin ?? '')
  // Half a stream is never passed off as a whole one: it ends with an error for both sides.
  else pipeline(start.stdin, child.stdin, () => undefined)
}

function end(watched: Watched, cause: StopCause): void {
  if (watched.state.cause !== undefined) return
  watched.state.cause = cause
  signalGroup(watched, 'SIGTERM')
  const force = setTimeout(() => {
    signalGroup(watched, 'SIGKILL')
    letGoOfPipes(watched)
  }, GRACE_MS)
  watched.child.once('close', () => clearTimeout(force))
}

function signalGroup({ start, child, state }: Watched, signal: NodeJS.Signals): void {
  if (child.pid !== undefined && !state.exited) start.signalGroup(child.pid, signal)
}

function letGoOfPipes({ child }: Watched): void {
  child.stdout.destroy()
  child.stderr.destroy()
}

function waitForEnd(watched: Watched, began: number): Promise<CommandResult> {
  const { start, child, state, handedOut } = watched
  const timer = start.timeoutMs > 0 ? setTimeout(() => end(watched, 'timed-out'), start.timeoutMs) : undefined
  return new Promise<CommandResult>((resolve, reject) => {
    function fail(error: GateError): void {
      clearTimeout(timer)
      handedOut.destroy(error)
      reject(error)
    }
    child.once('error', error => fail(notStarted(start, error)))
    child.once('exit', () => onExit(watched))
    child.once('close', (code, signalName) => {
      clearTimeout(timer)
      const stderr = watched.stderr.text()
      void groupGone(child.pid).then(() => {
        const ending = { code, signalName, cause: state.cause, held: state.held, stderr }
        if (code !== 0 || state.cause !== undefined || state.held) {
          fail(whyFailed(start, ending))
          return
        }
        handedOut.end()
        resolve({
          stdout: watched.stdout.text(),
          stderr,
          milliseconds: Math.round(performance.now() - began),
        })
      })
    })
  })
}

/** The leader is gone: so is its group now, and pipes that something outside the group still holds are let go. */
function onExit(watched: Watched): void {
  const { start, child, state } = watched
  signalGroup(watched, 'SIGKILL')
  state.exited = true
  if (start.stdout === 'hand-out') return
  // Twice, so that a busy event loop gets round to reading what is there before anyone is blamed.
  let held = setTimeout(() => {
    held = setTimeout(() => {
      state.held = true
      letGoOfPipes(watched)
    }, HELD_PIPE_MS)
  }, HELD_PIPE_MS)
  child.once('close', () => clearTimeout(held))
}

/** Waits until the killed group has no member left; at most half a second, since nobody may reap its dead. */
async function groupGone(pid: number | undefined): Promise<void> {
  const deadline = performance.now() + GROUP_GONE_MS
  while (pid !== undefined && performance.now() < deadline) {
    try {
      process.kill(-pid, 0)
    } catch {
      return
    }
    await new Promise(resolve => setTimeout(resolve, 10))
  }
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

/** Sends a signal to a whole process group; one that is gone already is not an error. */
export function signalOwnGroup(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-pid, signal)
  } catch {
    // the group is gone, or belongs to root: then its own watcher ends it
  }
}
