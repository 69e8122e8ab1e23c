import { z } from 'zod'
import type { ImageReference } from '../evidence/reference.js'
import { parseChallenge, type Challenge } from './challenge.js'
import { registryError, TransientError } from './failure.js'
import type { Credentials } from './credentials.js'
import { transfer, type TransferLimits } from './transfer.js'

export interface AuthoriseRequest {
  readonly image: ImageReference
  readonly credentials: Credentials | null
  readonly access: 'pull' | 'pull,push'
  readonly challenge: string | null
  readonly limits: TransferLimits
  readonly signal: AbortSignal
}

const IDENTITY_TOKEN = '<token>'
const MAX_TOKEN_ANSWER = 1024 * 1024
const tokenSchema = z.object({ token: z.string().optional(), access_token: z.string().optional() })

/**
 * Answers a registry's challenge with the value of an authorization header: basic, or a bearer token asked from
 * the named realm (https://distribution.github.io/distribution/spec/auth/token/). The realm must be https, or
 * loopback when the registry is loopback itself. Refuses with GateError `registry-refused`.
 */
export async function authorise(request: AuthoriseRequest): Promise<string> {
  const challenge = parseChallenge(request.challenge)
  const { image, credentials } = request
  if (challenge === null) throw refused(image, 'it asks for a login in a way that is not supported')
  if (challenge.scheme === 'bearer') return `Bearer ${await fetchToken(request, challenge)}`
  if (credentials === null)
    throw refused(image, 'it asks for a login and no credentials are known; log in first')
  return `Basic ${basic(credentials)}`
}

async function fetchToken(request: AuthoriseRequest, challenge: Challenge): Promise<string> {
  const { image, credentials } = request
  const realm = challenge.parameters['realm']
  const url = realm !== undefined && URL.canParse(realm) ? new URL(realm) : null
  if (url === null || !trusted(url, image))
    throw refused(image, 'it names a token service that is not trusted')
  const scope = `repository:${image.path}:${request.access}`
  const service = challenge.parameters['service']
  const identity = credentials?.username === IDENTITY_TOKEN ? credentials.secret : null
  const form = identity === null ? null : oauthForm(scope, service, identity)
  if (form === null) {
    url.searchParams.set('scope', scope)
    if (service !== undefined) url.searchParams.set('service', service)
  }
  const reply = await transfer({
    url,
    method: form === null ? 'GET' : 'POST',
    headers: {
      ...(form === null ? {} : { 'content-type': 'application/x-www-form-urlencoded' }),
      ...(form === null && credentials !== null ? { authorization: `Basic ${basic(credentials)}` } : {}),
    },
    ...(form === null ? {} : { body: form }),
    deadlineMs: 30_000,
    limits: request.limits,
    signal: request.signal,
  })
  const body = await reply.read(MAX_TOKEN_ANSWER)
  if (reply.status === 429 || reply.status >= 500) {
    throw new TransientError(
      'registry-unavailable',
      `the token service ${url.host} answers HTTP ${reply.status}`,
    )
  }
  if (reply.status !== 200)
    throw refused(image, `its token service answers HTTP ${reply.status}; check the login`)
  return readToken(body, image)
}

function readToken(body: Buffer, image: ImageReference): string {
  let value: unknown
  try {
    value = JSON.parse(body.toString('utf8'))
  } catch {
    throw refused(image, 'its token service does not answer in JSON')
  }
  const parsed = tokenSchema.safeParse(value)
  const token = parsed.success ? (parsed.data.token ?? parsed.data.access_token) : undefined
  if (token === undefined || !/^[\x21-\x7e]+$/.test(token))
    throw refused(image, 'its token service gives no token')
  return token
}

function oauthForm(scope: string, service: string | undefined, identity: string): string {
  return new URLSearchParams({
    grant_type: 'refresh_token',
    service: service ?? '',
    client_id: 'portcullis',
    scope,
    refresh_token: identity,
  }).toString()
}

function trusted(realm: URL, image: ImageReference): boolean {
  if (realm.username !== '' || realm.password !== '') return false
  if (realm.protocol === 'https:') return true
  return realm.protocol === 'http:' && image.loopback && ['localhost', '127.0.0.1'].includes(realm.hostname)
}

function basic(credentials: Credentials): string {
  return Buffer.from(`${credentials.username}:${credentials.secret}`, 'utf8').toString('base64')
}

function refused(image: ImageReference, why: string): Error {
  return registryError('registry-refused', `${image.name}: ${why}`)
}
