import type { Readable } from 'node:stream'

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
  readonly stdin: string | Readable | undefined
  readonly maxOutputBytes: number
  /** `capture`: collect and cap; `hand-out`: a stream for the caller; `tail`: keep only the last part (services). */
  readonly stdout: 'capture' | 'hand-out' | 'tail'
  /** Values that must not appear in a message. */
  readonly secrets: readonly string[]
  /** True when the confinement's shell stands between us and the program and reports a signal as 128 + number. */
  readonly confined?: boolean
  readonly signalGroup: (pid: number, signal: NodeJS.Signals) => void
}
