import { z } from 'zod'
import type { Digest } from './digest.js'
import { isRehearsal, PREDICATE, type Statement, subjectDigests } from './statement.js'

/** Why an image does not verify: all words there are. */
export const VERIFY_REASONS = [
  'unsigned',
  'signature-missing',
  'wrong-signer',
  'other-subject',
  'bundle-malformed',
  'proof-missing',
  'verifiers-disagree',
  'attestation-missing',
  'attestation-malformed',
  'subjects-too-many',
  'attestation-expired',
  'verdict-failed',
  'rehearsal',
] as const
export type VerifyReason = (typeof VERIFY_REASONS)[number]

/** Kinds of statement that a release makes, as a policy names them. */
export type AttestationKind = keyof typeof PREDICATE

/** One bundle that refers to a digest, as it came out of both verifiers. */
export interface SeenBundle {
  readonly attachedTo: Digest
  readonly referrer: Digest
  /** As the bundle says it; '' when it cannot be read. */
  readonly predicateType: string
  /** The statement, only when the signer and the digest were proved. */
  readonly statement: Statement | null
  readonly refusal: { readonly reason: VerifyReason; readonly message: string } | null
}

/** What must be there. Times in milliseconds. */
export interface VerifyExpectation {
  readonly index: Digest
  readonly children: readonly { readonly digest: Digest; readonly platform: string }[]
  readonly require: readonly AttestationKind[]
  readonly maxAgeMs?: number
  readonly now: number
}

/** One thing that is not as it must be. */
export interface VerifyProblem {
  readonly reason: VerifyReason
  readonly digest: Digest
  readonly message: string
}

export interface VerifyAnswer {
  readonly problems: readonly VerifyProblem[]
  /** What was there, refused, and not needed: a good one hangs beside it. */
  readonly notes: readonly string[]
}

/** Statements about exactly one child; all others speak of index and children. */
const OF_ONE_CHILD: ReadonlySet<AttestationKind> = new Set(['spdx', 'cyclonedx', 'vulnerabilities'])

/** How far two clocks may differ. */
const CLOCK_TOLERANCE_MS = 5 * 60_000

const summary = z.object({
  verificationResult: z.enum(['PASSED', 'FAILED']),
  timeVerified: z.iso.datetime({ offset: true }),
})
const scan = z.object({ metadata: z.object({ scanFinishedOn: z.iso.datetime({ offset: true }) }) })

/**
 * Judges what refers to an image: every digest signed, every required statement there with its exact type and
 * subject, young enough, saying that the policy was met, none of it a rehearsal. One good bundle is enough; a bad one
 * beside it is noted.
 */
export function judgeVerification(bundles: readonly SeenBundle[], expected: VerifyExpectation): VerifyAnswer {
  const problems: VerifyProblem[] = []
  const children = expected.children.map(child => child.digest)
  const whole = [...new Set([expected.index, ...children])]
  const needed = expected.require.flatMap(kind =>
    (OF_ONE_CHILD.has(kind) ? children : whole).map(digest => ({ kind, digest })),
  )
  for (const { kind, digest } of needed) {
    const hanging = bundles.filter(one => one.attachedTo === digest)
    const problem = problemOf(kind, hanging, { digest, expected })
    if (problem !== undefined && !problems.some(one => same(one, problem))) problems.push(problem)
  }
  const answered = new Set(problems.map(one => one.message))
  const notes = bundles.flatMap(({ refusal, referrer }) =>
    refusal === null || answered.has(refusal.message)
      ? []
      : [`${referrer} is not believed: ${refusal.message}`],
  )
  return { problems, notes }
}

function same(one: VerifyProblem, other: VerifyProblem): boolean {
  return one.reason === other.reason && one.digest === other.digest && one.message === other.message
}

interface Place {
  readonly digest: Digest
  readonly expected: VerifyExpectation
}

