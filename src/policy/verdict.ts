import type { SourceLocation } from '../evidence/image.js'
import type { Severity } from '../evidence/scan.js'

export type Phase = 'source' | 'image' | 'released'
export type Outcome = 'pass' | 'fail' | 'incomplete'
export type RuleMode = 'enforce' | 'warn' | 'off'
export type RuleOutcome = 'pass' | 'fail' | 'unknown' | 'not-applicable' | 'off'

/** A rule not met by one thing. */
export interface Violation {
  readonly rule: string
  /** What does not meet the rule, in the field's words: `requests 2.19.0 (CVE-2018-18074)`. */
  readonly thing: string
  readonly platforms: readonly string[]
  readonly severity: Severity
  readonly message: string
  /** The change that would mend it. */
  readonly fix?: string
  /** A place in the repository. */
  readonly location?: SourceLocation
  /** A place in the image, without leading slash. */
  readonly imagePath?: string
  readonly origin: 'base' | 'own' | 'unknown'
  readonly fingerprint: string
  /** Present on findings of the vulnerability rules. */
  readonly advisory?: string
  readonly aliases?: readonly string[]
  readonly purl?: string
}

/** A violation that a policy exception permits; it stays in every report. */
export interface Suppressed {
  readonly violation: Violation
  readonly exception: {
    readonly id: string
    readonly owner: string
    readonly reason: string
    readonly expires: string
  }
}

/** Something a rule saw and did not count, and why: no fix yet, within grace, below the threshold, of a package. */
export interface Tolerated {
  readonly thing: string
  readonly why:
    | ('unfixable' | 'grace' | 'below-threshold' | 'package-owned')
    | ('no-advisories' | 'system-package' | 'within-budget')
  readonly severity: Severity
  /** For grace: the last day, YYYY-MM-DD. */
  readonly until?: string
}

export interface RuleResult {
  readonly rule: string
  readonly title: string
  readonly phase: Phase
  readonly mode: RuleMode
  readonly severity: Severity
  readonly outcome: RuleOutcome
  readonly checked: number
  readonly violations: readonly Violation[]
  readonly suppressed: readonly Suppressed[]
  readonly tolerated: readonly Tolerated[]
  /** Why the outcome is unknown. */
  readonly unknown: readonly string[]
  /** Why the rule does not apply. */
  readonly notApplicable?: string
  readonly controls: readonly string[]
}

/** What became of one exception of the policy. */
export interface ExceptionUse {
  readonly id: string
  readonly state: 'used' | 'unused' | 'expired' | 'expiring'
  readonly owner: string
  readonly expires: string
  readonly detail: string
}

/** Where the policy came from; `digest` is the SHA-256 of its canonical resolved form. */
export interface PolicyIdentity {
  readonly digest: string
  readonly origin: string
  readonly profiles: readonly string[]
}

/** The outcome of all rules, bound to subject and policy. */
export interface Verdict {
  readonly outcome: Outcome
  readonly mode: 'enforce' | 'audit'
  /** True when this verdict stops the job and the release. */
  readonly blocks: boolean
  readonly results: readonly RuleResult[]
  readonly exceptions: readonly ExceptionUse[]
  readonly warnings: readonly string[]
  readonly subject: { readonly name: string; readonly digest: string } | null
  readonly policy: PolicyIdentity
  /** RFC 3339: the clock the judge was given. */
  readonly decidedAt: string
}
