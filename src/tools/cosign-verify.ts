import { z } from 'zod'
import { GateError } from '../errors.js'
import { digestHex, isDigest, type Digest } from '../evidence/digest.js'
import type { Command } from './command.js'
import type { Cosign } from './cosign.js'
import { explainRegistryCommand } from './crane.js'

/** Whom Cosign is told to believe. Files are absolute paths. */
export type SignerCheck =
  | { readonly kind: 'key'; readonly publicKeyFile: string }
  | {
      readonly kind: 'identity'
      /** Both are compared exactly. */
      readonly issuer: string
      readonly subject: string
      /** Null: the public root, which Cosign fetches by itself. */
      readonly trustedRootFile: string | null
      /** What the trusted root knows, and what each bundle must therefore carry a proof of. */
      readonly proofs: TrustedProofs
    }

export interface TrustedProofs {
  /** An entry in a transparency log. */
  readonly log: boolean
  /** An entry of the certificate in a certificate log. */
  readonly certificateLog: boolean
  /** A signed timestamp. */
  readonly timestamp: boolean
}

const VERIFY_MS = 120_000

/** The arguments that say whom to believe: for our own checks, and for the command that a reader pastes. */
export function signerArguments(check: SignerCheck): readonly string[] {
  if (check.kind === 'key') return ['--key', check.publicKeyFile, '--insecure-ignore-tlog']
  const { log, certificateLog, timestamp } = check.proofs
  return [
    ...['--certificate-identity', check.subject, '--certificate-oidc-issuer', check.issuer],
    ...(check.trustedRootFile === null ? [] : ['--trusted-root', check.trustedRootFile]),
    ...(timestamp ? ['--use-signed-timestamps'] : []),
    ...(log ? [] : ['--insecure-ignore-tlog']),
    ...(certificateLog ? [] : ['--insecure-ignore-sct']),
  ]
}

/**
 * Proves by Cosign that one bundle is a statement of this type over this digest, by this signer. Reads no registry.
 * Fails with GateError `integrity`: of a key always `verify-failed`, of an identity also with the reasons of
 * `IDENTITY_REASONS`.
 */
export async function verifyBundle(
  cosign: Cosign,
  check: {
    readonly bundle: string
    readonly signer: SignerCheck
    readonly digest: Digest
    readonly predicateType: string
  },
): Promise<void> {
  const args = [
    ...['verify-blob-attestation', '--bundle', check.bundle, ...signerArguments(check.signer)],
    ...['--digest', digestHex(check.digest), '--digestAlg', 'sha256', '--type', check.predicateType],
  ]
  try {
    await cosign.commands.run({ program: cosign.program, args, grant: 'signer', timeoutMs: VERIFY_MS })
  } catch (thrown) {
    throw verifyFailed(thrown, `${check.predicateType} on ${check.digest}`, check.signer)
  }
}

/** One thing `cosign verify` reports as verified. */
export interface CosignReport {
  readonly type: string
  readonly digest: Digest
}

const reportSchema = z
  .array(
    z.object({
      critical: z.object({
        type: z.string(),
        image: z.object({ 'docker-manifest-digest': z.custom<Digest>(isDigest) }),
      }),
    }),
  )
  .max(5000)

/**
 * Runs `cosign verify` on a reference by digest, as a consumer would, and returns all it verified. What is in the
 * list is for the caller to judge: Cosign counts any attestation of the signer as a signature.
 */
export async function verifyReference(
  cosign: Cosign,
  reference: string,
  signer: SignerCheck,
): Promise<readonly CosignReport[]> {
  const args = ['verify', ...signerArguments(signer), '--output', 'json', reference]
  let stdout: string
  try {
    const command: Command = { program: cosign.program, args, grant: 'registry', timeoutMs: VERIFY_MS }
    stdout = (await cosign.commands.run(command)).stdout
  } catch (thrown) {
    throw verifyFailed(thrown, reference, signer)
  }
  const parsed = reportSchema.safeParse(parseJson(stdout))
  if (!parsed.success) {
    const message = `cosign verify says nothing readable about ${reference}; nothing is tagged`
    throw new GateError('tool', { reason: 'cosign-answer', message })
  }
  return parsed.data.map(({ critical }) => ({
    type: critical.type,
    digest: critical.image['docker-manifest-digest'],
  }))
}

/** What is wrong with a bundle of an identity, by the words of Cosign and of the library beneath it. */
const IDENTITY_REASONS: readonly (readonly [string, RegExp])[] = [
  ['identity-mismatch', /expected (?:SAN|issuer) value|no matching CertificateIdentity/],
  ['timestamp-missing', /threshold not met for verified signed timestamps/],
  ['log-entry-missing', /not enough verified log entries/],
  ['certificate-untrusted', /leaf certificate verification failed|certificate signed by unknown authority/],
]

function verifyFailed(thrown: unknown, what: string, signer: SignerCheck): unknown {
  const said = thrown instanceof Error ? thrown.message : ''
  const found = signer.kind === 'key' ? undefined : IDENTITY_REASONS.find(([, words]) => words.test(said))
  const explained = explainRegistryCommand(thrown, `verifying ${what}`)
  const ours = found !== undefined || (explained instanceof GateError && explained.reason === 'push-failed')
  if (!ours) return explained
  const message = `${what} does not verify; nothing is tagged: ${said}`
  return new GateError('integrity', { reason: found?.[0] ?? 'verify-failed', message, cause: thrown })
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
