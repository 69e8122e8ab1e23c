import { createHash } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describeError, GateError } from '../errors.js'
import { BUNDLE_MEDIA_TYPE, parseBundle } from '../evidence/bundle.js'
import type { Digest } from '../evidence/digest.js'
import type { SignerIdentity } from '../evidence/identity.js'
import { parseManifestDocument, type OciManifest } from '../evidence/oci-documents.js'
import { type Child, platformName, runnableChildren } from '../evidence/oci-image.js'
import { parseStatement, subjectDigests } from '../evidence/statement.js'
import type { SeenBundle, VerifyReason } from '../evidence/verification.js'
import { fetchBundle } from '../registry/bundles.js'
import { fetchManifest } from '../registry/manifests.js'
import { listReferrers } from '../registry/referrers.js'
import type { Registry } from '../registry/registry.js'
import type { Cosign } from '../tools/cosign.js'
import { verifyBundle, type SignerCheck } from '../tools/cosign-verify.js'
import { verifyInProcess, type Trust } from './trust.js'

/** An image in a registry and everything that is signed about it. */
export interface ServedImage {
  readonly index: Digest
  readonly children: readonly { readonly digest: Digest; readonly platform: string }[]
  readonly bundles: readonly SeenBundle[]
}

/** Whom a reader believes, for both verifiers. */
export interface Believed {
  readonly trust: Trust
  /** The check of Cosign for the signer that this process proved; null for a key. */
  readonly check: (identity: SignerIdentity | null) => SignerCheck
}

interface Reading {
  readonly registry: Registry
  readonly cosign: Cosign
  readonly believed: Believed
  readonly dir: string
}

const MAX_BUNDLES = 500
/**
 * Reads an image by digest and every bundle that refers to it or to one of its images, each judged by both verifiers.
 * Errors: `image-absent` (evidence), and those of the registry; a bundle that is not believed is no error.
 */
export async function readServedImage(
  given: Omit<Reading, 'dir'> & { readonly workDir: string },
  digest: Digest,
): Promise<ServedImage> {
  const dir = await mkdtemp(join(given.workDir, 'verify-'))
  try {
    const children = await childrenOf(given.registry, digest)
    const bundles: SeenBundle[] = []
    for (const one of new Set([digest, ...children.map(child => child.digest)])) {
      bundles.push(...(await bundlesOn({ ...given, dir }, one)))
    }
    return { index: digest, children, bundles }
  } finally {
    await rm(dir, { recursive: true, force: true })
  }
}

/** The images of an index, by the rules of the strict reader; of a single image that image. */
async function childrenOf(registry: Registry, digest: Digest): Promise<ServedImage['children']> {
  const served = await fetchManifest(registry, digest)
  if (served === null) {
    const message = `${registry.image.name} has no ${digest}. Check the reference`
    throw new GateError('evidence', { reason: 'image-absent', message })
  }
  const document = parseManifestDocument(served.bytes, { what: digest, expectedType: null })
  if (document.kind === 'manifest') return [{ digest, platform: '' }]
  const children: Child[] = []
  for (const descriptor of document.manifests)
    children.push({ descriptor, manifest: await childManifest(registry, descriptor.digest) })
  const runnable = runnableChildren(children)
  if (runnable.length === 0) throw notAnImage(registry, digest, 'it is an index without images')
  return runnable.map(({ descriptor }) => ({
    digest: descriptor.digest,
    platform: descriptor.platform === undefined ? '' : platformName(descriptor.platform),
  }))
}

async function childManifest(registry: Registry, digest: Digest): Promise<OciManifest> {
  const served = await fetchManifest(registry, digest)
  if (served === null) throw notAnImage(registry, digest, 'the index names it and it is not served')
  const document = parseManifestDocument(served.bytes, { what: digest, expectedType: null })
  if (document.kind === 'manifest') return document
  throw notAnImage(registry, digest, 'it is an index inside an index')
}

function notAnImage(registry: Registry, digest: Digest, why: string): GateError {
  const message = `${registry.image.name}@${digest} cannot be verified: ${why}`
  return new GateError('evidence', { reason: 'image-unreadable', message })
}

async function bundlesOn(reading: Reading, digest: Digest): Promise<readonly SeenBundle[]> {
  const listed = (await listReferrers(reading.registry, digest)).filter(
    one => one.artifactType === BUNDLE_MEDIA_TYPE,
  )
  if (listed.length > MAX_BUNDLES) {
    const message = `${listed.length} bundles refer to ${digest}; ${MAX_BUNDLES} are read at most`
    throw new GateError('evidence', { reason: 'too-many-bundles', message })
  }
  const seen: SeenBundle[] = []
  for (const { digest: referrer } of listed) seen.push(await judged(reading, digest, referrer))
  return seen
}

async function judged(reading: Reading, attachedTo: Digest, referrer: Digest): Promise<SeenBundle> {
  let predicateType = ''
  let other = false
  try {
    const text = (await fetchBundle(reading.registry, attachedTo, referrer)).toString('utf8')
    const stated = parseStatement(parseBundle(text).payload)
    predicateType = stated.predicateType
    other = !subjectDigests(stated).includes(attachedTo)
    const { trust, check } = reading.believed
    const wanted = { digest: attachedTo, predicateType }
    const { statement, identity } = await verifyInProcess(text, { trust, ...wanted })
    await agreed(reading, { text, signer: check(identity), ...wanted })
    return { attachedTo, referrer, predicateType, statement, refusal: null }
  } catch (thrown) {
    if (!(thrown instanceof GateError) || (thrown.code !== 'integrity' && thrown.code !== 'evidence'))
      throw thrown
    const reason = other ? 'other-subject' : reasonOf(thrown)
    const refusal = { reason, message: withoutRelease(describeError(thrown)) }
    return { attachedTo, referrer, predicateType, statement: null, refusal }
  }
}

/** What this process believes, Cosign must believe too. */
async function agreed(
  { cosign, dir }: Reading,
  one: {
    readonly text: string
    readonly signer: SignerCheck
    readonly digest: Digest
    readonly predicateType: string
  },
): Promise<void> {
  const name = createHash('sha256').update(one.text).update(one.digest).digest('hex')
  const bundle = join(dir, `${name}.json`)
  await writeFile(bundle, one.text)
  try {
    await verifyBundle(cosign, { ...one, bundle })
  } catch (thrown) {
    if (!(thrown instanceof GateError) || thrown.code !== 'integrity') throw thrown
    const message = `${one.predicateType} on ${one.digest}: this process verifies it and Cosign does not: ${thrown.message}`
    throw new GateError('integrity', { reason: 'verifiers-disagree', message, cause: thrown })
  }
}

const REASONS: Readonly<Record<string, VerifyReason>> = {
  'bundle-malformed': 'bundle-malformed',
  'statement-malformed': 'bundle-malformed',
  'served-bytes-differ': 'bundle-malformed',
  'referrer-malformed': 'bundle-malformed',
  'identity-unreadable': 'bundle-malformed',
  'identity-mismatch': 'wrong-signer',
  'certificate-untrusted': 'wrong-signer',
  'timestamp-missing': 'proof-missing',
  'log-entry-missing': 'proof-missing',
  'verifiers-disagree': 'verifiers-disagree',
}

function reasonOf(thrown: GateError): VerifyReason {
  return REASONS[thrown.reason] ?? 'wrong-signer'
}

/** The same checks end a release; a reader has nothing to tag. */
function withoutRelease(message: string): string {
  return message.replaceAll('; nothing is tagged', '')
}
