import * as z from 'zod'
import { NOT_SEARCHED } from '../evidence/scan.js'
import { count, digest, instant, list, map, severity, sha256, slug, stage, text, word } from './bounds.js'
import { databaseFacts, imageSubject, isolation, minimumElements, toolFacts } from './image-schema.js'
import { RECORD_SCHEMA } from './record.js'
import { outcome, verdict } from './verdict-schema.js'

const problem = z.strictObject({
  stage,
  code: z.enum(['config', 'tool', 'integrity', 'evidence', 'service', 'defect', 'cancelled']),
  reason: slug,
  message: text,
})

const stageRecord = z.strictObject({
  stage,
  state: z.enum(['done', 'failed', 'skipped']),
  startedAt: instant,
  milliseconds: z.number().nonnegative(),
  detail: text,
})

/** A path that stays inside the report directory. */
const insidePath = word.regex(/^(?![/\\])(?!(?:.*[/\\])?\.\.(?:[/\\]|$))[^\0]+$/, {
  error: 'expected a path inside the report directory',
})

const reportFile = z.strictObject({ path: insidePath, kind: slug, sha256, size: count })

const attachedBundle = z.strictObject({
  predicateType: word,
  attachedTo: digest,
  referrer: digest,
  file: word,
  verified: list(word, 100),
})

const signerIdentity = z.strictObject({
  issuer: word,
  subject: word,
  repository: word.exactOptional(),
  repositoryId: word.exactOptional(),
  ownerId: word.exactOptional(),
  workflow: word.exactOptional(),
  ref: word.exactOptional(),
  commit: word.exactOptional(),
  trigger: word.exactOptional(),
  runnerEnvironment: word.exactOptional(),
  run: word.exactOptional(),
})

const release = z.strictObject({
  state: z.enum(['not-wanted', 'refused', 'failed', 'pushed', 'released']),
  reference: word.exactOptional(),
  digest: digest.exactOptional(),
  served: z.strictObject({ objects: count, bytes: count }).exactOptional(),
  bundles: list(attachedBundle, 10_000),
  tags: list(z.strictObject({ tag: word, state: z.enum(['created', 'kept', 'moved']) }), 1000),
  signer: sha256.exactOptional(),
  identity: signerIdentity.exactOptional(),
  verifyCommand: word.exactOptional(),
})

const trigger = z.strictObject({
  kind: z.enum(['terminal', 'event']),
  event: word.exactOptional(),
  ref: word.exactOptional(),
  commit: word.exactOptional(),
  repository: word.exactOptional(),
  runUrl: word.exactOptional(),
  trusted: z.boolean(),
})

const buildRecord = z.strictObject({
  parameters: z.strictObject({
    image: word,
    context: word,
    file: word,
    target: word.exactOptional(),
    buildArgs: list(text, 10_000),
    platforms: list(word, 1000),
    labels: map(text),
    network: word.exactOptional(),
    secrets: list(word, 1000),
  }),
  startedAt: instant,
})

const exitCode = z.literal([0, 1, 2, 3, 130, 143])

/** Exit codes that an outcome can have. */
const CODES: Readonly<Record<z.infer<typeof outcome>, readonly z.infer<typeof exitCode>[]>> = {
  pass: [0],
  fail: [0, 1],
  incomplete: [2, 3, 130, 143],
}

const baseRecord = z.discriminatedUnion('state', [
  z.strictObject({ reference: word, state: z.enum(['pinned', 'resolved']), digest }),
  z.strictObject({ reference: word, state: z.literal('unresolved'), why: text }),
])

/**
 * A run record as it is read back: `portcullis/record/v1`. Refuses unknown keys, anything beyond the caps, and an
 * exit code that its outcome cannot have. `schemas/record.schema.json` is generated from it.
 */
export const recordSchema = z
  .strictObject({
    schema: z.literal(RECORD_SCHEMA),
    portcullis: z.strictObject({ version: word, project: word }),
    command: slug,
    startedAt: instant,
    finishedAt: instant,
    trigger,
    request: z.strictObject({
      image: word,
      subject: word,
      publish: z.enum(['auto', 'never', 'always']),
      sign: z.enum(['key', 'keyless', 'none', 'unset']),
      tags: list(word, 1000),
    }),
    outcome,
    exitCode,
    reason: slug.describe('clean, a rule id, or the reason of the first problem.'),
    problems: list(problem, 10_000),
    stages: list(stageRecord, 1000),
    subject: imageSubject.nullable(),
    engine: z
      .strictObject({
        name: word,
        version: word,
        why: text.exactOptional(),
        isolation: z.enum(['oci', 'rootless', 'chroot']).exactOptional(),
      })
      .nullable(),
    bases: list(baseRecord, 1000).exactOptional(),
    build: buildRecord.exactOptional(),
    imageId: digest.nullable(),
    isolation: isolation.nullable(),
    secretSearch: z
      .strictObject({
        searched: count,
        notSearched: list(z.strictObject({ reason: z.enum(NOT_SEARCHED), files: count }), 100),
      })
      .exactOptional(),
    tools: list(toolFacts, 100),
    database: databaseFacts.nullable(),
    packages: count,
    sboms: list(
      z.strictObject({
        platform: word,
        format: z.enum(['spdx-2.3', 'cyclonedx-1.6', 'syft']),
        minimum: minimumElements,
      }),
      10_000,
    ).exactOptional(),
    counts: z.record(severity, count),
    verdict: verdict.nullable(),
    evidence: z.strictObject({ path: insidePath, sha256 }).nullable(),
    release,
    files: list(reportFile, 100_000),
    warnings: list(text, 10_000),
  })
  .describe('The whole run of Portcullis as one document; every report is rendered from it.')
  .refine(record => CODES[record.outcome].includes(record.exitCode), {
    path: ['exitCode'],
    error: 'expected an exit code that belongs to the outcome',
  })
