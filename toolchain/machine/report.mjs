import { BuildError } from '../build/files.mjs'

/** An error whose message is all the reader needs. */
export class MachineError extends BuildError {}

/** Progress: standard error only. */
export function say(line) {
  process.stderr.write(`machine: ${line}\n`)
}
