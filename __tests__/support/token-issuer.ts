import { createSign, generateKeyPairSync, randomUUID } from 'node:crypto'
import { createServer } from 'node:http'
import type { IncomingMessage, ServerResponse } from 'node:http'

/** Claims of a token; undefined removes one. https://docs.github.com/actions/reference/security/oidc */
export type Claims = Readonly<Record<string, string | number | undefined>>

/** What the token endpoint does instead of giving a token. */
export type IssuerTrouble = 'hang' | 'cut' | { readonly status: number; readonly body?: string }

/** An issuer of tokens like GitHub's, with the endpoint a job asks, on loopback. */
export interface TokenIssuer {
  /** Issuer of the tokens: `http://127.0.0.1:PORT`. */
  readonly url: string
  /** What the runner hands to a job with `id-token: write`. */
  readonly environment: Readonly<
    Record<'ACTIONS_ID_TOKEN_REQUEST_URL' | 'ACTIONS_ID_TOKEN_REQUEST_TOKEN', string>
  >
  /** Every token that was given out. */
  readonly given: readonly string[]
  /** Query of every request for a token. */
  readonly asked: readonly string[]
  /** Changes of the claims of tokens from now on; {} for none. */
  readonly claim: (changes: Claims) => void
  /** From now on each request for a token, counted from 1, is put to this function; null: all get one. */
  readonly trouble: (rule: ((count: number) => IssuerTrouble | null) | null) => void
  readonly stop: () => Promise<void>
}

/** The repository, workflow and run that tokens speak of unless told otherwise. */
export const JOB = {
  repository: 'octo-org/app',
  repository_id: '1',
  repository_owner_id: '2',
  ref: 'refs/heads/main',
  workflow_ref: 'octo-org/app/.github/workflows/release.yml@refs/heads/main',
  sha: 'a'.repeat(40),
  run_id: '4242',
} as const

export const SIGNER = `https://github.com/${JOB.workflow_ref}`

export async function startIssuer(): Promise<TokenIssuer> {
  const requestToken = `request-token-${randomUUID()}`
  const keys = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const jwk = { ...keys.publicKey.export({ format: 'jwk' }), kid: 'k1', alg: 'RS256', use: 'sig' }
  const given: string[] = []
  const asked: string[] = []
  let changes: Claims = {}
  let rule: ((count: number) => IssuerTrouble | null) | null = null
  let counted = 0

  function sign(payload: object): string {
    const head = `${encoded({ alg: 'RS256', typ: 'JWT', kid: 'k1' })}.${encoded(payload)}`
    return `${head}.${createSign('RSA-SHA256').update(head).sign(keys.privateKey).toString('base64url')}`
  }

  function token(request: IncomingMessage, response: ServerResponse, query: URLSearchParams): void {
    asked.push(query.toString())
    counted += 1
    const trouble = rule?.(counted) ?? null
    if (trouble === 'hang') return
    if (trouble === 'cut') request.socket.destroy()
    else if (trouble !== null) response.writeHead(trouble.status).end(trouble.body ?? '')
    else if (request.headers.authorization === `Bearer ${requestToken}`) {
      const value = sign({ ...claimsOf(url, query.get('audience') ?? ''), ...changes })
      given.push(value)
      json(response, 200, { value, count: value.length })
    } else json(response, 401, { message: 'no' })
  }

  const server = createServer((request, response) => {
    const { pathname, searchParams } = new URL(request.url ?? '/', url)
    if (pathname === '/.well-known/openid-configuration') json(response, 200, discovery(url))
    else if (pathname === '/jwks') json(response, 200, { keys: [jwk] })
    else if (pathname === '/token') token(request, response, searchParams)
    else json(response, 404, {})
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('the issuer has no port')
  const url = `http://127.0.0.1:${String(address.port)}`
  return {
    url,
    environment: {
      ACTIONS_ID_TOKEN_REQUEST_URL: `${url}/token?api-version=2.0`,
      ACTIONS_ID_TOKEN_REQUEST_TOKEN: requestToken,
    },
    ...{ given, asked },
    claim: next => void (changes = next),
    trouble: next => {
      rule = next
      counted = 0
    },
    stop: async () => {
      server.closeAllConnections()
      await new Promise(resolve => server.close(resolve))
    },
  }
}

function claimsOf(issuer: string, audience: string): Claims {
  const now = Math.floor(Date.now() / 1000)
  return {
    ...{ iss: issuer, aud: audience, iat: now, nbf: now - 5, exp: now + 300, jti: randomUUID() },
    ...{ sub: `repo:${JOB.repository}:ref:${JOB.ref}`, event_name: 'push', run_attempt: '1', ...JOB },
    ...{ repository_owner: 'octo-org', repository_visibility: 'public', workflow: 'release' },
    ...{ job_workflow_ref: JOB.workflow_ref, job_workflow_sha: JOB.sha, workflow_sha: JOB.sha },
    ...{ runner_environment: 'github-hosted', ref_type: 'branch', actor: 'octocat' },
  }
}

function discovery(issuer: string): object {
  return {
    issuer,
    jwks_uri: `${issuer}/jwks`,
    response_types_supported: ['id_token'],
    subject_types_supported: ['public'],
    id_token_signing_alg_values_supported: ['RS256'],
  }
}

function encoded(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url')
}

function json(response: ServerResponse, status: number, value: object): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(value))
}
