import { join } from 'node:path'
import { GateError } from '../errors.js'
import { admissionProblem, type AllowedIdentity, type SignerIdentity } from '../evidence/identity.js'
import type { Cosign } from '../tools/cosign.js'
import { isPassing, signStatementKeyless } from '../tools/cosign-keyless.js'
import type { SignerCheck } from '../tools/cosign-verify.js'
import { openPatience, SIGNING_LIMITS } from './patience.js'
import type { ReleaseServices, Signing } from './request.js'
import { writeBeside, type Signatory, type SignatoryFolders } from './signatory.js'
import { openSigstore, writeSigstore, type Sigstore } from './sigstore.js'
import { openTokens, type Tokens } from './token.js'

type Keyless = Extract<Signing, { readonly kind: 'keyless' }>

/**
 * Signs as the job that runs: with certificates for its identity tokens. Asks for the first token, and refuses an
 * identity that the policy does not list (`identity-not-allowed`, config), before anything is pushed. What is signed
 * must then verify as exactly this job: every field but the run, so that a second attempt can go on with what the
 * first one attached.
 */
export async function openKeylessSignatory(
  services: ReleaseServices,
  signing: Keyless,
  given: SignatoryFolders & {
    readonly privateDir: string
    readonly identities: readonly AllowedIdentity[]
  },
): Promise<Signatory> {
  const cosign: Cosign = { commands: services.commands, program: services.cosign }
  const sigstore = await openSigstore(cosign, signing.sigstore, given.privateDir)
  const { now } = services
  const tokens = await openTokens({ ...signing.tokens, now, workDir: given.privateDir })
  requireAllowed(tokens.identity, given.identities)
  const used = await writeSigstore(sigstore, given.privateDir)
  const root = { path: 'trusted-root.json', kind: 'trusted-root', text: sigstore.trustedRoot }
  const file = await writeBeside(given.reportDir, root)
  const { identity } = tokens
  const kept = join(given.reportDir, file.path)
  return {
    sign: signer(services, signing, { cosign, tokens, files: used }),
    check: checkOf(identity, sigstore, used.trustedRoot),
    trust: {
      kind: 'identity',
      ...{ trustedRoot: sigstore.trustedRoot, proofs: sigstore.proofs },
      ...{ expected: withoutRun(identity), allowed: given.identities },
    },
    name: `${identity.subject} (${identity.issuer})`,
    ...{ fingerprint: null, identity, files: [file] },
    readerCheck: checkOf(identity, sigstore, signing.sigstore === undefined ? null : kept),
    close: () => {
      tokens.close()
      return Promise.resolve()
    },
  }
}

function withoutRun(identity: SignerIdentity): SignerIdentity {
  const fields = Object.entries(identity).filter(([name]) => name !== 'run')
  return { issuer: identity.issuer, subject: identity.subject, ...Object.fromEntries(fields) }
}

function checkOf(identity: SignerIdentity, sigstore: Sigstore, trustedRootFile: string | null): SignerCheck {
  const { issuer, subject } = identity
  return { kind: 'identity', issuer, subject, trustedRootFile, proofs: sigstore.proofs }
}

/** One try after another within one budget: each with a fresh token file, which is gone when the try has ended. */
function signer(
  services: ReleaseServices,
  signing: Keyless,
  using: {
    readonly cosign: Cosign
    readonly tokens: Tokens
    readonly files: { readonly signingConfig: string; readonly trustedRoot: string }
  },
): Signatory['sign'] {
  const limits = { ...SIGNING_LIMITS, ...signing.limits }
  const { signal, note } = services
  const noted = note === undefined ? {} : { note }
  const patience = openPatience({ limits, passing: isPassing, signal, ...noted })
  return files =>
    patience.attempt(() =>
      using.tokens.withFile(token =>
        signStatementKeyless(using.cosign, token, { ...files, ...using.files, timeoutMs: limits.attemptMs }),
      ),
    )
}

function requireAllowed(identity: SignerIdentity, allowed: readonly AllowedIdentity[]): void {
  const problem = admissionProblem(identity, allowed)
  if (problem === undefined) return
  const message = `this job may not sign here: ${problem}; nothing is pushed. See 'identities' in the policy`
  throw new GateError('config', { reason: 'identity-not-allowed', message })
}
