import { createHash } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import pLimit from 'p-limit'
import { GateError } from '../errors.js'
import { BUNDLE_MEDIA_TYPE, parseBundle } from '../evidence/bundle.js'
import { digestHex, type Digest } from '../evidence/digest.js'
import type { VerifiedStatement } from '../evidence/evidence.js'
import { pinnedReference, type ImageReference } from '../evidence/reference.js'
import { PREDICATE } from '../evidence/statement.js'
import type { AttachedBundle } from '../record/record.js'
import { fetchBundle } from '../registry/bundles.js'
import { listReferrers } from '../registry/referrers.js'
import type { Registry } from '../registry/registry.js'
import type { Cosign } from '../tools/cosign.js'
import { verifyBundle, verifyReference, type SignerCheck } from '../tools/cosign-verify.js'
import type { Attached } from './attach.js'
import type { Signatory } from './signatory.js'
import { verifyInProcess } from './trust.js'

/** What a release is verified with. */
export interface Verification {
  readonly cosign: Cosign
  readonly registry: Registry
  readonly signatory: Pick<Signatory, 'check' | 'trust' | 'name'>
  readonly workDir: string
}

const CHECKS = ['registry bytes', 'cosign verify-blob-attestation', 'in process', 'statement'] as const
const READ_BACK_TRIES = 4
const PARALLEL = 2

/**
 * Reads back from the registry what was attached and verifies every bundle that it serves now: by hash, by Cosign,
 * in this process, and its statement byte for byte. One that is not listed or not served is GateError `integrity`
 * (`attach-lost`).
 */
export async function verifyAttached(
  verification: Verification,
  attached: readonly Attached[],
): Promise<{
  readonly bundles: readonly AttachedBundle[]
  readonly statements: readonly VerifiedStatement[]
}> {
  const dir = await mkdtemp(join(verification.workDir, 'verify-'))
  try {
    for (const digest of new Set(attached.map(one => one.attachedTo))) {
      await requireListed(verification.registry, digest, attached)
    }
    const limit = pLimit(PARALLEL)
    const bundles = await Promise.all(attached.map(one => limit(() => verifyOne(verification, one, dir))))
    return { bundles, statements: statementsOf(attached, verification.signatory.name) }
  } finally {
    await rm(dir, { recursive: true, force: true })
  }
}

/**
 * What a consumer would do: `cosign verify` on the reference. Cosign alone counts any attestation of the signer as a
 * signature, so a signature (`https://sigstore.dev/cosign/sign/v1`) must be among what it verified; else GateError
 * `integrity` (`signature-absent`). Of a signature over several digests Cosign prints the first one: `signed` are
 * all digests the signature may name.
 */
export async function verifyAsConsumer(
  cosign: Cosign,
  subject: { readonly image: ImageReference; readonly digest: Digest; readonly signed: readonly Digest[] },
  signer: SignerCheck,
): Promise<void> {
  const reference = pinnedReference(subject.image, subject.digest)
  const reports = await verifyReference(cosign, reference, signer)
  const signed = [subject.digest, ...subject.signed]
  if (reports.some(one => one.type === PREDICATE.signature && signed.includes(one.digest))) return
  const message = `${reference} carries attestations of this signer and no signature; nothing is tagged`
  throw new GateError('integrity', { reason: 'signature-absent', message })
}

async function requireListed(
  registry: Registry,
  digest: Digest,
  attached: readonly Attached[],
): Promise<void> {
  const wanted = attached.filter(one => one.attachedTo === digest)
  let lost: readonly Attached[] = wanted
  for (let tries = 1; tries <= READ_BACK_TRIES; tries += 1) {
    const listed = new Set((await listReferrers(registry, digest)).filter(isBundle).map(one => one.digest))
    lost = wanted.filter(one => !listed.has(one.referrer))
    if (lost.length === 0) return
    if (tries < READ_BACK_TRIES) await sleep(250 * tries)
  }
  throw attachLost(registry, lost[0] ?? null, 'it is not in the list of referrers')
}

function isBundle(referrer: { readonly artifactType: string | null }): boolean {
  return referrer.artifactType === BUNDLE_MEDIA_TYPE
}

async function verifyOne(verification: Verification, one: Attached, dir: string): Promise<AttachedBundle> {
  const { registry, cosign, signatory } = verification
  const { signed, attachedTo, referrer } = one
  const bytes = await fetchAttached(registry, one)
  const file = join(dir, `${digestHex(attachedTo)}-${signed.bundleSha256}.json`)
  await writeFile(file, bytes)
  const { predicateType } = signed
  await verifyBundle(cosign, { bundle: file, signer: signatory.check, digest: attachedTo, predicateType })
  const text = bytes.toString('utf8')
  await verifyInProcess(text, { trust: signatory.trust, digest: attachedTo, predicateType })
  if (parseBundle(text).payload !== signed.payload) {
    throw attachLost(registry, one, 'the registry serves another statement')
  }
  return { predicateType, attachedTo, referrer, file: signed.file, verified: CHECKS }
}

async function fetchAttached(registry: Registry, one: Attached): Promise<Buffer> {
  const bytes = await fetchBundle(registry, one.attachedTo, one.referrer).catch((thrown: unknown) => {
    if (!(thrown instanceof GateError) || thrown.reason !== 'referrer-malformed') throw thrown
    throw attachLost(registry, one, thrown.message)
  })
  if (createHash('sha256').update(bytes).digest('hex') === one.signed.bundleSha256) return bytes
  throw attachLost(registry, one, 'the registry serves another bundle')
}

/** Each statement once, with all its subjects. */
function statementsOf(attached: readonly Attached[], signer: string): readonly VerifiedStatement[] {
  const unique = new Map(attached.map(one => [one.signed.bundleSha256, one.signed]))
  return [...unique.values()].map(({ predicateType, subjects }) => ({
    predicateType,
    subjects,
    signer,
  }))
}

function attachLost(registry: Registry, one: Attached | null, why: string): GateError {
  const what = one === null ? 'an attestation' : `${one.signed.predicateType} on ${one.attachedTo}`
  const message = `${registry.image.name} did not keep ${what}: ${why}; nothing is tagged. Run again`
  return new GateError('integrity', { reason: 'attach-lost', message })
}
