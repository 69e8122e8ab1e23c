import { z } from 'zod'
import { GateError } from '../errors.js'
import type { SignerIdentity } from './identity.js'

/** Longest token that is taken, characters. */
export const MAX_TOKEN = 32 * 1024

/** What this project reads in the token of a job; nothing of it is proved here: Fulcio checks the signature. */
export interface TokenClaims {
  readonly identity: SignerIdentity
  /** Unix time, seconds. */
  readonly issuedAt: number
  readonly expiresAt: number
}

const line = z
  .string()
  .min(1)
  .max(1024)
  .regex(/^[^\p{Cc}]+$/u)
const number = z.string().regex(/^[0-9]{1,20}$/)
const instant = z.int().min(0).max(253_402_300_799)

/** https://docs.github.com/actions/reference/security/oidc#oidc-token-claims */
const claimsSchema = z.object({
  iss: line,
  aud: line,
  iat: instant,
  exp: instant,
  job_workflow_ref: line,
  workflow_ref: line,
  repository: line.regex(/^[^/\s]+\/[^/\s]+$/),
  repository_id: number,
  repository_owner_id: number,
  ref: line,
  sha: line.regex(/^[0-9a-f]{40,64}$/),
  event_name: line,
  runner_environment: line,
  run_id: number,
  run_attempt: number,
})

/**
 * Reads the claims of a job's identity token and says which certificate Fulcio will make of it. `server` is where
 * the repository lives (`https://github.com`). Refuses anything but three base64url parts with the claims of a job
 * and this audience: GateError `service` (`id-token-malformed`). No message holds any part of the token.
 */
export function parseIdToken(
  token: string,
  expected: { readonly audience: string; readonly server: string },
): TokenClaims {
  const parsed = claimsSchema.safeParse(payloadOf(token))
  if (!parsed.success) {
    const names = parsed.error.issues.map(issue => issue.path.join('.')).join(', ')
    throw malformed(names === '' ? 'its claims cannot be read' : `these claims are not usable: ${names}`)
  }
  const claims = parsed.data
  if (claims.aud !== expected.audience) throw malformed('it is for another audience')
  if (claims.exp <= claims.iat) throw malformed('it ends before it begins')
  return {
    identity: identityOf(claims, expected.server),
    issuedAt: claims.iat,
    expiresAt: claims.exp,
  }
}

function identityOf(claims: z.infer<typeof claimsSchema>, server: string): SignerIdentity {
  const repository = `${server}/${claims.repository}`
  return {
    issuer: claims.iss,
    subject: `${server}/${claims.job_workflow_ref}`,
    repository,
    repositoryId: claims.repository_id,
    ownerId: claims.repository_owner_id,
    workflow: `${server}/${claims.workflow_ref}`,
    ref: claims.ref,
    commit: claims.sha,
    trigger: claims.event_name,
    runnerEnvironment: claims.runner_environment,
    run: `${repository}/actions/runs/${claims.run_id}/attempts/${claims.run_attempt}`,
  }
}

function payloadOf(token: string): unknown {
  const parts = token.split('.')
  const [, payload] = parts
  if (token.length > MAX_TOKEN || parts.length !== 3 || !parts.every(part => /^[A-Za-z0-9_-]+$/.test(part))) {
    throw malformed('it is no JSON web token')
  }
  try {
    return JSON.parse(Buffer.from(payload ?? '', 'base64url').toString('utf8'))
  } catch {
    throw malformed('its payload is not JSON')
  }
}

function malformed(why: string): GateError {
  const message = `the identity token of this job cannot be used: ${why}; nothing is signed and nothing is tagged`
  return new GateError('service', { reason: 'id-token-malformed', message })
}
