import type { Digest } from './digest.js'

export type ToolName = 'trivy' | 'syft' | 'cosign' | 'crane'
export type ToolSource = 'release' | 'mirror' | 'dir' | 'path' | 'source'

/** One program that this run used, as it was proved before its start. */
export interface ToolFacts {
  readonly name: ToolName
  readonly version: string
  readonly source: ToolSource
  /** SHA-256 of the program, hex. */
  readonly sha256: string
  /** True when that hash is pinned in our catalog (release) or in toolchain/hashes.json (source). */
  readonly verified: boolean
}

/** Which rung of the confinement ladder held for the scanners. */
export type Isolation = 'other-user' | 'user-namespace' | 'bubblewrap' | 'none'

/** The Java database, which names Java archives by their hash; only there where an image has some. */
export interface JavaDatabaseFacts {
  /** SHA-256 of trivy-java.db, hex. */
  readonly sha256: string
  readonly size: number
  readonly updatedAt: string
  readonly nextUpdate?: string
  readonly origin: string
  readonly manifest?: Digest
}

/** The vulnerability database that was used. Times are RFC 3339, size in bytes. */
export interface DatabaseFacts {
  /** SHA-256 of trivy.db, hex. */
  readonly sha256: string
  readonly size: number
  readonly updatedAt: string
  readonly nextUpdate?: string
  /** Where it came from: `folder`, or the OCI reference with digest. Never a path of the machine. */
  readonly origin: string
  readonly manifest?: Digest
  /** Size of the database that the same place gave the last time, where this machine remembers. Bytes. */
  readonly lastSize?: number
  readonly java?: JavaDatabaseFacts
}

/** One known-vulnerable package that was laid on top of an image and had to come back out of its scan. */
export interface InBandSighting {
  readonly platform: string
  readonly ecosystem: string
  /** The advisory that was lost, else the most severe one that came back. */
  readonly id: string
  readonly purl: string
  readonly severity: string
  readonly found: boolean
}

/** Outcome of the canary: known-vulnerable packages that the scanner must find in this very run. */
export interface CanaryFacts {
  /** Those that the scanner found on the road of the image itself; absent in evidence of older versions. */
  readonly inBand?: readonly InBandSighting[]
  /** What that road could not prove: platform, kind of packages and reason. */
  readonly notCovered?: readonly string[]
  /** Each expected advisory and whether it was found with the expected severity. */
  readonly expected: readonly {
    readonly id: string
    readonly purl: string
    readonly severity: string
    readonly found: boolean
  }[]
}

/** Known exploited vulnerabilities: a dated snapshot. `entries`: CVE id -> date added (YYYY-MM-DD). */
export interface KevFeed {
  readonly version: string
  readonly date: string
  readonly entries: Readonly<Record<string, string>>
}
