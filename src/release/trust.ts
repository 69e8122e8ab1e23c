import { createPublicKey } from 'node:crypto'
import { GateError } from '../errors.js'
import { IN_TOTO_PAYLOAD_TYPE, parseBundle } from '../evidence/bundle.js'
import { isDigest, type Digest } from '../evidence/digest.js'
import { parseStatement, subjectDigests, type Statement } from '../evidence/statement.js'
import { NO_ROOTS } from '../tools/cosign.js'

/** What a bundle must be. */
export interface BundleExpectation {
  readonly publicKey: string
  readonly digest: Digest
  readonly predicateType: string
}

/**
 * Verifies one bundle in this process, apart from Cosign: the signature by this key over exactly one in-toto
 * statement, of this type, with this digest among its subjects. Everything else, malformed bundles included, is
 * GateError `integrity` (`verify-failed`, `bundle-malformed`, `statement-malformed`).
 */
export async function verifyInProcess(bundle: string, expected: BundleExpectation): Promise<Statement> {
  const content = parseBundle(bundle)
  await verifySignature(bundle, expected)
  if (content.payloadType !== IN_TOTO_PAYLOAD_TYPE)
    throw failed(expected, 'its payload is no in-toto statement')
  const statement = parseStatement(content.payload)
  if (statement.predicateType !== expected.predicateType) {
    throw failed(expected, `its predicate type is ${JSON.stringify(statement.predicateType.slice(0, 200))}`)
  }
  if (!isDigest(expected.digest) || !subjectDigests(statement).includes(expected.digest)) {
    throw failed(expected, 'it speaks of other digests')
  }
  return statement
}

async function verifySignature(bundle: string, expected: BundleExpectation): Promise<void> {
  const { bundleFromJSON } = await import('@sigstore/bundle')
  const { TrustedRoot } = await import('@sigstore/protobuf-specs')
  const { toSignedEntity, toTrustMaterial, Verifier } = await import('@sigstore/verify')
  try {
    const publicKey = createPublicKey(expected.publicKey)
    const trust = toTrustMaterial(TrustedRoot.fromJSON(JSON.parse(NO_ROOTS)), () => ({
      publicKey,
      validFor: () => true,
    }))
    const verifier = new Verifier(trust, { ctlogThreshold: 0, tlogThreshold: 0, timestampThreshold: 0 })
    verifier.verify(toSignedEntity(bundleFromJSON(JSON.parse(bundle))))
  } catch (thrown) {
    // The libraries throw whatever a malformed bundle provokes: none of it is a pass.
    throw failed(expected, 'the signature does not fit', thrown)
  }
}

function failed(expected: BundleExpectation, why: string, cause?: unknown): GateError {
  const message = `${expected.predicateType} on ${expected.digest} does not verify: ${why}; nothing is tagged`
  return new GateError('integrity', {
    reason: 'verify-failed',
    message,
    ...(cause === undefined ? {} : { cause }),
  })
}
