import { createHash, randomBytes } from 'node:crypto'
import { open, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { GateError, describeError } from '../errors.js'
import { fetchOutbound } from '../network.js'
import { isFetchable } from './sources.js'

/** Limits of one download. Times in milliseconds. */
export interface DownloadLimits {
  readonly maxBytes: number
  /** Until the answer's head is there, and between two pieces of its body. */
  readonly idleMs: number
  readonly totalMs: number
  readonly attempts: number
  /** Attempts when no connection comes about at all (no such name, refused, no route). */
  readonly connectAttempts: number
  /** First pause between attempts; doubles each time. A longer `Retry-After` is obeyed up to `maxPauseMs`. */
  readonly pauseMs: number
  readonly maxPauseMs: number
}

export const DOWNLOAD_LIMITS: DownloadLimits = {
  maxBytes: 300 * 1024 * 1024,
  idleMs: 30_000,
  totalMs: 15 * 60_000,
  attempts: 4,
  connectAttempts: 4,
  pauseMs: 1000,
  maxPauseMs: 60_000,
}

export interface Download {
  readonly url: string
  /** Expected SHA-256, hex. */
  readonly sha256: string
  readonly folder: string
  /** File name in `folder` once everything is there and proved. */
  readonly fileName: string
  readonly limits: DownloadLimits
  readonly signal: AbortSignal
  readonly log: (line: string) => void
}

/** A failure that another attempt may heal; `after` is what the host asked us to wait, in milliseconds. */
interface Hiccup {
  readonly why: string
  readonly after?: number
  /** True when there was no connection at all. */
  readonly offline?: boolean
}
type Attempt = { readonly path: string } | { readonly hiccup: Hiccup }

const MAX_REDIRECTS = 5

/**
 * Fetches one file into a folder and proves it. The bytes are hashed while they arrive in a file of their own, which
 * takes its name only when the hash is the expected one, so two downloads at once cannot harm each other. Refuses:
 * another hash (`asset-hash-mismatch`), more than `maxBytes` (`asset-too-big`), redirects away from https, a missing
 * file (`asset-missing`). A host that does not answer well after all attempts is `host-unreachable` (service).
 */
export async function downloadFile(download: Download): Promise<string> {
  const { limits, signal } = download
  const whole = AbortSignal.any([signal, AbortSignal.timeout(limits.totalMs)])
  let last = 'no attempt was made'
  for (let attempt = 1; attempt <= limits.attempts; attempt += 1) {
    const outcome = await attemptDownload(download, whole)
    if ('path' in outcome) return outcome.path
    last = outcome.hiccup.why
    const most =
      outcome.hiccup.offline === true ? Math.min(limits.connectAttempts, limits.attempts) : limits.attempts
    if (whole.aborted || attempt >= most) break
    const pause = pauseBefore(outcome.hiccup, attempt, limits)
    download.log(`${download.fileName}: ${last}; trying again in ${pause} ms (${attempt + 1} of ${most})`)
    await wait(pause, undefined, { signal: whole }).catch(() => undefined)
  }
  if (signal.aborted)
    throw new GateError('tool', { reason: 'cancelled', message: 'The download was cancelled.' })
  throw new GateError('service', {
    reason: 'host-unreachable',
    message: `${download.url} could not be fetched: ${last}. Try again later, or use tools: mirror:URL, dir:PATH, or source (builds them, needs Go).`,
  })
}

function pauseBefore(hiccup: Hiccup, attempt: number, limits: DownloadLimits): number {
  const growing = limits.pauseMs * 2 ** (attempt - 1)
  return Math.min(Math.max(growing, hiccup.after ?? 0), limits.maxPauseMs)
}

async function attemptDownload(download: Download, signal: AbortSignal): Promise<Attempt> {
  const idle = new AbortController()
  const timer = setTimeout(() => idle.abort(new Error('the host stopped answering')), download.limits.idleMs)
  try {
    const answer = await follow(download.url, AbortSignal.any([signal, idle.signal]))
    if ('hiccup' in answer) return answer
    const path = await receive(download, {
      body: answer.body,
      length: answer.length,
      alive: () => void timer.refresh(),
    })
    return { path }
  } catch (thrown) {
    if (thrown instanceof GateError) throw thrown
    if (idle.signal.aborted) return { hiccup: { why: 'the host stopped answering' } }
    return { hiccup: { why: describeFetchError(thrown), offline: isOffline(thrown) } }
  } finally {
    clearTimeout(timer)
    idle.abort()
  }
}

type Answer =
  | { readonly body: AsyncIterable<Uint8Array>; readonly length: number | undefined }
  | { readonly hiccup: Hiccup }

async function follow(first: string, signal: AbortSignal): Promise<Answer> {
  let url = new URL(first)
  for (let redirects = 0; redirects <= MAX_REDIRECTS; redirects += 1) {
    if (!isFetchable(url))
      throw new GateError('integrity', {
        reason: 'insecure-redirect',
        message: `${first} led to ${url.origin}, which is not https. Nothing was fetched from there.`,
      })
    const response = await fetchOutbound(url, {
      redirect: 'manual',
      signal,
      headers: { 'accept-encoding': 'identity', 'user-agent': 'portcullis' },
    })
    const location = response.headers.get('location')
    if (response.status >= 300 && response.status < 400 && location !== null) {
      await response.body?.cancel()
      url = new URL(location, url)
      continue
    }
    return readHead(first, response)
  }
  throw new GateError('service', { reason: 'too-many-redirects', message: `${first} redirects without end.` })
}

async function readHead(url: string, response: Response): Promise<Answer> {
  const { status, body } = response
  if (status === 200 && body !== null) {
    const length = response.headers.get('content-length')
    return { body, length: length !== null && /^\d+$/u.test(length) ? Number(length) : undefined }
  }
  await body?.cancel()
  const after = retryAfter(response.headers.get('retry-after'))
  if (status === 408 || status === 429 || status >= 500)
    return { hiccup: { why: `the host answered ${status}`, ...(after === undefined ? {} : { after }) } }
  throw new GateError('service', {
    reason: 'asset-missing',
    message: `${url} is not there (the host answered ${status}). Use tools: mirror:URL or dir:PATH with the asset of that name.`,
  })
}

/** `Retry-After` as seconds or HTTP date (RFC 9110, 10.2.3), in milliseconds from now. */
export function retryAfter(value: string | null, now: number = Date.now()): number | undefined {
  if (value === null) return undefined
  if (/^\d{1,9}$/u.test(value.trim())) return Number(value) * 1000
  const date = Date.parse(value)
  return Number.isNaN(date) ? undefined : Math.max(0, date - now)
}

interface Body {
  readonly body: AsyncIterable<Uint8Array>
  readonly length: number | undefined
  readonly alive: () => void
}

async function receive(download: Download, { body, length, alive }: Body): Promise<string> {
  const { limits, folder, fileName, sha256 } = download
  if (length !== undefined && length > limits.maxBytes) throw tooBig(download)
  const part = join(folder, `${fileName}.${randomBytes(8).toString('hex')}.part`)
  const file = await open(part, 'wx', 0o600).catch((cause: unknown) => notWritten(fileName, cause))
  try {
    const hash = createHash('sha256')
    let size = 0
    for await (const chunk of body) {
      alive()
      size += chunk.length
      if (size > limits.maxBytes) throw tooBig(download)
      hash.update(chunk)
      await file.writeFile(chunk).catch((cause: unknown) => notWritten(fileName, cause))
    }
    if (length !== undefined && size !== length) throw new Error(`only ${size} of ${length} bytes arrived`)
    const found = hash.digest('hex')
    if (found !== sha256) throw wrongHash(download, found)
    await file.sync().catch((cause: unknown) => notWritten(fileName, cause))
    await file.close()
    const target = join(folder, fileName)
    await rename(part, target)
    return target
  } finally {
    await file.close().catch(() => undefined)
    await rm(part, { force: true })
  }
}

function notWritten(fileName: string, cause: unknown): never {
  const message = `${fileName} could not be written: ${describeError(cause)}. Is the disk full?`
  throw new GateError('tool', { reason: 'download-not-written', message, cause })
}

function tooBig({ url, limits }: Download): GateError {
  const message = `${url} is bigger than the ${limits.maxBytes} bytes allowed. Nothing of it was kept.`
  return new GateError('integrity', { reason: 'asset-too-big', message })
}

function wrongHash({ url, sha256 }: Download, found: string): GateError {
  return new GateError('integrity', {
    reason: 'asset-hash-mismatch',
    message: `${url} has SHA-256 ${found}, expected ${sha256}. It is not what was pinned; nothing of it was kept or started.`,
  })
}

function describeFetchError(thrown: unknown): string {
  const cause = causeOf(thrown)
  return cause === undefined ? describeError(thrown) : `${describeError(thrown)} (${describeError(cause)})`
}

const OFFLINE = new Set([
  ...['ENOTFOUND', 'EAI_AGAIN', 'ECONNREFUSED', 'ENETUNREACH', 'EHOSTUNREACH', 'UND_ERR_CONNECT_TIMEOUT'],
])

/** True for the errors of `fetch` that mean that no connection came about. */
function isOffline(thrown: unknown): boolean {
  const cause = causeOf(thrown)
  const code = typeof cause === 'object' && cause !== null && 'code' in cause ? cause.code : undefined
  return typeof code === 'string' && OFFLINE.has(code)
}

function causeOf(thrown: unknown): unknown {
  return typeof thrown === 'object' && thrown !== null && 'cause' in thrown ? thrown.cause : undefined
}
