import { GateError, describeError } from '../errors.js'
import type { Digest } from '../evidence/digest.js'
import type { SignerIdentity } from '../evidence/identity.js'
import { pinnedReference, type ImageReference } from '../evidence/reference.js'
import type { RuleResult } from '../policy/verdict.js'
import type { AttachedBundle, Problem, ReleaseRecord, ReportFile } from '../record/record.js'
import type { ReleaseOutcome } from './request.js'

/** What is known of a release while it goes on: whatever fails later, this is kept and reported. */
export interface Ledger {
  readonly image: ImageReference
  readonly digest: Digest
  state: ReleaseRecord['state']
  served: { readonly objects: number; readonly bytes: number } | null
  bundles: readonly AttachedBundle[]
  readonly tags: { readonly tag: string; readonly state: 'created' | 'kept' | 'moved' }[]
  signer: string | null
  identity: SignerIdentity | null
  verifyCommand: string | null
  results: readonly RuleResult[]
  readonly problems: Problem[]
  readonly files: ReportFile[]
}

/** A release of which nothing has happened yet. */
export function startLedger(image: ImageReference, digest: Digest): Ledger {
  return {
    image,
    digest,
    state: 'refused',
    served: null,
    bundles: [],
    tags: [],
    signer: null,
    identity: null,
    verifyCommand: null,
    results: [],
    problems: [],
    files: [],
  }
}

/** Notes a failure; what was reached before it stays. A release that was refused before it began stays refused. */
export function noteFailure(ledger: Ledger, thrown: unknown): void {
  if (ledger.state !== 'refused') ledger.state = 'failed'
  ledger.problems.push(toProblem(thrown))
}

/** The ledger as the rest of the run sees it. */
export function closeLedger(ledger: Ledger): ReleaseOutcome {
  const record: ReleaseRecord = {
    state: ledger.state,
    reference: pinnedReference(ledger.image, ledger.digest),
    digest: ledger.digest,
    bundles: ledger.bundles,
    tags: ledger.tags,
    ...(ledger.served === null ? {} : { served: ledger.served }),
    ...(ledger.signer === null ? {} : { signer: ledger.signer }),
    ...(ledger.identity === null ? {} : { identity: ledger.identity }),
    ...(ledger.verifyCommand === null ? {} : { verifyCommand: ledger.verifyCommand }),
  }
  return { record, results: ledger.results, problems: ledger.problems, files: ledger.files }
}

function toProblem(thrown: unknown): Problem {
  const message = describeError(thrown)
  if (!(thrown instanceof GateError)) return { stage: 'release', code: 'defect', reason: 'defect', message }
  const code = thrown.reason === 'cancelled' ? 'cancelled' : thrown.code
  return { stage: 'release', code, reason: thrown.reason, message }
}
