import * as z from 'zod'
import { RULE_IDS } from './rule-ids.js'

/** Kinds of statement, as evidence/statement.ts names them. */
const ATTESTATIONS = ['signature', 'provenance', 'spdx', 'cyclonedx', 'vulnerabilities', 'summary'] as const

/** Profiles that exist. */
export const PROFILE_NAMES = ['recommended'] as const

const line = z.string().regex(/\S/, { error: 'expected text that is not blank' }).max(500)
const date = z
  .string()
  .regex(/^\d{4}-\d{2}-\d{2}$/, { error: 'expected a date YYYY-MM-DD' })
  .refine(isCalendarDate, { error: 'expected a day that the calendar has' })
const days = z.int().min(0).max(3650)
const repositoryName = z
  .string()
  .max(255)
  .regex(/^[a-z0-9.-]+(:[0-9]{1,5})?(\/[a-z0-9]+([._-]+[a-z0-9]+)*)+$/, {
    error: 'expected a lower-case image name with its registry, without tag or digest',
  })
const labelName = z
  .string()
  .max(128)
  .regex(/^[A-Za-z0-9][A-Za-z0-9._/-]*$/, { error: 'expected the name of a label' })
const packageName = z
  .string()
  .max(300)
  .regex(/^[^\s*?#]+$/, { error: 'expected a package name or a purl, without qualifiers and wildcards' })
const imagePath = z
  .string()
  .max(1000)
  .regex(/^[^*]*[^*/\s]$/, { error: 'expected the path of one file, without wildcards' })
const advisoryId = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9.:_-]{2,63}$/, {
  error: 'expected the id of one advisory, such as CVE-2026-12345',
})

const ruleSetting = z.strictObject({
  mode: z.enum(['enforce', 'warn', 'off']).describe('off: not judged; warn: reported, never blocks.'),
  reason: line
    .optional()
    .describe('Required where a rule that the profile enforces is turned to warn or off.'),
})

const exception = z.strictObject({
  id: advisoryId.describe('The advisory, or one of its aliases.'),
  package: packageName.optional().describe('A package name, or a purl with or without its version.'),
  path: imagePath.optional().describe('The file in the image that the finding was read from.'),
  owner: line.describe('Who answers for it.'),
  reason: line.describe('Why it is acceptable until then.'),
  created: date.describe('The day it was permitted.'),
  expires: date.describe('The last day it holds, to its end in UTC.'),
})

const exact = z
  .string()
  .max(1000)
  .regex(/^[^\s*]+$/, { error: 'expected exact text without blanks and wildcards' })
const id = z.int().min(1)

const identity = z
  .strictObject({
    issuer: exact.describe('Issuer of the token, such as https://token.actions.githubusercontent.com.'),
    subject: exact.optional().describe('The subject of the certificate, with the ref.'),
    repository_id: id.optional().describe('Number of the source repository: a name can change hands.'),
    owner_id: id.optional(),
    workflow: exact
      .optional()
      .describe(
        'Path in the source repository; the workflow at the very ref of the source must have signed.',
      ),
    ref: exact.optional().describe('Ref of the source, such as refs/heads/main.'),
    trigger: exact.optional().describe('Event that began the run, such as push.'),
    runner_environment: z.enum(['github-hosted', 'self-hosted']).optional(),
  })
  .refine(
    one => one.subject !== undefined || (one.workflow !== undefined && one.repository_id !== undefined),
    {
      error: 'expected subject, or workflow together with repository_id',
    },
  )

/** The policy document `portcullis/v1`; `schemas/policy.schema.json` is generated from it. */
export const policySchema = z
  .strictObject({
    apiVersion: z.literal('portcullis/v1'),
    kind: z.literal('ImagePolicy'),
    profiles: z.array(z.enum(PROFILE_NAMES)).min(1).max(1).optional(),
    mode: z.enum(['enforce', 'audit']).optional().describe('audit: a fail is reported and does not block.'),
    bind: z
      .array(z.strictObject({ image: repositoryName }))
      .min(1)
      .max(100)
      .optional()
      .describe('The only names this repository may release.'),
    identities: z
      .array(identity)
      .min(1)
      .max(100)
      .optional()
      .describe('Who may sign without a key. Every field is compared exactly; one entry must be met whole.'),
    trust: z
      .strictObject({ isolation: z.enum(['required', 'none-accepted']).optional() })
      .optional()
      .describe('What this repository accepts about the machine that judges.'),
    vulnerabilities: z
      .strictObject({
        fail_on: z.enum(['critical', 'high', 'medium', 'low']).optional(),
        fixable_only: z.boolean().optional(),
        grace_days: z
          .strictObject({
            critical: days.optional(),
            high: days.optional(),
            medium: days.optional(),
            low: days.optional(),
            unknown: days.optional(),
          })
          .optional()
          .describe('Days after publication in which a finding does not count.'),
      })
      .optional(),
    database: z
      .strictObject({
        max_age_hours: z.int().min(1).max(8760).optional(),
        min_size_bytes: z
          .int()
          .min(0)
          .max(2 ** 40)
          .optional()
          .describe('A smaller vulnerability database is not believed.'),
      })
      .optional(),
    image: z.strictObject({ required_labels: z.array(labelName).max(50).optional() }).optional(),
    attestations: z
      .strictObject({
        require: z
          .array(z.enum(ATTESTATIONS))
          .min(1)
          .max(ATTESTATIONS.length)
          .optional()
          .describe('Statements that must be there: of index and images, or one for each image.'),
        max_age_days: days.min(1).optional().describe('Older scans and summaries do not count.'),
      })
      .optional()
      .describe('What portcullis verify asks of an image in a registry.'),
    inventory: z
      .strictObject({
        unexplained: z
          .strictObject({ max: z.int().min(0).max(100_000).optional() })
          .optional()
          .describe('Executables of one platform that may belong to no package; setuid ones never may.'),
      })
      .optional(),
    sbom: z
      .strictObject({ minimum: z.int().min(0).max(100).optional() })
      .optional()
      .describe('The share of the minimum elements (NTIA) that each SBOM must have, in percent.'),
    rules: z.partialRecord(z.enum(RULE_IDS), ruleSetting).optional(),
    exceptions: z.array(exception).max(2000).optional(),
  })
  .describe('Policy of Portcullis: what an image must meet before it is released.')

export type PolicyValues = z.infer<typeof policySchema>
export type PolicyException = Readonly<z.infer<typeof exception>>
export type PolicySigner = Readonly<z.infer<typeof identity>>

/** Keys that later versions will know, by the path of their parent. They are refused, never ignored. */
export const LATER_KEYS: Readonly<Record<string, readonly string[]>> = {
  '': [
    'extends',
    'metadata',
    'overridable',
    'contexts',
    'registries',
    'registry',
    'base',
    'dockerfile',
    'secrets',
    'licenses',
    'kubernetes',
    'workflow',
    'external',
    'recall',
    'vex',
    'custom',
    'tests',
  ],
  trust: ['branches', 'missing_evidence', 'baseline'],
  vulnerabilities: ['kev', 'epss', 'new_only'],
  image: ['platforms', 'files', 'setuid', 'healthcheck', 'labels'],
  'exceptions[]': ['until', 'ticket', 'layer', 'digest'],
  'bind[]': ['dockerfile', 'context', 'target', 'platforms'],
}

function isCalendarDate(text: string): boolean {
  const time = Date.parse(`${text}T00:00:00Z`)
  return !Number.isNaN(time) && new Date(time).toISOString().startsWith(text)
}
