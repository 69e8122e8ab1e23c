import { setTimeout as sleep } from 'node:timers/promises'
import { registryOrigin, type ImageReference } from '../evidence/reference.js'
import type { GateError } from '../errors.js'
import { authorise } from './authorise.js'
import type { Credentials } from './credentials.js'
import { cancelled, registryError, TransientError } from './failure.js'
import { transfer, type Reply, type TransferLimits } from './transfer.js'

export interface RegistryLimits extends TransferLimits {
  /** Tries of one exchange, the first included. */
  readonly attempts: number
  /** How long one exchange may be tried again, waiting included, milliseconds. */
  readonly retryBudgetMs: number
  /** First pause between tries, milliseconds; doubles each time. */
  readonly backOffMs: number
}

export const DEFAULT_LIMITS: RegistryLimits = {
  attempts: 5,
  retryBudgetMs: 60_000,
  backOffMs: 500,
  answerMs: 30_000,
  idleMs: 30_000,
}

export interface RegistryOptions {
  readonly image: ImageReference
  readonly credentials: Credentials | null
  readonly access: 'pull' | 'pull,push'
  readonly signal: AbortSignal
  readonly limits?: Partial<RegistryLimits>
}

export interface RegistryRequest {
  readonly method: 'GET' | 'HEAD' | 'POST' | 'DELETE'
  /** Path below `/v2/NAME/`, or a full URL on the same origin. */
  readonly path: string
  readonly accept?: string
  /** Time for the whole exchange, body included, milliseconds. */
  readonly deadlineMs?: number
}

/** One repository of one registry, spoken to by the OCI distribution specification 1.1. */
export interface Registry {
  readonly image: ImageReference
  readonly limits: RegistryLimits
  /**
   * One exchange with retries: `consume` reads the reply and may run again when the connection breaks while it
   * reads. 401 and 403 are `registry-refused`, 429 and 5xx are tried again within the budget; every other status
   * is the caller's.
   */
  exchange<T>(request: RegistryRequest, consume: (reply: Reply) => Promise<T>): Promise<T>
}

/** Opens a repository. Nothing is sent yet. Credentials stay in memory and are sent to this registry alone. */
export function openRegistry(options: RegistryOptions): Registry {
  const limits = { ...DEFAULT_LIMITS, ...options.limits }
  const origin = registryOrigin(options.image)
  const session: Session = { options, limits, origin, authorization: null }
  return {
    image: options.image,
    limits,
    exchange: (request, consume) => retried(session, () => once(session, request, consume)),
  }
}

interface Session {
  readonly options: RegistryOptions
  readonly limits: RegistryLimits
  readonly origin: string
  authorization: string | null
}

async function once<T>(
  session: Session,
  request: RegistryRequest,
  consume: (reply: Reply) => Promise<T>,
): Promise<T> {
  const first = await send(session, request)
  if (first.status !== 401) return finish(session, first, consume)
  const challenge = first.headers.get('www-authenticate')
  await first.discard()
  const { image, credentials, access, signal } = session.options
  session.authorization = await authorise({
    image,
    credentials,
    access,
    signal,
    challenge,
    limits: session.limits,
  })
  return finish(session, await send(session, request), consume)
}

function send(session: Session, request: RegistryRequest): Promise<Reply> {
  const base = `${session.origin}/v2/${session.options.image.path}/`
  const url = new URL(request.path, base)
  if (url.origin !== session.origin) {
    throw registryError('registry-answer', `${session.options.image.host} names a page on another host`)
  }
  return transfer({
    url,
    method: request.method,
    headers: {
      ...(request.accept === undefined ? {} : { accept: request.accept }),
      ...(session.authorization === null ? {} : { authorization: session.authorization }),
    },
    deadlineMs: request.deadlineMs ?? 60_000,
    limits: session.limits,
    signal: session.options.signal,
  })
}

async function finish<T>(session: Session, reply: Reply, consume: (reply: Reply) => Promise<T>): Promise<T> {
  const { status } = reply
  const { image, credentials } = session.options
  if (status === 401 || status === 403) {
    await reply.discard()
    session.authorization = null
    const hint =
      credentials === null ? 'no credentials are known for it: log in first' : 'check the rights of the login'
    throw registryError('registry-refused', `${image.name} refuses the request (HTTP ${status}); ${hint}`)
  }
  if (status === 408 || status === 429 || status >= 500) {
    const retryAfterMs = parseRetryAfter(reply.headers.get('retry-after'), reply.headers.get('date'))
    await reply.discard()
    throw new TransientError('registry-unavailable', `${image.host} answers HTTP ${status}`, { retryAfterMs })
  }
  try {
    return await consume(reply)
  } finally {
    await reply.discard()
  }
}

async function retried<T>(session: Session, attempt: () => Promise<T>): Promise<T> {
  const { limits, options } = session
  const started = performance.now()
  for (let tries = 1; ; tries += 1) {
    refuseWhenStopped(options.signal)
    try {
      return await attempt()
    } catch (thrown) {
      refuseWhenStopped(options.signal)
      if (!(thrown instanceof TransientError)) throw thrown
      const pause = thrown.retryAfterMs ?? limits.backOffMs * 2 ** (tries - 1)
      const spent = performance.now() - started
      if (tries >= limits.attempts || spent + pause > limits.retryBudgetMs)
        throw givenUp(thrown, options, tries)
      await sleep(pause, undefined, { signal: options.signal }).catch(() => undefined)
    }
  }
}

function refuseWhenStopped(signal: AbortSignal): void {
  if (signal.aborted) throw cancelled()
}

function givenUp(failure: TransientError, options: RegistryOptions, tries: number): GateError {
  const message = `${options.image.name}: ${failure.message}, after ${tries} ${tries === 1 ? 'try' : 'tries'}; check the registry and run again`
  return registryError(failure.reason, message, failure)
}

/** RFC 9110, section 10.2.3: seconds or a date, here measured against the server's own clock. */
function parseRetryAfter(value: string | null, date: string | null): number | null {
  if (value === null) return null
  if (/^\d{1,6}$/.test(value.trim())) return Number(value) * 1000
  const until = Date.parse(value)
  const now = date === null ? Number.NaN : Date.parse(date)
  return Number.isNaN(until) || Number.isNaN(now) ? null : Math.max(0, until - now)
}
