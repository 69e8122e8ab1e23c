import { describeError, GateError } from '../errors.js'
import { publishToRunner, readActionInput, saveState } from '../github/runner.js'
import { readInputs } from '../inputs.js'
import { recordOutputs } from '../outputs.js'
import type { RunRecord } from '../record/record.js'
import { renderAnnotations } from '../report/annotations.js'
import { headline } from '../report/headline.js'
import { inline, visible } from '../report/markdown.js'
import { renderSummary } from '../report/summary.js'
import { renderTerminal } from '../report/terminal.js'
import type { Request } from '../request.js'
import type { Environment } from '../services.js'
import { gate } from './gate.js'
import { WORK_DIR_STATE } from './leftovers.js'
import { withSession } from './session.js'
import { SessionStopped } from './stopped.js'

/** Runs the gate as a GitHub Action; resolves with the exit code, and says why on every ending. */
export async function runAction(environment: Environment): Promise<number> {
  const request = await readRequest(environment)
  if (request === null) return 2
  try {
    return (await runGate(environment, request)).exitCode
  } catch (thrown) {
    const heading = 'Portcullis: could not decide; neither clean nor vulnerable'
    await showEnding(environment, { heading, title: 'Portcullis', thrown })
    return thrown instanceof SessionStopped ? thrown.exitCode : 3
  }
}

async function runGate(environment: Environment, request: Request): Promise<RunRecord> {
  return await withSession(
    {
      environment,
      target: process.stderr,
      timeoutMs: request.timeoutMs,
      started: workDir => saveState(WORK_DIR_STATE, workDir),
    },
    services =>
      gate({
        services,
        request,
        kind: 'event',
        surfaces: (finished, reportDir) => show(environment, finished, reportDir),
      }),
  )
}

async function readRequest(environment: Environment): Promise<Request | null> {
  try {
    return readInputs(readActionInput, { sigil: '' })
  } catch (thrown) {
    if (!(thrown instanceof GateError)) throw thrown
    const heading = 'Portcullis: not judged, the configuration needs a change'
    await showEnding(environment, { heading, title: 'Portcullis: inputs', thrown })
    return null
  }
}

/** An ending without a record, on the surfaces of the runner. */
async function showEnding(
  environment: Environment,
  ending: { readonly heading: string; readonly title: string; readonly thrown: unknown },
): Promise<void> {
  const { heading, title, thrown } = ending
  const lines = describeError(thrown).split('\n')
  const items = lines.map(line => `- ${inline(line, 600)}`)
  await publishToRunner(environment, {
    outputs: { verdict: 'incomplete', reason: thrown instanceof GateError ? thrown.reason : 'crash' },
    summary: `### ⚠️ ${heading}\n\n${items.join('\n')}\n`,
    annotations: [{ level: 'error', title, message: lines.map(line => visible(line)).join('\n') }],
  })
}

async function show(environment: Environment, record: RunRecord, reportDir: string): Promise<void> {
  process.stdout.write(`${renderTerminal(record)}\n`)
  await publishToRunner(environment, {
    outputs: recordOutputs(record, reportDir),
    summary: renderSummary(record),
    annotations: renderAnnotations(record),
  })
  process.stderr.write(`${visible(headline(record))}\n`)
}
