import { mkdtemp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { GateError } from '../errors.js'
import { present } from '../evidence/known.js'
import type { VerifiedStatement } from '../evidence/evidence.js'
import { enforcedOutcome, judge } from '../policy/evaluate.js'
import { isolationProblem, mayRelease } from '../policy/resolve.js'
import { cancelled } from '../registry/failure.js'
import { openRegistry, type Registry } from '../registry/registry.js'
import type { Credentials } from '../registry/credentials.js'
import { verifyServed } from '../registry/served.js'
import { readCredentials, type Crane } from '../tools/crane.js'
import { attachAll } from './attach.js'
import { openKeylessSignatory } from './keyless.js'
import { closeLedger, noteFailure, startLedger, type Ledger } from './ledger.js'
import { planStatements, planSummary, signedDigests } from './plan.js'
import { preflight, pushLayout, type SeenTag } from './push.js'
import type { ReleaseOutcome, ReleaseRequest, ReleaseServices } from './request.js'
import { readEarlier } from './resume.js'
import { openSigner, type SignedStatement } from './sign.js'
import { openKeySignatory, type Signatory } from './signatory.js'
import { setTag } from './tag.js'
import { verifyAsConsumer, verifyAttached } from './verify.js'
import { verifyCommand } from './verify-command.js'

interface Work {
  readonly services: ReleaseServices
  readonly request: ReleaseRequest
  readonly ledger: Ledger
  readonly crane: Crane
  readonly registry: Registry
  readonly credentials: Credentials | null
}

/**
 * Releases an image whose verdict is a pass: push by digest, hash what the registry serves, sign, attach,
 * verify, judge the rules of phase `released`, and only then tag. Never throws: a failure at any point leaves every
 * tag that is not set yet unset and stands in `problems`, with all that was reached before it in the record.
 */
export async function releaseImage(
  services: ReleaseServices,
  request: ReleaseRequest,
): Promise<ReleaseOutcome> {
  const ledger = startLedger(request.image, request.layout.subject.digest)
  try {
    refuseUnfit(request)
    if (request.verdict.outcome !== 'pass') return closeLedger(ledger)
    ledger.state = 'failed'
    await release(services, request, ledger)
  } catch (thrown) {
    noteFailure(ledger, services.signal.aborted ? cancelled() : thrown)
  }
  return closeLedger(ledger)
}

/** What the verdict, the policy and the evidence must say before anything is touched. */
function refuseUnfit(request: ReleaseRequest): void {
  const { verdict, evidence, layout, policy, image, signing } = request
  const { digest } = layout.subject
  const judged = evidence.subject.state === 'present' ? evidence.subject.value.digest : null
  if (verdict.blocks || verdict.outcome === 'incomplete')
    throw unfit('verdict-blocks', 'the verdict does not let it')
  if (judged !== digest || verdict.subject?.digest !== digest) {
    throw unfit('other-subject', `${digest} is not the image that was judged`)
  }
  if (!mayRelease(policy, image.name)) {
    throw unfit('image-not-bound', `the policy does not list ${image.name} under bind`, 'config')
  }
  const signs = signing.kind !== 'none'
  const isolation = evidence.isolation.state === 'present' ? evidence.isolation.value : 'none'
  const problem = isolationProblem(policy, isolation, signs)
  if (problem !== undefined) throw unfit('isolation-none', problem, 'evidence')
  if (signs && signing.rehearsal && !image.loopback) {
    throw unfit('rehearsal-not-loopback', 'a rehearsal signs for a registry on loopback only', 'config')
  }
}

async function release(services: ReleaseServices, request: ReleaseRequest, ledger: Ledger): Promise<void> {
  const { image } = request
  const crane = { commands: services.commands, program: services.crane }
  const signatory = await openSignatory(services, request)
  try {
    const credentials = await readCredentials(crane, image.host)
    const { signal } = services
    const limits = request.limits === undefined ? {} : { limits: request.limits }
    const registry = openRegistry({ image, credentials, access: 'pull,push', signal, ...limits })
    const work = { services, request, ledger, crane, registry, credentials }
    const seen = await preflight(registry, request)
    await pushLayout(crane, image, request.layout)
    ledger.state = 'pushed'
    services.note?.(`pushed ${request.layout.subject.digest} without a tag`)
    const statements = signatory === null ? await verifyPushed(work) : await signAndVerify(work, signatory)
    if (!judgeReleased(work, statements)) return
    await setTags(work, seen)
    ledger.state = 'released'
  } finally {
    await signatory?.close()
  }
}

/** Ready to sign before a byte is pushed; null with `none`. Its private folder goes with it. */
async function openSignatory(services: ReleaseServices, request: ReleaseRequest): Promise<Signatory | null> {
  const { signing, workDir, reportDir, policy } = request
  if (signing.kind === 'none') return null
  const privateDir = await mkdtemp(join(workDir, 'signatory-'))
  const remove = (): Promise<void> => rm(privateDir, { recursive: true, force: true })
  const folders = { workDir, reportDir, privateDir }
  try {
    const opened =
      signing.kind === 'key'
        ? await openKeySignatory(services, signing, folders)
        : await openKeylessSignatory(services, signing, { ...folders, identities: policy.identities })
    return { ...opened, close: () => opened.close().finally(remove) }
  } catch (thrown) {
    await remove()
    throw thrown
  }
}

async function verifyPushed(work: Work): Promise<readonly VerifiedStatement[]> {
  work.ledger.served = await verifyServed(work.registry, work.request.layout.blobs)
  return []
}

async function signAndVerify(work: Work, signatory: Signatory): Promise<readonly VerifiedStatement[]> {
  const { services, request, ledger, registry, credentials } = work
  ledger.files.push(...signatory.files)
  const [, signed] = await both(verifyPushed(work), signAll(work, signatory))
  const attached = await attachAll(
    {
      image: request.image,
      credentials,
      created: request.verdict.decidedAt,
      rehearsal: request.signing.kind !== 'none' && request.signing.rehearsal,
      signal: services.signal,
      requestMs: registry.limits.answerMs,
    },
    signed,
  )
  const cosign = { commands: services.commands, program: services.cosign }
  const verification = { cosign, registry, signatory, workDir: request.workDir }
  services.note?.(`attached ${attached.length} bundles with ${signed.length} signed statements`)
  const { bundles, statements } = await verifyAttached(verification, attached)
  ledger.bundles = bundles
  const digests = signedDigests(request)
  for (const digest of digests) {
    await verifyAsConsumer(cosign, { image: request.image, digest, signed: digests }, signatory.check)
  }
  services.note?.('verified every bundle as the registry serves it')
  ledger.signer = signatory.fingerprint
  ledger.identity = signatory.identity
  ledger.verifyCommand = verifyCommand(request, signatory.readerCheck)
  return statements
}

async function signAll(work: Work, signatory: Signatory): Promise<readonly SignedStatement[]> {
  const { request, ledger, registry } = work
  const earlier = await readEarlier(registry, signatory, signedDigests(request))
  const signer = await openSigner(signatory, request, earlier)
  try {
    const keep = (one: SignedStatement): void => {
      ledger.files.push({
        path: one.file,
        kind: 'bundle',
        sha256: one.bundleSha256,
        size: one.bundle.byteLength,
      })
    }
    const signed = await signer.signEach(await planStatements(request))
    signed.forEach(keep)
    const summary = await signer.sign(planSummary(request, signed))
    keep(summary)
    return [...signed, summary]
  } finally {
    await signer.close()
  }
}

/**
 * True when the rules of phase `released`, judged over what the registry serves, let the tags be set. A fail keeps
 * them unset in audit mode too: a tag promises a verified signature.
 */
function judgeReleased(work: Work, statements: readonly VerifiedStatement[]): boolean {
  const { request, ledger, services } = work
  const released = present({ digest: request.layout.subject.digest, statements })
  const evidence = { ...request.evidence, released }
  const verdict = judge({ policy: request.policy, evidence, phases: ['released'], now: services.now() })
  ledger.results = verdict.results
  const outcome = enforcedOutcome(verdict.results)
  if (outcome !== 'incomplete') return outcome === null
  const message = 'the rules about the released image could not be judged; nothing is tagged'
  throw new GateError('evidence', { reason: 'released-incomplete', message })
}

async function setTags(work: Work, seen: readonly SeenTag[]): Promise<void> {
  const { crane, registry, request, ledger, services } = work
  for (const { tag, points } of seen) {
    if (services.signal.aborted) throw cancelled()
    const state = await setTag(crane, registry, { digest: request.layout.subject.digest, tag, seen: points })
    ledger.tags.push({ tag, state })
  }
}

/** Waits for both, then throws the first failure: nothing goes on in the background. */
async function both<A, B>(first: Promise<A>, second: Promise<B>): Promise<readonly [A, B]> {
  await Promise.allSettled([first, second])
  return [await first, await second]
}

function unfit(
  reason: string,
  message: string,
  code: 'config' | 'evidence' | 'integrity' = 'integrity',
): GateError {
  return new GateError(code, { reason, message: `nothing is pushed: ${message}` })
}
