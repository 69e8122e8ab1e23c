import { constants } from 'node:fs'
import { open } from 'node:fs/promises'
import { GateError, systemErrorCode } from '../errors.js'
import { MAX_REPORT_CHARACTERS } from '../evidence/tool-json.js'
import type { Command, Commands } from './command.js'

/** Time limit of one scanner call unless the caller sets another, milliseconds. */
export const SCAN_MS = 20 * 60 * 1000

/**
 * Runs one confined scanner call. Its failures keep their code and message, and their reason starts with the tool's
 * name (`trivy-exit-code`, `syft-timed-out`), so that the report says which tool failed how.
 */
export async function runScanner(commands: Commands, command: Command): Promise<void> {
  try {
    await commands.run(command)
  } catch (thrown) {
    if (!(thrown instanceof GateError) || thrown.code !== 'tool' || thrown.reason === 'cancelled')
      throw thrown
    const { message } = thrown
    throw new GateError('tool', {
      reason: `${command.program.name}-${thrown.reason}`,
      message,
      cause: thrown,
    })
  }
}

/**
 * The report that a scanner wrote. Refuses a missing or empty file (`NAME-no-output`), anything but a regular file,
 * which a hostile scanner could have put there (`NAME-output-not-a-file`), and one above 256 MiB
 * (`NAME-output-too-big`).
 */
export async function readScannerOutput(path: string, tool: { readonly name: string }): Promise<string> {
  const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK
  const handle = await open(path, flags).catch((cause: unknown) => {
    throw whyUnopened(tool.name, cause)
  })
  try {
    const stat = await handle.stat()
    if (!stat.isFile())
      throw outputError(tool.name, 'output-not-a-file', 'wrote something else than a plain file')
    if (stat.size > MAX_REPORT_CHARACTERS)
      throw outputError(tool.name, 'output-too-big', 'wrote a report of more than 256 MiB')
    if (stat.size === 0) throw outputError(tool.name, 'no-output', 'ended well but wrote an empty report')
    return await handle.readFile('utf8')
  } finally {
    await handle.close()
  }
}

function whyUnopened(name: string, cause: unknown): GateError {
  if (systemErrorCode(cause) === 'ENOENT')
    return outputError(name, 'no-output', 'ended well but wrote no report', cause)
  return outputError(name, 'output-not-a-file', 'wrote a report that cannot be opened as a plain file', cause)
}

function outputError(name: string, kind: string, what: string, cause?: unknown): GateError {
  const message = `${name} ${what}. Nothing is concluded from it; run again, and check the tool.`
  return new GateError('tool', { reason: `${name}-${kind}`, message, cause })
}
