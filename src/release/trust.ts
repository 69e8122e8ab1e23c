import { createPublicKey } from 'node:crypto'
import type { SignedEntity } from '@sigstore/verify'
import { GateError } from '../errors.js'
import { IN_TOTO_PAYLOAD_TYPE, parseBundle } from '../evidence/bundle.js'
import { isDigest, type Digest } from '../evidence/digest.js'
import {
  admissionProblem,
  identityProblem,
  readIdentity,
  type AllowedIdentity,
  type SignerIdentity,
} from '../evidence/identity.js'
import { parseStatement, subjectDigests, type Statement } from '../evidence/statement.js'
import { NO_ROOTS } from '../tools/cosign.js'
import type { TrustedProofs } from '../tools/cosign-verify.js'

/** Whom this process believes. */
export type Trust =
  | { readonly kind: 'key'; readonly publicKey: string }
  | {
      readonly kind: 'identity'
      /** JSON text of the trusted root. */
      readonly trustedRoot: string
      /** What each bundle must carry, decided by what the trusted root knows. */
      readonly proofs: TrustedProofs
      /** Exactly who must have signed; null: anybody whom `allowed` lets in. */
      readonly expected: SignerIdentity | null
      readonly allowed: readonly AllowedIdentity[]
    }

/** What a bundle must be. */
export interface BundleExpectation {
  readonly trust: Trust
  readonly digest: Digest
  readonly predicateType: string
}

/** A statement and who signed it; `identity` is null for a key. */
export interface VerifiedBundle {
  readonly statement: Statement
  readonly identity: SignerIdentity | null
}

/**
 * Verifies one bundle in this process, apart from Cosign: a signature by this signer over exactly one in-toto
 * statement, of this type, with this digest among its subjects. Of an identity: the chain of its certificate to the
 * trusted root, timestamps and log entries as the root knows them, then the identity by our own comparison of the
 * certificate's extensions. Everything else, malformed bundles included, is GateError `integrity` (`verify-failed`,
 * `bundle-malformed`, `statement-malformed`; of an identity also `identity-mismatch`, `identity-unreadable`,
 * `timestamp-missing`, `log-entry-missing`, `certificate-untrusted`).
 */
export async function verifyInProcess(bundle: string, expected: BundleExpectation): Promise<VerifiedBundle> {
  const content = parseBundle(bundle)
  const identity = await verifySigner(bundle, expected)
  if (content.payloadType !== IN_TOTO_PAYLOAD_TYPE)
    throw failed(expected, 'its payload is no in-toto statement')
  const statement = parseStatement(content.payload)
  if (statement.predicateType !== expected.predicateType) {
    throw failed(expected, `its predicate type is ${JSON.stringify(statement.predicateType.slice(0, 200))}`)
  }
  if (!isDigest(expected.digest) || !subjectDigests(statement).includes(expected.digest)) {
    throw failed(expected, 'it speaks of other digests')
  }
  return { statement, identity }
}

async function verifySigner(bundle: string, expected: BundleExpectation): Promise<SignerIdentity | null> {
  const { trust } = expected
  if (trust.kind === 'key') {
    await verifyKey(bundle, expected, trust.publicKey)
    return null
  }
  const found = await verifyCertificate(bundle, expected, trust)
  const problem = signerProblem(found, trust)
  if (problem === undefined) return found
  throw failed(expected, `its signer is another: ${problem}`, { reason: 'identity-mismatch' })
}

/** Nobody is let in by an expectation that names nobody. */
function signerProblem(found: SignerIdentity, trust: IdentityTrust): string | undefined {
  const { expected, allowed } = trust
  if (expected === null) {
    return allowed.length === 0 ? 'no identity is trusted' : admissionProblem(found, allowed)
  }
  return identityProblem(found, expected) ?? admissionProblem(found, allowed)
}

async function verifyKey(bundle: string, expected: BundleExpectation, pem: string): Promise<void> {
  const { TrustedRoot } = await import('@sigstore/protobuf-specs')
  const { toTrustMaterial, Verifier } = await import('@sigstore/verify')
  try {
    const publicKey = createPublicKey(pem)
    const trust = toTrustMaterial(TrustedRoot.fromJSON(JSON.parse(NO_ROOTS)), () => ({
      publicKey,
      validFor: () => true,
    }))
    const verifier = new Verifier(trust, { ctlogThreshold: 0, tlogThreshold: 0, timestampThreshold: 0 })
    verifier.verify(await readEntity(bundle))
  } catch (thrown) {
    // The libraries throw whatever a malformed bundle provokes: none of it is a pass.
    throw failed(expected, 'the signature does not fit', { cause: thrown })
  }
}

async function verifyCertificate(
  bundle: string,
  expected: BundleExpectation,
  trust: IdentityTrust,
): Promise<SignerIdentity> {
  const { TrustedRoot } = await import('@sigstore/protobuf-specs')
  const { toTrustMaterial, Verifier } = await import('@sigstore/verify')
  const { log, certificateLog } = trust.proofs
  try {
    const material = toTrustMaterial(TrustedRoot.fromJSON(JSON.parse(trust.trustedRoot)))
    const verifier = new Verifier(material, {
      ctlogThreshold: certificateLog ? 1 : 0,
      tlogThreshold: log ? 1 : 0,
      timestampThreshold: 1,
    })
    const { identity } = verifier.verify(await readEntity(bundle))
    const extensions = (identity?.oids ?? []).map(one => ({
      oid: one.oid?.id.join('.') ?? '',
      value: one.value,
    }))
    return readIdentity(identity?.subjectAlternativeName, extensions)
  } catch (thrown) {
    if (thrown instanceof GateError) throw thrown
    const [reason, why] = REASONS[libraryCode(thrown)] ?? ['verify-failed', 'the signature does not fit']
    throw failed(expected, why, { reason, cause: thrown })
  }
}

async function readEntity(bundle: string): Promise<SignedEntity> {
  const { bundleFromJSON } = await import('@sigstore/bundle')
  const { toSignedEntity } = await import('@sigstore/verify')
  return toSignedEntity(bundleFromJSON(JSON.parse(bundle)))
}

type IdentityTrust = Extract<Trust, { readonly kind: 'identity' }>

/** By the codes of the library: what is wrong with a bundle of an identity. */
const REASONS: Readonly<Record<string, readonly [reason: string, why: string]>> = {
  TIMESTAMP_ERROR: ['timestamp-missing', 'no signed timestamp of a trusted authority fits'],
  TLOG_ERROR: ['log-entry-missing', 'no entry of a trusted log fits'],
  TLOG_MISSING_INCLUSION_ERROR: ['log-entry-missing', 'its log entry proves no inclusion'],
  CERTIFICATE_ERROR: ['certificate-untrusted', 'no trusted authority vouches for its certificate'],
}

function libraryCode(thrown: unknown): string {
  if (typeof thrown !== 'object' || thrown === null || !('code' in thrown)) return ''
  return typeof thrown.code === 'string' ? thrown.code : ''
}

function failed(
  expected: BundleExpectation,
  why: string,
  more: { readonly reason?: string; readonly cause?: unknown } = {},
): GateError {
  const message = `${expected.predicateType} on ${expected.digest} does not verify: ${why}; nothing is tagged`
  return new GateError('integrity', {
    reason: more.reason ?? 'verify-failed',
    message,
    ...(more.cause === undefined ? {} : { cause: more.cause }),
  })
}
