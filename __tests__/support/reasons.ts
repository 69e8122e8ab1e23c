import { GateError } from '../../src/errors.js'

/** The reason of the GateError that `act` throws, or a text that says what happened instead. */
export function reasonOf(act: () => unknown): string {
  try {
    act()
  } catch (error) {
    return error instanceof GateError ? error.reason : `not a GateError: ${String(error)}`
  }
  return 'nothing was thrown'
}

/** As `reasonOf`, for a promise. */
export async function reasonOfAsync(promise: Promise<unknown>): Promise<string> {
  try {
    await promise
  } catch (error) {
    return error instanceof GateError ? error.reason : `not a GateError: ${String(error)}`
  }
  return 'nothing was thrown'
}
