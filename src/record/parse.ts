import type * as z from 'zod'
import { GateError } from '../errors.js'
import type { RunRecord } from './record.js'
import { recordSchema } from './schema.js'

/** Longest record that is read, in UTF-16 code units. A longer one is refused, never cut. */
export const MAX_RECORD = 256 * 1024 * 1024
const MAX_PROBLEMS = 50

/**
 * Reads a run record back; what is read is hostile input.
 * Refuses, as GateError config `record-invalid` that lists every problem with its path: no JSON, another schema,
 * unknown keys, anything beyond the caps, an exit code that contradicts the outcome.
 */
export function parseRecord(text: string): RunRecord {
  const parsed = recordSchema.safeParse(jsonOf(text, { what: 'run record', most: MAX_RECORD }))
  if (parsed.success) return parsed.data
  throw invalidDocument('run record', parsed.error.issues.flatMap(problemsOf))
}

/** Parses the JSON text of one of our own documents, with a cap. */
export function jsonOf(text: string, limits: { readonly what: string; readonly most: number }): unknown {
  const { what, most } = limits
  if (text.length > most) {
    throw invalidDocument(what, [`$: longer than the ${most} characters that are read`])
  }
  try {
    return JSON.parse(text)
  } catch {
    throw invalidDocument(what, ['$: not JSON, or cut off'])
  }
}

/** The refusal of a document, with at most fifty of its problems and the number of the others. */
export function invalidDocument(what: string, problems: readonly string[]): GateError {
  const shown = problems.slice(0, MAX_PROBLEMS)
  const rest = problems.length - shown.length
  const lines = [
    `This is not a ${what} of this version of Portcullis. Give the file as the run wrote it.`,
    ...shown.map(problem => `  ${problem}`),
    ...(rest > 0 ? [`  and ${rest} more`] : []),
  ]
  const reason = what === 'run record' ? 'record-invalid' : 'evidence-invalid'
  return new GateError('config', { reason, message: lines.join('\n') })
}

/** One line for each problem of an issue: its path and what was expected there. */
export function problemsOf(issue: z.core.$ZodIssue): readonly string[] {
  if (issue.code !== 'unrecognized_keys') return [`${pathOf(issue.path)}: ${issue.message}`]
  return issue.keys.map(key => `${pathOf([...issue.path, key])}: unknown key`)
}

/** `$.verdict.results[3].rule`; strange keys are quoted, long ones cut. */
function pathOf(path: readonly PropertyKey[]): string {
  const steps = path.map(step => {
    if (typeof step === 'number') return `[${step}]`
    const key = String(step).slice(0, 100)
    return /^[A-Za-z_][A-Za-z0-9_-]*$/.test(key) ? `.${key}` : `[${JSON.stringify(key)}]`
  })
  return `$${steps.join('')}`
}
