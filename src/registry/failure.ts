import { GateError } from '../errors.js'

/** Why an exchange with a registry failed: each word is a stable reason of the report. */
export type RegistryReason =
  | 'registry-unreachable'
  | 'registry-tls'
  | 'registry-refused'
  | 'registry-timeout'
  | 'registry-unavailable'
  | 'registry-answer'
  | 'fallback-refused'

/** A failure of the registry or of the way to it; GateError `service`. */
export function registryError(reason: RegistryReason, message: string, cause?: unknown): GateError {
  return new GateError('service', { reason, message, ...(cause === undefined ? {} : { cause }) })
}

/** The registry gave other bytes than the digest names; GateError `integrity`, never retried. */
export function servedBytesDiffer(what: string, why: string): GateError {
  const message = `the registry does not serve the bytes of ${what}: ${why}; nothing is tagged. Do not use this copy`
  return new GateError('integrity', { reason: 'served-bytes-differ', message })
}

/** The run was stopped from outside. */
export function cancelled(): GateError {
  return new GateError('service', {
    reason: 'cancelled',
    message: 'the run was stopped; nothing more is done',
  })
}

/** A network or time failure that may pass when tried again. */
export class TransientError extends Error {
  override readonly name = 'TransientError'
  readonly reason: RegistryReason
  readonly retryAfterMs: number | null

  constructor(
    reason: RegistryReason,
    message: string,
    options: { cause?: unknown; retryAfterMs?: number | null } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.reason = reason
    this.retryAfterMs = options.retryAfterMs ?? null
  }
}

/** The system's own code of a network failure, such as ECONNREFUSED; null when there is none. */
export function networkCode(thrown: unknown): string | null {
  let current: unknown = thrown
  for (let depth = 0; depth < 6 && typeof current === 'object' && current !== null; depth += 1) {
    if ('code' in current && typeof current.code === 'string') return current.code
    if ('errors' in current && Array.isArray(current.errors)) current = current.errors[0]
    else current = 'cause' in current ? current.cause : null
  }
  return null
}
