import * as z from 'zod'
import { count, instant, list, severity, slug, sourceLocation, text, word } from './bounds.js'

const violation = z.strictObject({
  rule: slug,
  thing: text,
  platforms: list(word, 1000),
  severity,
  message: text,
  fix: text.exactOptional(),
  location: sourceLocation.exactOptional(),
  imagePath: word.exactOptional(),
  origin: z.enum(['base', 'own', 'unknown']),
  fingerprint: word,
  advisory: word.exactOptional(),
  aliases: list(word, 1000).exactOptional(),
  purl: word.exactOptional(),
})

const suppressed = z.strictObject({
  violation,
  exception: z.strictObject({ id: word, owner: text, reason: text, expires: word }),
})

const tolerated = z.strictObject({
  thing: text,
  why: z.enum([
    ...(['unfixable', 'grace', 'below-threshold', 'package-owned'] as const),
    ...(['no-advisories', 'system-package', 'within-budget'] as const),
  ]),
  severity,
  until: word.exactOptional(),
})

const ruleResult = z.strictObject({
  rule: slug,
  title: text,
  phase: z.enum(['source', 'image', 'released']),
  mode: z.enum(['enforce', 'warn', 'off']),
  severity,
  outcome: z.enum(['pass', 'fail', 'unknown', 'not-applicable', 'off']),
  checked: count,
  violations: list(violation),
  suppressed: list(suppressed),
  tolerated: list(tolerated),
  unknown: list(text, 10_000),
  notApplicable: text.exactOptional(),
  controls: list(word, 1000),
})

const exceptionUse = z.strictObject({
  id: word,
  state: z.enum(['used', 'unused', 'expired', 'expiring']),
  owner: text,
  expires: word,
  detail: text,
})

/** The three answers. */
export const outcome = z.enum(['pass', 'fail', 'incomplete'])

/** Verdict of src/policy/verdict.ts, read back. */
export const verdict = z.strictObject({
  outcome,
  mode: z.enum(['enforce', 'audit']),
  blocks: z.boolean(),
  results: list(ruleResult, 1000),
  exceptions: list(exceptionUse, 10_000),
  warnings: list(text, 10_000),
  subject: z.strictObject({ name: word, digest: word }).nullable(),
  policy: z.strictObject({ digest: word, origin: text, profiles: list(word, 100) }),
  decidedAt: instant,
})
