import * as core from '@actions/core'
import { GateError } from '../errors.js'
import type { Annotation } from '../report/annotations.js'

/** Longest message that the runner shows (actions/runner, ExecutionContext `_maxIssueMessageLength`). */
const MAX_MESSAGE = 4096
/** The runner drops a larger summary whole (docs: workflow commands, step isolation and limits). */
const MAX_SUMMARY_BYTES = 1_048_576
const FILES = ['GITHUB_OUTPUT', 'GITHUB_STEP_SUMMARY'] as const

/** What a finished run shows to the runner. */
export interface RunnerSurfaces {
  readonly outputs: Readonly<Record<string, string>>
  readonly summary: string
  readonly annotations: readonly Annotation[]
}

/** Reads one action input, as the runner hands it over; '' when it was not given. */
export function readActionInput(name: string): string {
  return core.getInput(name)
}

/** Keeps a value for the post step. */
export function saveState(name: string, value: string): void {
  core.saveState(name, value)
}

/** A value that main kept for the post step; '' when there is none. */
export function readState(name: string): string {
  return core.getState(name)
}

/**
 * Writes outputs, job summary and annotations.
 * Refuses a runner without command files and a summary that the runner would drop.
 */
export async function publishToRunner(
  environment: Readonly<Record<string, string | undefined>>,
  surfaces: RunnerSurfaces,
): Promise<void> {
  const absent = FILES.filter(name => (environment[name] ?? '') === '')
  if (absent.length > 0) {
    const message = `The runner did not set ${absent.join(' and ')}: outputs and summary cannot be written.`
    throw new GateError('tool', { reason: 'runner-file-missing', message })
  }
  for (const [name, value] of Object.entries(surfaces.outputs)) core.setOutput(name, value)
  for (const annotation of surfaces.annotations) annotate(annotation)
  if (Buffer.byteLength(surfaces.summary) > MAX_SUMMARY_BYTES) {
    throw new GateError('tool', {
      reason: 'summary-too-big',
      message: 'The job summary is larger than 1 MiB.',
    })
  }
  await core.summary.addRaw(surfaces.summary).write()
}

function annotate(annotation: Annotation): void {
  const properties = {
    title: annotation.title,
    ...(annotation.file === undefined ? {} : { file: annotation.file }),
    ...(annotation.line === undefined ? {} : { startLine: annotation.line }),
  }
  core[annotation.level](annotation.message.slice(0, MAX_MESSAGE), properties)
}
