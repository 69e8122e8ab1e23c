/** Matches the error that has these details, for `toThrow`. */
export function gateError(details: { readonly code?: string; readonly reason: string }): Error {
  const matcher: unknown = expect.objectContaining(details)
  return matcher as Error
}
