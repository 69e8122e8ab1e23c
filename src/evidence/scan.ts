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
  /** Listed by Syft alone, and matched by the scanner when it was asked to. */
  readonly via?: 'union'
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
  /** As for packages. */
  readonly via?: 'union'
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
  /** The package whose file this is, unless the file is known to be another one than the package's. */
  readonly owner?: string
}

/** Why files were left out of the search for secrets. */
export const NOT_SEARCHED = ['package-unchanged', 'package-compiled', 'compressed', 'too-large'] as const

/** Files that were not searched for secrets, for one reason; `examples` are at most 20 paths. */
export interface NotSearched {
  readonly reason: (typeof NOT_SEARCHED)[number]
  readonly files: number
  readonly examples: readonly string[]
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
  /** Files whose content was searched, over all layers; absent in records of releases that did not count them. */
  readonly searched?: number
  readonly notSearched?: readonly NotSearched[]
}
