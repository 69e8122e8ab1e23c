import { createHash } from 'node:crypto'
import { GateError } from '../errors.js'
import { BUNDLE_MEDIA_TYPE, parseBundle } from '../evidence/bundle.js'
import type { Digest } from '../evidence/digest.js'
import { fetchBundle } from '../registry/bundles.js'
import { listReferrers, type Referrer } from '../registry/referrers.js'
import type { Registry } from '../registry/registry.js'
import type { PlannedStatement } from './plan.js'
import type { Signatory } from './signatory.js'
import { verifyInProcess } from './trust.js'

/** Annotation of our referrers: SHA-256 (hex) of the statement. A hint for finding them, and no proof. */
export const STATEMENT_ANNOTATION = 'portcullis.statement'

/** A bundle of ours that an earlier run of this very release attached, and where it hangs already. */
export interface KeptBundle {
  readonly bundle: Buffer
  readonly attached: ReadonlyMap<Digest, Digest>
}

/** What an earlier run of this very release left at the registry. */
export interface Earlier {
  /** The bundle that carries exactly this statement, verified; undefined when there is none. */
  readonly find: (planned: PlannedStatement) => Promise<KeptBundle | undefined>
}

/** A release that was never begun. */
export const NOTHING_EARLIER: Earlier = { find: () => Promise.resolve(undefined) }

/** SHA-256 of a statement, hex. */
export function statementHash(planned: Pick<PlannedStatement, 'payload'>): string {
  return createHash('sha256').update(planned.payload).digest('hex')
}

/**
 * Reads what refers to these digests now. A statement that hangs there already, byte for byte, in a bundle of the same
 * signatory that verifies, is taken over instead of being signed and attached a second time. Anything else that
 * claims to be one is left where it is: whoever may push can put garbage there.
 */
export async function readEarlier(
  registry: Registry,
  signatory: Pick<Signatory, 'trust'>,
  digests: readonly Digest[],
): Promise<Earlier> {
  const listed = new Map<Digest, readonly Referrer[]>()
  for (const digest of digests) {
    const referrers = await listReferrers(registry, digest)
    listed.set(
      digest,
      referrers.filter(one => one.artifactType === BUNDLE_MEDIA_TYPE),
    )
  }
  return { find: planned => find({ registry, signatory, listed }, planned) }
}

interface Search {
  readonly registry: Registry
  readonly signatory: Pick<Signatory, 'trust'>
  readonly listed: ReadonlyMap<Digest, readonly Referrer[]>
}

async function find(search: Search, planned: PlannedStatement): Promise<KeptBundle | undefined> {
  const wanted = statementHash(planned)
  let kept: Buffer | undefined
  const attached = new Map<Digest, Digest>()
  for (const subject of planned.subjects) {
    for (const referrer of search.listed.get(subject) ?? []) {
      if (referrer.annotations[STATEMENT_ANNOTATION] !== wanted || attached.has(subject)) continue
      const bundle = await verified(search, { planned, subject, referrer: referrer.digest })
      if (bundle === undefined || (kept !== undefined && !kept.equals(bundle))) continue
      kept = bundle
      attached.set(subject, referrer.digest)
    }
  }
  return kept === undefined ? undefined : { bundle: kept, attached }
}

async function verified(
  { registry, signatory }: Search,
  one: { readonly planned: PlannedStatement; readonly subject: Digest; readonly referrer: Digest },
): Promise<Buffer | undefined> {
  const { planned, subject, referrer } = one
  try {
    const bundle = await fetchBundle(registry, subject, referrer)
    const text = bundle.toString('utf8')
    if (parseBundle(text).payload !== planned.payload) return undefined
    const { predicateType } = planned
    await verifyInProcess(text, { trust: signatory.trust, digest: subject, predicateType })
    return bundle
  } catch (thrown) {
    if (thrown instanceof GateError && thrown.code === 'integrity') return undefined
    throw thrown
  }
}
