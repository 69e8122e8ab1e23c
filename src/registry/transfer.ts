import { GateError } from '../errors.js'
import { fetchOutbound, proxyFor } from '../network.js'
import { networkCode, registryError, TransientError } from './failure.js'

export interface TransferLimits {
  /** Time until the headers of the answer, milliseconds. */
  readonly answerMs: number
  /** Longest silence inside a body, milliseconds. */
  readonly idleMs: number
}

export interface TransferRequest {
  readonly url: URL
  readonly method: 'GET' | 'HEAD' | 'POST' | 'DELETE'
  readonly headers: Readonly<Record<string, string>>
  readonly body?: string
  readonly deadlineMs: number
  readonly limits: TransferLimits
  readonly signal: AbortSignal
}

/** An HTTP answer whose body is read under limits. */
export interface Reply {
  readonly status: number
  readonly headers: Headers
  /** The body in pieces; throws TransientError when it stalls or breaks. */
  readonly chunks: () => AsyncGenerator<Uint8Array>
  /** The whole body; GateError `registry-answer` when it is longer than `maxBytes`. */
  readonly read: (maxBytes: number) => Promise<Buffer>
  /** Ends the exchange; safe to call twice. */
  readonly discard: () => Promise<void>
}

const MAX_REDIRECTS = 5

/**
 * Sends one request without retries. Follows at most five redirects; the authorization header never leaves its
 * origin, and no redirect leads from https to http or from a public host to loopback. Time limits end as
 * TransientError `registry-timeout`, network failures as `registry-unreachable`.
 */
export async function transfer(request: TransferRequest): Promise<Reply> {
  const watch = startWatch(request)
  try {
    let url = request.url
    for (let hops = 0; hops <= MAX_REDIRECTS; hops += 1) {
      const response = await hop(request, url, watch)
      const location = redirectTarget(request, response, url)
      if (location === null) return toReply(response, url, watch)
      await response.body?.cancel()
      url = location
    }
  } catch (thrown) {
    watch.end()
    throw watch.explain(thrown, request.url)
  }
  watch.end()
  throw registryError('registry-answer', `${request.url.host} redirects more than ${MAX_REDIRECTS} times`)
}

interface Watch {
  readonly signal: AbortSignal
  readonly idleMs: number
  readonly arm: (milliseconds: number) => void
  readonly end: () => void
  readonly explain: (thrown: unknown, url: URL) => unknown
}

function startWatch(request: TransferRequest): Watch {
  const controller = new AbortController()
  const { limits, deadlineMs, signal } = request
  const state: { timedOut: boolean; idle: NodeJS.Timeout | null } = { timedOut: false, idle: null }
  const expire = (): void => {
    state.timedOut = true
    controller.abort()
  }
  const stop = (): void => controller.abort()
  const deadline = setTimeout(expire, deadlineMs)
  signal.addEventListener('abort', stop, { once: true })
  if (signal.aborted) stop()
  const arm = (milliseconds: number): void => {
    if (state.idle !== null) clearTimeout(state.idle)
    state.idle = setTimeout(expire, milliseconds)
  }
  arm(limits.answerMs)
  return {
    signal: controller.signal,
    idleMs: limits.idleMs,
    arm,
    end: () => {
      clearTimeout(deadline)
      if (state.idle !== null) clearTimeout(state.idle)
      signal.removeEventListener('abort', stop)
    },
    explain: (thrown, url) => explain(thrown, url, state.timedOut),
  }
}

function explain(thrown: unknown, url: URL, timedOut: boolean): unknown {
  if (timedOut) return new TransientError('registry-timeout', `${url.host} did not answer in time`)
  if (thrown instanceof GateError || thrown instanceof TransientError) return thrown
  const code = networkCode(thrown)
  if (code !== null && TLS_FAILURE.test(code)) return untrusted(url, code, thrown)
  const proxy = proxyFor(url, process.env)
  const way = proxy === null ? '' : ` through the proxy ${proxy.host}`
  const message = `${url.host} cannot be reached${way}${code === null ? '' : ` (${code})`}`
  return new TransientError('registry-unreachable', message, { cause: thrown })
}

/** Codes of Node and OpenSSL for a connection that is there and not believed: trying again does not heal it. */
const TLS_FAILURE = /^(?:EPROTO$|ERR_SSL_|ERR_TLS_|CERT_|UNABLE_TO_|SELF_SIGNED_|DEPTH_ZERO_)/

function untrusted(url: URL, code: string, cause: unknown): GateError {
  const why = /^(?:EPROTO|ERR_SSL_)/.test(code)
    ? 'it does not speak TLS as it should; plain http is spoken on localhost and 127.0.0.1, with a port, alone'
    : 'its certificate is not believed; name the file of its authority in SSL_CERT_FILE'
  return registryError('registry-tls', `${url.host}: ${why} (${code})`, cause)
}

function hop(request: TransferRequest, url: URL, watch: Watch): Promise<Response> {
  const headers: Record<string, string> = { 'accept-encoding': 'identity', ...request.headers }
  if (url.origin !== request.url.origin) delete headers['authorization']
  return fetchOutbound(url, {
    method: request.method,
    headers,
    redirect: 'manual',
    signal: watch.signal,
    ...(request.body === undefined ? {} : { body: request.body }),
  })
}

function redirectTarget(request: TransferRequest, response: Response, from: URL): URL | null {
  if (![301, 302, 303, 307, 308].includes(response.status)) return null
  const location = response.headers.get('location')
  const target = location === null || !URL.canParse(location, from.href) ? null : new URL(location, from)
  if (target === null || request.method === 'POST' || !sameSafety(request.url, target)) {
    throw registryError('registry-answer', `${from.host} redirects to a place that is not followed`)
  }
  return target
}

function sameSafety(origin: URL, target: URL): boolean {
  if (target.protocol === 'https:') return true
  return origin.protocol === 'http:' && target.protocol === 'http:' && isLoopback(target.hostname)
}

function isLoopback(hostname: string): boolean {
  return hostname === 'localhost' || hostname === '127.0.0.1'
}

function toReply(response: Response, url: URL, watch: Watch): Reply {
  const body = response.body
  watch.arm(watch.idleMs)
  async function* chunks(): AsyncGenerator<Uint8Array> {
    if (body === null) return
    const reader = body.getReader()
    try {
      for (;;) {
        const piece: { readonly done: boolean; readonly value?: Uint8Array } = await reader.read()
        if (piece.done || piece.value === undefined) return
        watch.arm(watch.idleMs)
        yield piece.value
      }
    } catch (thrown) {
      throw watch.explain(thrown, url)
    } finally {
      watch.end()
      await reader.cancel().catch(() => undefined)
      reader.releaseLock()
    }
  }
  return {
    status: response.status,
    headers: response.headers,
    chunks,
    read: maxBytes => collect(chunks(), maxBytes, url),
    discard: async () => {
      watch.end()
      if (body !== null && !body.locked) await body.cancel().catch(() => undefined)
    },
  }
}

async function collect(chunks: AsyncGenerator<Uint8Array>, maxBytes: number, url: URL): Promise<Buffer> {
  const parts: Uint8Array[] = []
  let size = 0
  for await (const chunk of chunks) {
    size += chunk.byteLength
    if (size > maxBytes) {
      throw registryError(
        'registry-answer',
        `${url.host} answers more than ${maxBytes} bytes; not read further`,
      )
    }
    parts.push(chunk)
  }
  return Buffer.concat(parts)
}
