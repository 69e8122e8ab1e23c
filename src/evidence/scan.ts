import type { DiffId, Digest } from './digest.js'

/** Worst first. `unknown` is a severity nobody assigned: it is never harmless. */
export const SEVERITIES = ['critical', 'high', 'medium', 'low', 'unknown'] as const
export type Severity = (typeof SEVERITIES)[number]

/** One package that a tool found. `path` is the file it was read from, without leading slash. */
export interface Package {
  readonly purl: string
  readonly name: string
  readonly version: string
  readonly type: string
  readonly path?: string
  readonly layer?: DiffId
  readonly sourceName?: string
  readonly sourceVersion?: string
}

/** One advisory that applies to one package of one platform, as the scanner reported it. */
export interface Finding {
  readonly id: string
  readonly aliases: readonly string[]
  readonly purl: string
  readonly package: string
  readonly version: string
  readonly sourcePackage?: string
  readonly path?: string
  readonly layer?: DiffId
  readonly platform: string
  readonly severity: Severity
  readonly severitySource?: string
  /** Trivy's status: fixed, affected, will_not_fix, fix_deferred, end_of_life, under_investigation, not_affected, unknown. */
  readonly status: string
  readonly fixedIn: readonly string[]
  /** RFC 3339; absent when the advisory does not say. */
  readonly published?: string
  readonly title?: string
}

/** One secret that the scanner recognised. The value itself is never kept. */
export interface SecretFinding {
  readonly rule: string
  readonly category: string
  readonly title: string
  readonly severity: Severity
  readonly path: string
  readonly line?: number
  readonly layer?: DiffId
  readonly platform: string
}

/** Result of the package scan of one platform, bound to the image by `imageId` (config digest). */
export interface VulnerabilityScan {
  readonly imageId: Digest
  readonly os?: { readonly family: string; readonly name: string; readonly endOfLife: boolean }
  readonly packages: readonly Package[]
  readonly findings: readonly Finding[]
}

/** Result of the secret scan of one platform. */
export interface SecretScan {
  readonly imageId: Digest
  readonly findings: readonly SecretFinding[]
}
