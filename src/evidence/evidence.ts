import type { Digest } from './digest.js'
import type { ImageContents, SourceLocation } from './image.js'
import type { Known } from './known.js'
import type { InventoryComparison, SbomSet } from './sbom.js'
import type { SecretScan, VulnerabilityScan } from './scan.js'
import type { ImageSubject } from './subject.js'
import type { CanaryFacts, DatabaseFacts, Isolation, KevFeed, ToolFacts } from './tooling.js'

/** One FROM of the Dockerfile that names an image (not a stage, not scratch). */
export interface BaseReference {
  readonly reference: string
  readonly pinned: boolean
  /** What its registry said before the build, for one that is not pinned; absent when that was not asked or not known. */
  readonly digest?: Digest
  readonly stage?: string
  readonly location: SourceLocation
}

/** Facts read from the repository's Dockerfile. */
export interface DockerfileFacts {
  readonly file: string
  readonly bases: readonly BaseReference[]
  /** The last USER of the final stage, when there is one. */
  readonly user?: { readonly value: string; readonly location: SourceLocation }
  /** The last FROM: where to point when something is absent. */
  readonly finalStage: SourceLocation
  /** The FROM that names the image which the final image stands on; absent on scratch. */
  readonly base?: SourceLocation
  /** Stages whose instructions end up in the final image, in the order they run; counted from 0. */
  readonly chain?: readonly number[]
  readonly instructions: readonly DockerfileInstruction[]
}

export interface DockerfileInstruction {
  readonly keyword: string
  readonly arguments: string
  readonly stage: number
  readonly location: SourceLocation
}

/** Everything known about one child image. */
export interface PlatformEvidence {
  readonly platform: string
  readonly contents: Known<ImageContents>
  readonly vulnerabilities: Known<VulnerabilityScan>
  readonly secrets: Known<SecretScan>
  readonly sboms: Known<SbomSet>
  readonly inventory: Known<InventoryComparison>
}

/** One statement that was read back from the registry and verified (stage release, command verify). */
export interface VerifiedStatement {
  readonly predicateType: string
  readonly subjects: readonly string[]
  readonly signer: string
}

/** What the registry serves after signing: the input of the rules of phase `released`. */
export interface ReleasedFacts {
  readonly digest: string
  readonly statements: readonly VerifiedStatement[]
}

/** All typed facts of a run: the only input of the judge beside the policy and the clock. */
export interface Evidence {
  readonly subject: Known<ImageSubject>
  readonly platforms: readonly PlatformEvidence[]
  readonly dockerfile: Known<DockerfileFacts>
  readonly tools: Known<readonly ToolFacts[]>
  readonly isolation: Known<Isolation>
  readonly database: Known<DatabaseFacts>
  readonly canary: Known<CanaryFacts>
  readonly kev: Known<KevFeed>
  readonly released: Known<ReleasedFacts>
}
