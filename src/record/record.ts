import type { ErrorCode } from '../errors.js'
import type { Digest } from '../evidence/digest.js'
import type { SignerIdentity } from '../evidence/identity.js'
import type { Stage } from '../evidence/known.js'
import type { MinimumElements } from '../evidence/minimum-elements.js'
import type { SbomFormat } from '../evidence/sbom.js'
import type { BuildParameters } from '../evidence/provenance.js'
import type { NotSearched, Severity } from '../evidence/scan.js'
import type { ImageSubject } from '../evidence/subject.js'
import type { DatabaseFacts, Isolation, ToolFacts } from '../evidence/tooling.js'
import type { Outcome, Verdict } from '../policy/verdict.js'

export const RECORD_SCHEMA = 'portcullis/record/v1'

/** Why a run ended as it did, when it was not the verdict that decided. */
export interface Problem {
  readonly stage: Stage
  readonly code: ErrorCode | 'defect' | 'cancelled'
  readonly reason: string
  readonly message: string
}

/** One stage as it went. Times RFC 3339, durations in milliseconds. */
export interface StageRecord {
  readonly stage: Stage
  readonly state: 'done' | 'failed' | 'skipped'
  readonly startedAt: string
  readonly milliseconds: number
  readonly detail: string
}

/** A file beside the record. `path` is relative to the report directory. */
export interface ReportFile {
  readonly path: string
  readonly kind: string
  readonly sha256: string
  readonly size: number
}

/** A bundle that was attached, read back and verified. */
export interface AttachedBundle {
  readonly predicateType: string
  /** Image manifest or index the referrer points at. */
  readonly attachedTo: Digest
  /** Digest of the referrer manifest. */
  readonly referrer: Digest
  readonly file: string
  readonly verified: readonly string[]
}

/** How far the release came. */
export interface ReleaseRecord {
  readonly state: 'not-wanted' | 'refused' | 'failed' | 'pushed' | 'released'
  readonly reference?: string
  readonly digest?: Digest
  /** Blobs and manifests that were fetched back and hashed: count and bytes. */
  readonly served?: { readonly objects: number; readonly bytes: number }
  readonly bundles: readonly AttachedBundle[]
  readonly tags: readonly { readonly tag: string; readonly state: 'created' | 'kept' | 'moved' }[]
  /** SHA-256 of the signer's public key in DER form, hex. */
  readonly signer?: string
  /** Who signed, as the certificate states it, when it was no key. */
  readonly identity?: SignerIdentity
  readonly verifyCommand?: string
}

/** How far one SBOM has the minimum elements. */
export interface SbomScore {
  readonly platform: string
  readonly format: SbomFormat
  readonly minimum: MinimumElements
}

/** What asked for the run. */
export interface Trigger {
  readonly kind: 'terminal' | 'event'
  readonly event?: string
  readonly ref?: string
  readonly commit?: string
  readonly repository?: string
  readonly runUrl?: string
  /** True when the context may publish. */
  readonly trusted: boolean
}

/** One image that the Dockerfile is built from: its digest as known before the build, or why it was not. */
export type BaseRecord =
  | { readonly reference: string; readonly state: 'pinned' | 'resolved'; readonly digest: Digest }
  | { readonly reference: string; readonly state: 'unresolved'; readonly why: string }

/** A build as it was asked for from outside, and when the run began. */
export interface BuildRecord {
  readonly parameters: BuildParameters
  readonly startedAt: string
}

/** How many files were searched for secrets, and how many were not, by reason; over all platforms. */
export interface SecretSearch {
  readonly searched: number
  readonly notSearched: readonly Omit<NotSearched, 'examples'>[]
}

/** The whole run as one document; every report is rendered from it. */
export interface RunRecord {
  readonly schema: typeof RECORD_SCHEMA
  readonly portcullis: { readonly version: string; readonly project: string }
  readonly command: string
  readonly startedAt: string
  readonly finishedAt: string
  readonly trigger: Trigger
  readonly request: {
    readonly image: string
    readonly subject: string
    readonly publish: 'auto' | 'never' | 'always'
    readonly sign: 'key' | 'keyless' | 'none' | 'unset'
    readonly tags: readonly string[]
  }
  readonly outcome: Outcome
  readonly exitCode: 0 | 1 | 2 | 3 | 130 | 143
  /** Stable word for the outcome: `clean`, a rule id, or the reason of the first problem. */
  readonly reason: string
  readonly problems: readonly Problem[]
  readonly stages: readonly StageRecord[]
  readonly subject: ImageSubject | null
  /** The engine that built the image and why it was the one; null for an image that was ready. */
  readonly engine: {
    readonly name: string
    readonly version: string
    readonly why?: string
    /** How an engine without a daemon kept the steps of the build apart from the job. */
    readonly isolation?: 'oci' | 'rootless' | 'chroot'
  } | null
  /** The images that the Dockerfile is built from; absent where nothing was built. */
  readonly bases?: readonly BaseRecord[]
  /** What the build was asked; absent where nothing was built. */
  readonly build?: BuildRecord
  readonly imageId: Digest | null
  readonly isolation: Isolation | null
  /** What was searched for secrets, over all platforms; absent where nothing was. */
  readonly secretSearch?: SecretSearch
  readonly tools: readonly ToolFacts[]
  readonly database: DatabaseFacts | null
  readonly packages: number
  /** Absent in records of versions that did not count it. */
  readonly sboms?: readonly SbomScore[]
  readonly counts: Readonly<Record<Severity, number>>
  readonly verdict: Verdict | null
  /** File and SHA-256 of the canonical evidence document, when there is evidence. */
  readonly evidence: { readonly path: string; readonly sha256: string } | null
  readonly release: ReleaseRecord
  readonly files: readonly ReportFile[]
  readonly warnings: readonly string[]
}
