import * as z from 'zod'
import { STAGES } from '../evidence/known.js'
import { SEVERITIES } from '../evidence/scan.js'

/** Most rows of one kind: packages, findings, violations. */
export const MAX_ROWS = 1_000_000
/** Longest free text, in UTF-16 code units. */
export const MAX_TEXT = 1024 * 1024

/** Free text that may come from an image, a tool or a person. */
export const text = z.string().max(MAX_TEXT)
/** A name, a version, a path, a reference. */
export const word = z.string().max(16_384)
/** One of our own stable words: a rule id, a reason. */
export const slug = z
  .string()
  .max(200)
  .regex(/^[A-Za-z0-9][A-Za-z0-9._-]*$/, { error: 'expected a word of letters, digits, . _ -' })
export const sha256 = z.string().regex(/^[0-9a-f]{64}$/, { error: 'expected 64 lower-case hex digits' })
export const digest = z.templateLiteral(['sha256:', sha256], {
  error: 'expected sha256: and 64 lower-case hex digits',
})
export const instant = z.iso.datetime({ offset: true, error: 'expected a time of RFC 3339' })
export const count = z.int().nonnegative()
export const stage = z.enum(STAGES)
export const severity = z.enum(SEVERITIES)

/** A list of at most `most` entries. */
export function list<T extends z.ZodType>(entry: T, most = MAX_ROWS) {
  return z.array(entry).max(most)
}

/** A free map of at most `most` entries. */
export function map<T extends z.ZodType>(value: T, most = 100_000) {
  return z
    .record(word, value)
    .refine(entries => Object.keys(entries).length <= most, { error: `expected at most ${most} entries` })
}

export const sourceLocation = z.strictObject({
  file: word,
  line: z.int().positive(),
  endLine: z.int().positive().exactOptional(),
})
