/** An error whose message is all the reader needs. */
export class MachineError extends Error {}

/** Progress: standard error only. */
export function say(line) {
  process.stderr.write(`machine: ${line}\n`)
}
