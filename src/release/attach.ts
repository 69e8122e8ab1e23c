import type { Digest } from '../evidence/digest.js'
import type { ImageReference } from '../evidence/reference.js'
import { attachBundle } from '../registry/attach.js'
import type { Credentials } from '../registry/credentials.js'
import { STATEMENT_ANNOTATION, statementHash } from './resume.js'
import type { SignedStatement } from './sign.js'

/** One bundle on one digest. */
export interface Attached {
  readonly signed: SignedStatement
  readonly attachedTo: Digest
  readonly referrer: Digest
}

export interface AttachTarget {
  readonly image: ImageReference
  readonly credentials: Credentials | null
  /** RFC 3339, the same for all bundles of one release. */
  readonly created: string
  readonly rehearsal: boolean
  readonly signal: AbortSignal
  readonly requestMs?: number
}

/** Attaches every bundle to each of its subjects where it does not hang yet, one after another. */
export async function attachAll(
  target: AttachTarget,
  statements: readonly SignedStatement[],
): Promise<readonly Attached[]> {
  const attached: Attached[] = []
  for (const signed of statements) {
    for (const digest of signed.subjects) {
      const referrer = signed.attached.get(digest) ?? (await attachOne(target, signed, digest))
      attached.push({ signed, attachedTo: digest, referrer })
    }
  }
  return attached
}

async function attachOne(target: AttachTarget, signed: SignedStatement, digest: Digest): Promise<Digest> {
  return await attachBundle({
    ...target,
    digest,
    bundle: signed.bundle,
    predicateType: signed.predicateType,
    annotations: {
      [STATEMENT_ANNOTATION]: statementHash(signed),
      ...(target.rehearsal ? { 'portcullis.rehearsal': 'true' } : {}),
    },
  })
}
