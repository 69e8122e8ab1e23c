import type { Readable } from 'node:stream'
import type { Isolation } from '../evidence/tooling.js'

/** Who may see what: each grant is a literal list of environment variables (docs/architecture.md, "Tools"). */
export type Grant = 'scanner' | 'engine' | 'registry' | 'signer' | 'toolchain'

/** A program by absolute path. With `sha256` (hex) it is hashed again right before each start. */
export interface Program {
  readonly name: string
  readonly path: string
  readonly sha256?: string
}

/** One process to start. No shell, exit code alone decides. */
export interface Command {
  readonly program: Program
  readonly args: readonly string[]
  readonly grant: Grant
  /** Working directory; a fresh empty folder outside the checkout when absent. */
  readonly cwd?: string
  readonly timeoutMs: number
  /** Read to its end, or until the program reads no more; an error of a stream is for its owner to notice. */
  readonly stdin?: string | Readable
  /** Extra variables; each name must be on the grant's list, else a defect is thrown. */
  readonly variables?: Readonly<Record<string, string>>
  /** Texts that no message may show, beside the values of variables that are named like secrets. */
  readonly redacted?: readonly string[]
  /** Cap of captured stdout and of stderr, bytes; more is an error, never a cut. Default 16 MiB. */
  readonly maxOutputBytes?: number
  /** What a confined process (grant `scanner`) may read and write beside the system. Absolute paths. */
  readonly paths?: { readonly read: readonly string[]; readonly write: readonly string[] }
}

export interface CommandResult {
  readonly stdout: string
  readonly stderr: string
  readonly milliseconds: number
}

/**
 * A started process whose stdout is read as a stream; `done` rejects as `run` does, and resolves only after the
 * stream was read to its end or destroyed.
 */
export interface RunningCommand {
  readonly stdout: Readable
  readonly done: Promise<CommandResult>
}

/** The one place that starts processes. */
export interface Commands {
  /** Resolves on exit code 0; rejects with GateError `tool` otherwise (time-out, signal, output too big, exit code). */
  run(command: Command): Promise<CommandResult>
  /** As `run`, but hands out stdout as a stream instead of capturing it. */
  stream(command: Command): RunningCommand
  /** Starts a long-lived loopback service (the embedded registry); stopped by `stopAll`. */
  serve(command: Command): Promise<{ readonly stop: () => Promise<void>; readonly output: () => string }>
  /** The rung of the confinement ladder that scanners run under, probed once. */
  isolation(): Promise<Isolation>
  /** Kills every process group that is still alive and waits for it. */
  stopAll(): Promise<void>
}
