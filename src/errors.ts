/** What kind of thing went wrong; decides the exit code and the words of the report. */
export type ErrorCode = 'config' | 'tool' | 'integrity' | 'evidence' | 'service'

export interface GateErrorDetails {
  /** Stable kebab-case name of this exact failure, such as `blob-digest-mismatch`; public, tested. */
  readonly reason: string
  /** What failed, on what, and what to do next. Never a secret. */
  readonly message: string
  readonly cause?: unknown
}

/** The only error that a stage throws on purpose. Everything else is a defect and ends as incomplete. */
export class GateError extends Error {
  override readonly name = 'GateError'
  readonly code: ErrorCode
  readonly reason: string

  constructor(code: ErrorCode, details: GateErrorDetails) {
    super(details.message, details.cause === undefined ? undefined : { cause: details.cause })
    this.code = code
    this.reason = details.reason
  }
}

/** One line for any thrown value; refuses nothing, so that a report can always be written. */
export function describeError(thrown: unknown): string {
  if (typeof thrown === 'string') return thrown
  // By shape, not by class: an error of another realm (a worker, a test runner) is an error as well.
  const { message, name } = typeof thrown === 'object' && thrown !== null ? (thrown as Partial<Error>) : {}
  if (typeof message === 'string' && message !== '') return message
  return typeof name === 'string' && name !== '' ? name : 'an unknown value was thrown'
}

/** The code of a system error (`ENOENT`, `ENOSPC`), by shape as in `describeError`; undefined for anything else. */
export function systemErrorCode(thrown: unknown): string | undefined {
  if (typeof thrown !== 'object' || thrown === null || !('code' in thrown) || !('errno' in thrown))
    return undefined
  return typeof thrown.code === 'string' ? thrown.code : undefined
}
