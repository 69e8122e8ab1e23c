import type { Digest } from './digest.js'
import type { Package } from './scan.js'

export type SbomFormat = 'spdx-2.3' | 'cyclonedx-1.6' | 'syft'

/** One SBOM document on disk. `file` is its name in the report directory. */
export interface SbomDocument {
  readonly format: SbomFormat
  readonly file: string
  readonly sha256: string
  readonly size: number
  readonly packages: number
  /** Manifest digest the document itself names as its subject, when it names one. */
  readonly subject?: Digest
}

/** All SBOMs of one platform and the packages Syft found. */
export interface SbomSet {
  readonly documents: readonly SbomDocument[]
  readonly packages: readonly Package[]
}

/** How the two inventories compare: purls (without qualifiers) that only one tool lists. */
export interface InventoryComparison {
  readonly both: number
  readonly onlyTrivy: readonly string[]
  readonly onlySyft: readonly string[]
}
