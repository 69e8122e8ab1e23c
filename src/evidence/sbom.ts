import type { Digest } from './digest.js'
import type { MinimumElements } from './minimum-elements.js'
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
  /** How far it has the minimum elements; not counted of Syft's own format. */
  readonly minimum?: MinimumElements
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
  /** Purls of `onlySyft` that were matched with advisories too. Absent in records of earlier versions. */
  readonly matched?: readonly string[]
  /** What could not be matched. Absent in records of earlier versions. */
  readonly notMatched?: readonly NotMatched[]
  /** Language packages that are matched as part of an operating system package. Absent in earlier records. */
  readonly leftToSystem?: readonly LeftToSystem[]
}

/** A package that only Syft lists and that nothing was matched with. */
export interface NotMatched {
  readonly purl: string
  readonly path?: string
  /** no-advisories: the scanner has no source of advisories for this kind; no-version: nobody knows its version. */
  readonly why: 'no-advisories' | 'no-version'
}

/** A language package whose files an operating system package brought, in the layer that first records it. */
export interface LeftToSystem {
  readonly purl: string
  readonly path?: string
  readonly owner: string
}