function problemOf(
  kind: AttestationKind,
  hanging: readonly SeenBundle[],
  place: Place,
): VerifyProblem | undefined {
  const { digest } = place
  const type = PREDICATE[kind]
  if (hanging.length === 0)
    return { reason: 'unsigned', digest, message: `nothing at all is attached to ${digest}` }
  const good = hanging.filter(one => one.statement !== null && one.predicateType === type)
  if (kind === 'summary' && good.length > 0) return newestFault(good, place)
  const faults = good.map(one => faultOf(kind, one.statement, place))
  if (good.length > 0) return faults.includes(undefined) ? undefined : faults[0]
  // A bundle that cannot be read could have been the one that is looked for.
  const refused = hanging.find(
    one => one.refusal !== null && (one.predicateType === type || one.predicateType === ''),
  )
  if (refused?.refusal !== undefined && refused.refusal !== null) return { digest, ...refused.refusal }
  const other = hanging.find(one => one.statement === null && one.refusal !== null)
  if (
    kind === 'signature' &&
    other?.refusal !== undefined &&
    other.refusal !== null &&
    hanging.every(one => one.statement === null)
  )
    return { digest, ...other.refusal }
  return kind === 'signature'
    ? {
        reason: 'signature-missing',
        digest,
        message: `${digest} carries attestations and no signature (${type})`,
      }
    : { reason: 'attestation-missing', digest, message: `${digest} carries no ${kind} statement (${type})` }
}

/** Of summaries the newest counts: an older one that says PASSED does not outlive a later FAILED. */
function newestFault(good: readonly SeenBundle[], place: Place): VerifyProblem | undefined {
  const dated = good.map(one => ({
    fault: faultOf('summary', one.statement, place),
    at: Date.parse((one.statement && saidBy('summary', one.statement)?.at) ?? ''),
  }))
  const newest = Math.max(...dated.map(one => (Number.isNaN(one.at) ? 0 : one.at)))
  const faults = dated.filter(one => Number.isNaN(one.at) || one.at === newest).map(one => one.fault)
  return faults.find(fault => fault !== undefined)
}

/** What is wrong with a statement whose signer and digest were proved. */
function faultOf(
  kind: AttestationKind,
  statement: Statement | null,
  place: Place,
): VerifyProblem | undefined {
  const { digest, expected } = place
  if (statement === null) return undefined
  const problem = (reason: VerifyReason, message: string): VerifyProblem => ({ reason, digest, message })
  if (isRehearsal(statement))
    return problem('rehearsal', `the ${kind} statement on ${digest} is of a rehearsal`)
  const subjects = subjectDigests(statement)
  if (OF_ONE_CHILD.has(kind) && subjects.length !== 1) {
    return problem(
      'subjects-too-many',
      `the ${kind} statement on ${digest} speaks of ${subjects.length} subjects, not of this one`,
    )
  }
  const said = saidBy(kind, statement)
  if (said === null)
    return problem('attestation-malformed', `the ${kind} statement on ${digest} cannot be read`)
  if (said.failed === true)
    return problem('verdict-failed', `the verification summary on ${digest} says FAILED`)
  if (said.at === undefined) return undefined
  const age = expected.now - Date.parse(said.at)
  if (age < -CLOCK_TOLERANCE_MS)
    return problem('attestation-malformed', `the ${kind} statement on ${digest} is of ${said.at}, after now`)
  if (expected.maxAgeMs === undefined || age <= expected.maxAgeMs) return undefined
  return problem(
    'attestation-expired',
    `the ${kind} statement on ${digest} is of ${said.at}, older than the policy allows`,
  )
}

function saidBy(
  kind: AttestationKind,
  { predicate }: Statement,
): { readonly at?: string; readonly failed?: boolean } | null {
  if (kind === 'summary') {
    const read = summary.safeParse(predicate)
    if (!read.success) return null
    return { at: read.data.timeVerified, failed: read.data.verificationResult === 'FAILED' }
  }
  if (kind !== 'vulnerabilities') return {}
  const read = scan.safeParse(predicate)
  return read.success ? { at: read.data.metadata.scanFinishedOn } : null
}
