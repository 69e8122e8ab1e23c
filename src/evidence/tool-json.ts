import { z } from 'zod'
import { GateError } from '../errors.js'

/** Largest tool report that is read, in characters. A bigger one is refused, never cut. */
export const MAX_REPORT_CHARACTERS = 256 * 1024 * 1024
/** Most rows of one kind in a report: packages, findings, files. More is refused. */
export const MAX_ROWS = 1_000_000

/** Short text of a report: names, versions, paths. */
export const shortText = z.string().max(16_384)
/** Rows of a report; an absent list, which Go programs write as nothing or null, is an empty one. */
export function rows<T extends z.ZodType>(row: T) {
  return z
    .array(row)
    .max(MAX_ROWS)
    .nullish()
    .transform(list => list ?? [])
}

/** Which report is read: `name` starts the reasons (`trivy-no-output`), `what` is for the reader. */
export interface ReportSource {
  readonly name: string
  readonly what: string
}

/**
 * Reads a tool's JSON report. Refuses (GateError `evidence`) an empty one (`NAME-no-output`), one that is not
 * complete JSON (`NAME-output-truncated`), one of another shape (`NAME-output-unexpected`) and one above
 * `MAX_REPORT_CHARACTERS` (`NAME-output-too-big`). Keys the schema does not know are dropped.
 */
export function readToolJson<T extends z.ZodType>(
  text: string,
  schema: T,
  source: ReportSource,
): z.output<T> {
  const parsed = schema.safeParse(parseJson(text, source))
  if (parsed.success) return parsed.data
  const issue = parsed.error.issues[0]
  const where = issue === undefined ? 'its top level' : issue.path.map(String).join('.') || 'its top level'
  throw refusal(
    source,
    'output-unexpected',
    `has an unexpected shape at ${where}: ${issue?.message ?? 'unknown'}`,
  )
}

function parseJson(text: string, source: ReportSource): unknown {
  if (text.length > MAX_REPORT_CHARACTERS) throw refusal(source, 'output-too-big', 'is larger than 256 MiB')
  if (text.trim() === '') throw refusal(source, 'no-output', 'is empty')
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw refusal(source, 'output-truncated', 'is not complete JSON', cause)
  }
}

/** The GateError `evidence` for a report that cannot be believed; reason `NAME-KIND`. */
export function refusal(source: ReportSource, kind: string, problem: string, cause?: unknown): GateError {
  const message = `The ${source.what} ${problem}. Nothing is concluded from it; run again, and check the tool.`
  return new GateError('evidence', { reason: `${source.name}-${kind}`, message, cause })
}
