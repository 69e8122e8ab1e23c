import { setTimeout as sleep } from 'node:timers/promises'
import { z } from 'zod'
import { GateError } from '../errors.js'
import { fetchOutbound } from '../network.js'
import { MAX_TOKEN } from '../evidence/id-token.js'

/** Time limits of asking for a token, milliseconds. */
export interface IdTokenLimits {
  /** One question, answer included. */
  readonly answerMs: number
  /** All questions and the pauses between them. */
  readonly budgetMs: number
  /** First pause; doubles each time. */
  readonly pauseMs: number
}

const LIMITS: IdTokenLimits = { answerMs: 15_000, budgetMs: 60_000, pauseMs: 1000 }
const MAX_ANSWER_BYTES = 64 * 1024
const VARIABLES = ['ACTIONS_ID_TOKEN_REQUEST_URL', 'ACTIONS_ID_TOKEN_REQUEST_TOKEN'] as const
type Environment = Readonly<Record<string, string | undefined>>

const answerSchema = z.object({
  value: z
    .string()
    .max(MAX_TOKEN)
    .regex(/^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$/),
})

/** Why a run with this environment can have no identity token, or undefined. Asks nobody. */
export function idTokenProblem(environment: Environment): string | undefined {
  const absent = VARIABLES.filter(name => (environment[name] ?? '') === '')
  if (absent.length > 0) {
    return (
      'keyless signing needs the identity token of a GitHub Actions job, and this run was given none: ' +
      "add 'id-token: write' (with 'contents: read') to the permissions of the job, or sign with a key"
    )
  }
  return endpointOf(environment) === undefined
    ? 'ACTIONS_ID_TOKEN_REQUEST_URL is no https address: it is not used'
    : undefined
}

/**
 * Asks the service of the job for one token with this audience
 * (https://docs.github.com/actions/reference/security/oidc). No answer, 429 and 5xx are tried again within the
 * budget. Refuses, always without any part of a token or of an answer in the message: `id-token-missing` (config),
 * `id-token-refused` (config), `id-token-unavailable` and `id-token-malformed` (service). Redirects are not followed.
 */
export async function requestIdToken(
  given: {
    readonly environment: Environment
    readonly signal: AbortSignal
    readonly limits?: Partial<IdTokenLimits>
  },
  audience: string,
): Promise<string> {
  const { environment, signal } = given
  const limits = { ...LIMITS, ...given.limits }
  const problem = idTokenProblem(environment)
  const url = endpointOf(environment)
  if (problem !== undefined || url === undefined) {
    throw new GateError('config', { reason: 'id-token-missing', message: problem ?? 'there is no endpoint' })
  }
  url.searchParams.set('audience', audience)
  const bearer = environment['ACTIONS_ID_TOKEN_REQUEST_TOKEN'] ?? ''
  const until = performance.now() + limits.budgetMs
  for (let tries = 1; ; tries += 1) {
    const answer = await ask(url, bearer, AbortSignal.any([signal, AbortSignal.timeout(limits.answerMs)]))
    if ('token' in answer) return answer.token
    const pause = limits.pauseMs * 2 ** (tries - 1)
    if (signal.aborted) throw stopped()
    if (performance.now() + pause > until) throw unavailable(answer.why, tries)
    await sleep(pause, undefined, { signal }).catch(() => undefined)
  }
}

/** The endpoint, https alone; http on this machine, for stand-ins. */
function endpointOf(environment: Environment): URL | undefined {
  const text = environment['ACTIONS_ID_TOKEN_REQUEST_URL'] ?? ''
  if (!URL.canParse(text)) return undefined
  const url = new URL(text)
  const safe =
    url.protocol === 'https:' ||
    (url.protocol === 'http:' && /^(?:127\.0\.0\.1|localhost)$/.test(url.hostname))
  return safe ? url : undefined
}

type Answer = { readonly token: string } | { readonly why: string }

async function ask(url: URL, bearer: string, signal: AbortSignal): Promise<Answer> {
  try {
    const headers = { authorization: `Bearer ${bearer}`, accept: 'application/json' }
    const response = await fetchOutbound(url, { headers, redirect: 'manual', signal })
    const { status } = response
    if (status === 429 || status >= 500) {
      await response.body?.cancel()
      return { why: `it answers HTTP ${String(status)}` }
    }
    if (status !== 200) {
      await response.body?.cancel()
      throw refused(status)
    }
    return { token: tokenIn(await readCapped(response)) }
  } catch (thrown) {
    if (thrown instanceof GateError) throw thrown
    // The words of a network error may hold the address: only the fact is told.
    return { why: signal.aborted ? 'it did not answer in time' : 'it cannot be reached' }
  }
}

async function readCapped(response: Response): Promise<string> {
  const parts: Uint8Array[] = []
  let size = 0
  const body: AsyncIterable<Uint8Array> | readonly Uint8Array[] = response.body ?? []
  for await (const chunk of body) {
    size += chunk.byteLength
    if (size > MAX_ANSWER_BYTES) throw malformed('its answer is too long')
    parts.push(chunk)
  }
  return Buffer.concat(parts).toString('utf8')
}

function tokenIn(text: string): string {
  const parsed = answerSchema.safeParse(parseJson(text))
  if (parsed.success) return parsed.data.value
  throw malformed('its answer holds no token')
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function refused(status: number): GateError {
  const message =
    `the token service of this job refuses the request (HTTP ${String(status)}); nothing is signed. ` +
    "Check that the job has the permission 'id-token: write'"
  return new GateError('config', { reason: 'id-token-refused', message })
}

function unavailable(why: string, tries: number): GateError {
  const message =
    `the token service of this job gave no identity token: ${why}, after ${String(tries)} ` +
    `${tries === 1 ? 'try' : 'tries'}; nothing is signed and nothing is tagged. Run again`
  return new GateError('service', { reason: 'id-token-unavailable', message })
}

function malformed(why: string): GateError {
  const message = `the token service of this job cannot be understood: ${why}; nothing is signed`
  return new GateError('service', { reason: 'id-token-malformed', message })
}

function stopped(): GateError {
  return new GateError('service', { reason: 'cancelled', message: 'the run was stopped; nothing is signed' })
}
