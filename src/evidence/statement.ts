import { z } from 'zod'
import { GateError } from '../errors.js'
import { digestHex, isDigest, type Digest } from './digest.js'
import { PROJECT_URI } from './project.js'
import type { VulnerabilityScan } from './scan.js'
import type { ImageSubject } from './subject.js'

/** https://github.com/in-toto/attestation/blob/main/spec/v1/statement.md */
export const STATEMENT_TYPE = 'https://in-toto.io/Statement/v1'

/** Predicate type of the statement that is the signature; `cosign verify` prints it as `critical.type`. */
export const SIGNATURE_TYPE = 'https://sigstore.dev/cosign/sign/v1'

/** The kinds of statement that a release makes. */
export const PREDICATE = {
  signature: SIGNATURE_TYPE,
  spdx: 'https://spdx.dev/Document',
  cyclonedx: 'https://cyclonedx.org/bom',
  vulnerabilities: 'https://cosign.sigstore.dev/attestation/vuln/v1',
  provenance: 'https://slsa.dev/provenance/v1',
  summary: 'https://slsa.dev/verification_summary/v1',
} as const
export type PredicateType = (typeof PREDICATE)[keyof typeof PREDICATE]

/** The level of our own that a verification summary names when the policy was met; no SLSA level is claimed. */
export const POLICY_LEVEL = 'PORTCULLIS_POLICY_MET'

/** One artifact a statement speaks of. */
export interface StatementSubject {
  readonly name: string
  readonly digest: { readonly sha256: string }
  readonly annotations?: Readonly<Record<string, string>>
}

/** An in-toto Statement v1. */
export interface Statement {
  readonly _type: typeof STATEMENT_TYPE
  readonly subject: readonly StatementSubject[]
  readonly predicateType: string
  readonly predicate: Readonly<Record<string, unknown>>
}

/** One child image by name and manifest digest. */
export interface ChildSubject {
  readonly name: string
  readonly digest: Digest
}

/** The signature: predicate as `cosign verify` expects it, subjects are the index and every child. */
export function signatureStatement(image: ImageSubject, rehearsal: boolean): Statement {
  const subject = allSubjects(image).map(one =>
    rehearsal ? { ...one, annotations: { rehearsal: 'true' } } : one,
  )
  return { _type: STATEMENT_TYPE, subject, predicateType: PREDICATE.signature, predicate: {} }
}

/** States that `document` (SPDX JSON) is the inventory of exactly one child. */
export function spdxStatement(child: ChildSubject, document: unknown): Statement {
  return ofChild(child, PREDICATE.spdx, documentObject(document, 'spdxVersion', 'SPDX'))
}

/** States that `document` (CycloneDX JSON) is the inventory of exactly one child. */
export function cyclonedxStatement(child: ChildSubject, document: unknown): Statement {
  return ofChild(child, PREDICATE.cyclonedx, documentObject(document, 'bomFormat', 'CycloneDX'))
}

/** What a vulnerability statement is made of. Times RFC 3339. */
export interface VulnerabilityReport {
  readonly scan: VulnerabilityScan
  readonly scanner: { readonly name: string; readonly version: string }
  readonly database: { readonly sha256: string; readonly updatedAt: string; readonly origin: string }
  readonly scannedAt: string
}

/**
 * States what the scanner found in exactly one child
 * (https://github.com/sigstore/cosign/blob/main/specs/COSIGN_VULN_ATTESTATION_SPEC.md). Every finding is in it,
 * whatever the policy says of it.
 */
export function vulnerabilityStatement(child: ChildSubject, report: VulnerabilityReport): Statement {
  const { scan, scanner, database, scannedAt } = report
  return ofChild(child, PREDICATE.vulnerabilities, {
    invocation: { uri: PROJECT_URI, parameters: [], event_id: '', 'builder.id': '' },
    scanner: {
      uri: `pkg:github/aquasecurity/${scanner.name}@${scanner.version}`,
      version: scanner.version,
      db: { uri: database.origin, version: `sha256:${database.sha256}`, lastUpdate: database.updatedAt },
      result: { ...scan, packages: scan.packages.length },
    },
    metadata: { scanStartedOn: scannedAt, scanFinishedOn: scannedAt },
  })
}

/** What a verification summary is made of. Times RFC 3339. */
export interface SummaryFacts {
  readonly image: ImageSubject
  readonly version: string
  /** Name that the reader finds the image under: `host/path`. */
  readonly repository: string
  readonly policy: { readonly uri: string; readonly sha256: string }
  readonly inputs: readonly { readonly predicateType: string; readonly bundleSha256: string }[]
  readonly passed: boolean
  readonly timeVerified: string
  readonly rehearsal: boolean
}

/**
 * The verification summary (https://slsa.dev/spec/v1.2/verification_summary): which policy was applied to which
 * digests and with what result. It claims no SLSA level: `verifiedLevels` names our own level or FAILED.
 */
