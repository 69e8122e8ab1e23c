import type { GateError } from '../../src/errors.js'

/** Matches the error that has these details, for `toThrow`. */
export function gateError(details: { readonly code?: string; readonly reason: string }): Error {
  return expect.objectContaining(details) as unknown as GateError
}
