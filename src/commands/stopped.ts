/** Thrown out of a session that a signal ended, when its work had no ending of its own: carries the exit code. */
export class SessionStopped extends Error {
  override readonly name = 'SessionStopped'
  readonly exitCode: number

  constructor(exitCode: number) {
    super('stopped from outside')
    this.exitCode = exitCode
  }
}

/** The exit code for a run that was stopped by a signal (POSIX: 128 + its number); undefined for other reasons. */
export function exitCodeOfStop(reason: unknown): number | undefined {
  if (reason === 'SIGINT') return 130
  return reason === 'SIGTERM' ? 143 : undefined
}