export function summaryStatement(facts: SummaryFacts): Statement {
  const predicate = {
    verifier: { id: PROJECT_URI, version: { portcullis: facts.version } },
    timeVerified: facts.timeVerified,
    resourceUri: ociPurl(facts.repository, digestHex(facts.image.digest)),
    policy: { uri: facts.policy.uri, digest: { sha256: facts.policy.sha256 } },
    inputAttestations: facts.inputs.map(input => ({
      uri: input.predicateType,
      digest: { sha256: input.bundleSha256 },
    })),
    verificationResult: facts.passed ? 'PASSED' : 'FAILED',
    verifiedLevels: [facts.passed ? POLICY_LEVEL : 'FAILED'],
    slsaVersion: '1.2',
    ...(facts.rehearsal ? { portcullis_rehearsal: true } : {}),
  }
  return {
    _type: STATEMENT_TYPE,
    subject: allSubjects(facts.image),
    predicateType: PREDICATE.summary,
    predicate,
  }
}

/** The bytes that are signed: JSON in UTF-8, keys in the order of the builders. */
export function encodeStatement(statement: Statement): string {
  return JSON.stringify(statement)
}

const sha256 = z.string().regex(/^[0-9a-f]{64}$/)
const statementSchema = z.object({
  _type: z.literal(STATEMENT_TYPE),
  subject: z
    .array(
      z.object({
        name: z.string().max(512).default(''),
        digest: z.object({ sha256 }),
        annotations: z.record(z.string(), z.string().max(4096)).optional(),
      }),
    )
    .min(1)
    .max(200),
  predicateType: z.string().min(1).max(512),
  predicate: z.record(z.string(), z.unknown()).default({}),
})

/** Reads a statement out of a payload that anyone may have written; GateError `integrity` when it is none. */
export function parseStatement(text: string): Statement {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    throw malformed('it is not JSON')
  }
  const parsed = statementSchema.safeParse(value)
  if (!parsed.success) {
    const issue = parsed.error.issues[0]
    throw malformed(issue === undefined ? 'unknown shape' : `${issue.path.join('.')}: ${issue.message}`)
  }
  const { subject, ...rest } = parsed.data
  return { ...rest, subject: subject.map(withoutUndefined) }
}

/** Digests of a statement's subjects. */
export function subjectDigests(statement: Statement): readonly Digest[] {
  return statement.subject.map(one => `sha256:${one.digest.sha256}` as const)
}

/** True when a statement says of itself that it was signed with a throwaway key. */
export function isRehearsal(statement: Statement): boolean {
  const marked = statement.subject.some(one => one.annotations?.['rehearsal'] === 'true')
  return marked || statement.predicate['portcullis_rehearsal'] === true
}

/** Index and children, each digest once. */
export function subjectDigestsOf(image: ImageSubject): readonly Digest[] {
  return [...new Set([image.digest, ...image.platforms.map(child => child.manifest.digest)])]
}

/** Index and children as subjects, each once. */
export function allSubjects(image: ImageSubject): readonly StatementSubject[] {
  return subjectDigestsOf(image).map(digest => toSubject({ name: image.name, digest }))
}

function ofChild(
  child: ChildSubject,
  predicateType: PredicateType,
  predicate: Record<string, unknown>,
): Statement {
  return { _type: STATEMENT_TYPE, subject: [toSubject(child)], predicateType, predicate }
}

function toSubject(child: ChildSubject): StatementSubject {
  if (!isDigest(child.digest)) throw malformed('a subject without SHA-256 digest')
  return { name: child.name, digest: { sha256: digestHex(child.digest) } }
}

function documentObject(document: unknown, marker: string, format: string): Record<string, unknown> {
  const parsed = z.record(z.string(), z.unknown()).safeParse(document)
  if (parsed.success && typeof parsed.data[marker] === 'string') return parsed.data
  const message = `the ${format} document lacks ${marker}: it cannot be attested; see the report of its tool`
  throw new GateError('evidence', { reason: 'sbom-malformed', message })
}

/** https://github.com/package-url/purl-spec/blob/main/types-doc/oci-definition.md */
function ociPurl(repository: string, hex: string): string {
  const name = repository.slice(repository.lastIndexOf('/') + 1)
  return `pkg:oci/${name}@sha256%3A${hex}?repository_url=${encodeURIComponent(repository).replaceAll('%2F', '/')}`
}

function withoutUndefined(one: {
  name: string
  digest: { sha256: string }
  annotations?: Record<string, string> | undefined
}): StatementSubject {
  const { annotations, ...rest } = one
  return annotations === undefined ? rest : { ...rest, annotations }
}

function malformed(why: string): GateError {
  const message = `an in-toto statement cannot be read: ${why}; nothing it says is believed`
  return new GateError('integrity', { reason: 'statement-malformed', message })
}
