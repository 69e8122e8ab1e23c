import { join } from 'node:path'
import { GateError } from '../errors.js'
import type { Cosign, SignRequest } from './cosign.js'

/** A token on disk for one process, and its text, which must appear nowhere. */
export interface TokenFile {
  readonly path: string
  readonly token: string
}

/** Files that say where signing services are and whom to believe. Absolute paths. */
export interface SigstoreFiles {
  readonly signingConfig: string
  readonly trustedRoot: string
}

const FETCH_MS = 60_000

/**
 * Signs a complete in-toto statement as a blob into a bundle with a certificate for the identity token in
 * `tokenFile`; nothing else of the job reaches Cosign. One try, ended after `timeoutMs`. Fails with GateError
 * `service` by the reasons of `SERVICE_REASONS`, which another try may heal where `isPassing` says so, else with
 * `sign-failed` (tool).
 */
export async function signStatementKeyless(
  cosign: Cosign,
  tokenFile: TokenFile,
  request: SignRequest & { readonly timeoutMs: number },
): Promise<void> {
  const args = [
    ...['attest-blob', '--yes', '--identity-token', tokenFile.path, '--oidc-disable-ambient-providers'],
    ...['--signing-config', request.signingConfig, '--trusted-root', request.trustedRoot],
    ...['--statement', request.statement, '--bundle', request.bundle],
  ]
  try {
    await cosign.commands.run({
      program: cosign.program,
      args,
      grant: 'signer',
      timeoutMs: request.timeoutMs,
      redacted: [tokenFile.token],
    })
  } catch (thrown) {
    throw explainSigning(thrown)
  }
}

/**
 * Writes the configuration of the public Sigstore below `dir`, as Cosign's own TUF client gives it: it starts from the
 * root that is built into Cosign and needs the network. Fails with GateError `service` (`public-sigstore-unavailable`).
 */
export async function fetchPublicSigstore(cosign: Cosign, dir: string): Promise<SigstoreFiles> {
  const files = {
    signingConfig: join(dir, 'signing-config.json'),
    trustedRoot: join(dir, 'trusted-root.json'),
  }
  for (const [what, out] of [
    ['signing-config', files.signingConfig],
    ['trusted-root', files.trustedRoot],
  ] as const) {
    const args = [what, 'create', '--with-default-services', '--out', out]
    try {
      await cosign.commands.run({ program: cosign.program, args, grant: 'signer', timeoutMs: FETCH_MS })
    } catch (thrown) {
      if (thrown instanceof GateError && thrown.reason === 'cancelled') throw thrown
      const message =
        `the ${what} of the public Sigstore cannot be fetched; nothing is pushed. Run again, or give signing-config ` +
        `and trusted-root as files: ${thrown instanceof Error ? thrown.message : ''}`
      throw new GateError('service', { reason: 'public-sigstore-unavailable', message, cause: thrown })
    }
  }
  return files
}

/** What Cosign says about the services it signs with, most telling first. */
const SERVICE_REASONS: readonly (readonly [string, RegExp])[] = [
  ['signing-service-timeout', /deadline exceeded|Client\.Timeout|i\/o timeout|TLS handshake timeout/i],
  [
    'signing-service-unreachable',
    /connection refused|no such host|connection reset|network is unreachable|\bEOF\b|broken pipe/i,
  ],
  // Of 429 and 5xx of Fulcio and of the timestamp authority Cosign 3.1.3 keeps only that it tried again in vain.
  ['signing-service-unavailable', /read on closed response body|(?:returned|response:) (?:429|5\d\d)\b/],
  ['signing-service-refused', /(?:returned|response:) 4\d\d\b/],
]
const SERVICES: readonly (readonly [string, RegExp])[] = [
  ['the certificate authority (Fulcio)', /Fulcio returned|\/signingCert/],
  ['the timestamp authority', /timestamp authority|\/timestamp"/],
  ['the transparency log (Rekor)', /rekor|\/log\/entries/i],
]

const PASSING: readonly string[] = [
  'signing-service-timeout',
  'signing-service-unreachable',
  'signing-service-unavailable',
]

/** True for a failure of a signing service that may pass when tried again. */
export function isPassing(thrown: unknown): boolean {
  return thrown instanceof GateError && PASSING.includes(thrown.reason)
}

function explainSigning(thrown: unknown): unknown {
  if (!(thrown instanceof GateError) || thrown.code !== 'tool') return thrown
  if (thrown.reason === 'timed-out') return service('signing-service-timeout', thrown)
  if (thrown.reason !== 'exit-code') return thrown
  const found = SERVICE_REASONS.find(([, words]) => words.test(thrown.message))
  if (found !== undefined) return service(found[0], thrown)
  const message = `signing failed; nothing is tagged: ${thrown.message}`
  return new GateError('tool', { reason: 'sign-failed', message, cause: thrown })
}

function service(reason: string, cause: GateError): GateError {
  const which = SERVICES.find(([, words]) => words.test(cause.message))?.[0] ?? 'a signing service'
  const how = reason === 'signing-service-refused' ? 'refuses the request' : 'failed'
  const message = `${which} ${how}; nothing is tagged: ${cause.message}`
  return new GateError('service', { reason, message, cause })
}
