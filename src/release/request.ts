import type { Evidence } from '../evidence/evidence.js'
import type { BuildFacts } from '../evidence/provenance.js'
import type { ImageReference } from '../evidence/reference.js'
import type { OpenLayout } from '../oci/reader.js'
import type { ResolvedPolicy } from '../policy/resolve.js'
import type { RuleResult, Verdict } from '../policy/verdict.js'
import type { Problem, ReleaseRecord, ReportFile } from '../record/record.js'
import type { RegistryLimits } from '../registry/registry.js'
import type { Commands, Program } from '../tools/command.js'
import type { SigstoreFiles } from '../tools/cosign-keyless.js'
import type { SigningLimits } from './patience.js'
import type { TokenSource } from './token.js'

/** What a release is done with. */
export interface ReleaseServices {
  readonly commands: Commands
  readonly crane: Program
  readonly cosign: Program
  readonly signal: AbortSignal
  readonly now: () => Date
  /** Read for `env://NAME` keys alone. */
  readonly environment: Readonly<Record<string, string | undefined>>
  /** A line for people; never a secret. */
  readonly note?: (text: string) => void
}

/** How the release is signed. `rehearsal`: for a registry on loopback only; the statements say so. */
export type Signing =
  | { readonly kind: 'none' }
  | {
      readonly kind: 'key'
      /** Path of an encrypted Cosign private key, or `env://NAME` of a variable that holds its PEM text. */
      readonly key: string
      readonly password: string
      readonly rehearsal: boolean
    }
  | {
      readonly kind: 'keyless'
      /** Where the identity tokens of this job come from. Asked only here, when every scanner is gone. */
      readonly tokens: Pick<TokenSource, 'request' | 'server'>
      /** Files of an own Sigstore; the public one when absent. */
      readonly sigstore?: SigstoreFiles
      readonly limits?: Partial<SigningLimits>
      readonly rehearsal: boolean
    }

/** What the history says of a commit: it is behind ours, it is not, or nobody here can tell. */
export type Descent = 'ancestor' | 'not-ancestor' | 'unknown'

export interface ReleaseRequest {
  readonly layout: OpenLayout
  readonly image: ImageReference
  readonly tags: readonly string[]
  /** Those of the tags that may be moved, forward in the history of the sources alone. */
  readonly movable?: readonly string[]
  /** Whether the commit that is released descends from another one, or is it. */
  readonly descends?: (revision: string) => Promise<Descent>
  readonly signing: Signing
  readonly policy: ResolvedPolicy
  readonly evidence: Evidence
  readonly verdict: Verdict
  /** How the image was built; absent for one that was ready. */
  readonly provenance?: Omit<BuildFacts, 'image' | 'rehearsal'>
  /** Our own version, for the verification summary. */
  readonly version: string
  /** Where the SBOM documents of the evidence lie and where bundles and public key are written. Absolute. */
  readonly reportDir: string
  /** Private folder of this run. Absolute. */
  readonly workDir: string
  /** How the reader starts Cosign, for the verify command; default `cosign`. */
  readonly cosignCommand?: string
  readonly limits?: Partial<RegistryLimits>
}

export interface ReleaseOutcome {
  readonly record: ReleaseRecord
  /** Rules of phase `released`; empty when the release did not come that far. */
  readonly results: readonly RuleResult[]
  readonly problems: readonly Problem[]
  readonly files: readonly ReportFile[]
}
