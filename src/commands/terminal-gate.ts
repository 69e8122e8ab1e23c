import pc from 'picocolors'
import { terminalSurface } from './terminal-surface.js'
import { GateError } from '../errors.js'
import { readInputs } from '../inputs.js'
import type { Environment } from '../services.js'
import { gate } from './gate.js'
import { withSession } from './session.js'

/** Runs the gate for a person at a terminal; resolves with the exit code. */
export async function gateAtTerminal(given: {
  readonly environment: Environment
  readonly context: string | undefined
  readonly option: (name: string) => string
}): Promise<number> {
  const { environment, context, option } = given
  if (context !== undefined && option('context') !== '') {
    const message = `The context is given twice: '${context}' and --context '${option('context')}'. Keep one.`
    throw new GateError('config', { reason: 'inputs-invalid', message })
  }
  const read = (name: string): string => (name === 'context' ? (context ?? option(name)) : option(name))
  const request = readInputs(read, { sigil: '--' })
  const record = await withSession(
    { environment, target: process.stderr, timeoutMs: request.timeoutMs },
    services =>
      gate({
        services,
        request,
        kind: 'terminal',
        surfaces: terminalSurface(process.stdout, pc.isColorSupported),
      }),
  )
  return record.exitCode
}
