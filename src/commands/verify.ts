import { copyFile, mkdir, readFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { describeError, GateError } from '../errors.js'
import type { Digest } from '../evidence/digest.js'
import { parseReference, pinnedReference, type ImageReference } from '../evidence/reference.js'
import { judgeVerification } from '../evidence/verification.js'
import { terminalContext } from '../github/context.js'
import type { ResolvedPolicy } from '../policy/resolve.js'
import { resolveTag } from '../registry/manifests.js'
import { openRegistry, type Registry } from '../registry/registry.js'
import { openTrustedRoot } from '../release/sigstore.js'
import { readServedImage, type Believed } from '../release/verify-image.js'
import { renderVerification, verificationDocument } from '../report/verification.js'
import type { Environment, Services } from '../services.js'
import type { Cosign } from '../tools/cosign.js'
import { readCredentials } from '../tools/crane.js'
import { installTools } from '../tools/install.js'
import { toolOf } from '../tools/tool-set.js'
import { loadPolicy } from './policy-file.js'
import { registryCommands } from './registry-commands.js'
import { withSession } from './session.js'
import { toolServices } from './tool-services.js'

/** What `portcullis verify` is asked; '' stands for a flag that was not given. */
export interface VerifyFlags {
  readonly reference: string
  readonly key: string
  readonly policy: string
  readonly trustedRoot: string
  readonly username: string
  readonly password: string
  readonly tools: string
  readonly format: string
}

const DAY_MS = 24 * 3_600_000
const LIMIT_MS = 30 * 60_000
const MAX_KEY = 64 * 1024

/**
 * Verifies what a registry serves under a reference: digest, signature and statements, each by two verifiers, as the
 * policy asks. Resolves with 0 when all of it holds and with 1 when not; what could not be found out is thrown.
 */
export async function verifyImage(environment: Environment, flags: VerifyFlags): Promise<number> {
  const asked = parseReference(flags.reference)
  if (asked.tag === undefined && asked.digest === undefined)
    throw refused(`'${flags.reference}' names neither a tag nor a digest. Give NAME:TAG or NAME@sha256:…`)
  if (flags.format !== 'terminal' && flags.format !== 'json')
    throw refused(`--format: expected terminal or json, got '${flags.format}'.`)
  return await withSession({ environment, target: process.stderr, timeoutMs: LIMIT_MS }, services =>
    verify(services, flags, asked),
  )
}

async function verify(
  services: Services,
  flags: VerifyFlags,
  asked: { readonly image: ImageReference; readonly tag?: string; readonly digest?: Digest },
): Promise<number> {
  const { image } = asked
  const own = services.newCommands()
  const policy = await loadPolicy(own, terminalContext(process.cwd()), flags.policy || undefined)
  const names = ['crane', 'cosign'] as const
  const tools = await installTools(toolServices(services, own), { source: flags.tools, names })
  const request = {
    image: image.name,
    ...(flags.username === '' ? {} : { registryUsername: flags.username }),
    ...(flags.password === '' ? {} : { registryPassword: flags.password }),
  }
  const { commands, close } = await registryCommands({ services, request })
  try {
    const cosign: Cosign = { commands: own, program: toolOf(tools, 'cosign').program }
    const believed = await whom(services, cosign, { flags, policy })
    const crane = { commands, program: toolOf(tools, 'crane').program }
    const credentials = await readCredentials(crane, image.host)
    const { signal, workDir } = services
    const registry = openRegistry({ image, credentials, access: 'pull', signal })
    const digest = await digestOf(registry, asked)
    const served = await readServedImage({ registry, cosign, believed, workDir }, digest)
    const { require, maxAgeDays } = policy.attestations
    const answer = judgeVerification(served.bundles, {
      ...{ index: digest, children: served.children, require, now: services.clock().getTime() },
      ...(maxAgeDays === null ? {} : { maxAgeMs: maxAgeDays * DAY_MS }),
    })
    const { children, bundles } = served
    const report = {
      ...{ reference: pinnedReference(image, digest), signer: believed.name, children, bundles, answer },
    }
    const render = flags.format === 'json' ? verificationDocument : renderVerification
    process.stdout.write(render(report))
    return answer.problems.length === 0 ? 0 : 1
  } finally {
    await close()
  }
}

async function digestOf(
  registry: Registry,
  asked: { readonly tag?: string; readonly digest?: Digest },
): Promise<Digest> {
  const { tag, digest } = asked
  if (digest !== undefined) return digest
  const found = tag === undefined ? null : await resolveTag(registry, tag)
  if (found !== null) return found
  const message = `${registry.image.name} has no tag '${tag ?? ''}'. Check the reference.`
  throw new GateError('evidence', { reason: 'image-absent', message })
}

/** Whom to believe: the key, else the identities of the policy. Nobody is never everybody. */
async function whom(
  services: Services,
  cosign: Cosign,
  given: { readonly flags: VerifyFlags; readonly policy: ResolvedPolicy },
): Promise<Believed & { readonly name: string }> {
  const { flags, policy } = given
  const dir = join(services.workDir, 'trust')
  await mkdir(dir)
  if (flags.key !== '') return await byKey(flags.key, dir)
  const allowed = policy.identities
  if (allowed.length === 0)
    throw refused('whom to believe is not said. Give --key FILE, or list identities in the policy.')
  const file = flags.trustedRoot === '' ? undefined : resolve(flags.trustedRoot)
  const root = await openTrustedRoot(cosign, file, dir)
  const { trustedRoot, proofs } = root
  return {
    name: allowed.map(one => one.subject ?? `${one.workflow ?? 'anyone'} of ${one.issuer}`).join(' or '),
    trust: { kind: 'identity', trustedRoot, proofs, expected: null, allowed },
    check: identity => {
      if (identity === null) throw new TypeError('an identity was proved before')
      const { issuer, subject } = identity
      return { kind: 'identity', issuer, subject, proofs, trustedRootFile: root.file }
    },
  }
}

async function byKey(path: string, dir: string): Promise<Believed & { readonly name: string }> {
  const publicKeyFile = join(dir, 'key.pub')
  try {
    const text = await readFile(path, 'utf8')
    if (text.length > MAX_KEY || !text.includes('BEGIN PUBLIC KEY'))
      throw new Error('it is no public key in PEM')
    await copyFile(path, publicKeyFile)
    const check = { kind: 'key', publicKeyFile } as const
    return { name: `key ${path}`, trust: { kind: 'key', publicKey: text }, check: () => check }
  } catch (cause) {
    throw refused(
      `--key: '${path}' cannot be used: ${describeError(cause)}. Give the public key, cosign.pub.`,
    )
  }
}

function refused(message: string): GateError {
  return new GateError('config', { reason: 'inputs-invalid', message })
}
