import { setTimeout as sleep } from 'node:timers/promises'
import type { attachArtifactToImage } from '@sigstore/oci'
import { GateError } from '../errors.js'
import { libraryRoute } from '../network.js'
import { isDigest, type Digest } from '../evidence/digest.js'
import { BUNDLE_MEDIA_TYPE } from '../evidence/bundle.js'
import { registryOrigin, type ImageReference } from '../evidence/reference.js'
import { cancelled, networkCode, registryError, type RegistryReason } from './failure.js'
import type { Credentials } from './credentials.js'

/** One bundle to hang on one digest. */
export interface Attachment {
  readonly image: ImageReference
  readonly credentials: Credentials | null
  readonly digest: Digest
  readonly bundle: Buffer
  readonly predicateType: string
  /** RFC 3339; part of the referrer manifest, so the same input gives the same digest. */
  readonly created: string
  readonly annotations?: Readonly<Record<string, string>>
  /** Time limit of each request, milliseconds. */
  readonly requestMs?: number
  /** Time limit of the whole upload, milliseconds. */
  readonly deadlineMs?: number
  readonly signal: AbortSignal
}

const RETRIES = { retries: 3, minTimeout: 500, factor: 2 }

/** One queue per digest: registries without a referrers interface lose entries written side by side. */
const queues = new Map<string, Promise<unknown>>()

/**
 * Uploads a bundle as OCI referrer of a digest (https://github.com/sigstore/cosign/blob/main/specs/BUNDLE_SPEC.md)
 * and returns the digest of the referrer manifest. Calls for the same digest run one after another. That the
 * registry kept it is for the caller to read back.
 */
export async function attachBundle(attachment: Attachment): Promise<Digest> {
  const key = `${attachment.image.name}@${attachment.digest}`
  const before = queues.get(key) ?? Promise.resolve()
  const mine = before.catch(() => undefined).then(() => upload(attachment))
  queues.set(key, mine)
  try {
    return await mine
  } finally {
    if (queues.get(key) === mine) queues.delete(key)
  }
}

type Attach = typeof attachArtifactToImage
type AttachOptions = Omit<Parameters<Attach>[0], 'credentials' | 'fetchOpts'> & {
  readonly credentials?: Parameters<Attach>[0]['credentials']
  /** Handed on whole to make-fetch-happen, which the types do not say. */
  readonly fetchOpts: { readonly timeout: number; readonly retry: object } & Awaited<
    ReturnType<typeof libraryRoute>
  >
}

async function upload(attachment: Attachment): Promise<Digest> {
  if (attachment.signal.aborted) throw cancelled()
  const library = await import('@sigstore/oci')
  // Anonymous access is no credentials at all, which the library does and its types do not say.
  const attach = library.attachArtifactToImage as (options: AttachOptions) => ReturnType<Attach>
  const { image, credentials, digest, bundle } = attachment
  const route = await libraryRoute(new URL(registryOrigin(image)))
  const attachAs = (as: Credentials | null): ReturnType<Attach> =>
    attach({
      imageName: image.name,
      imageDigest: digest,
      artifact: bundle,
      mediaType: BUNDLE_MEDIA_TYPE,
      annotations: annotationsOf(attachment),
      ...(as === null ? {} : { credentials: login(as) }),
      fetchOpts: { timeout: attachment.requestMs ?? 30_000, retry: RETRIES, ...route },
    })
  try {
    const descriptor = await limited(attachment, () =>
      attachAs(credentials).catch((thrown: unknown) => {
        if (credentials === null || !asksForNoLogin(thrown)) throw thrown
        return attachAs(null)
      }),
    )
    if (isDigest(descriptor.digest)) return descriptor.digest
    throw registryError('registry-answer', `${image.name} gives no digest of the referrer`)
  } catch (thrown) {
    throw thrown instanceof GateError ? thrown : explain(thrown, attachment)
  }
}

/** The library cannot log in where nobody asks for a login (a 202 without a challenge): then none is needed. */
function asksForNoLogin(thrown: unknown): boolean {
  return /Invalid challenge: *$/.test(causes(thrown))
}

function login(credentials: Credentials): { readonly username: string; readonly password: string } {
  return { username: credentials.username, password: credentials.secret }
}

/** The library knows neither a total time limit nor cancellation: what it still does then changes no tag. */
async function limited<T>(attachment: Attachment, work: () => Promise<T>): Promise<T> {
  const stop = new AbortController()
  const deadline = sleep(attachment.deadlineMs ?? 120_000, undefined, { signal: stop.signal, ref: false })
  const over = deadline.then(() => {
    throw registryError('registry-timeout', `${attachment.image.name} did not take an attestation in time`)
  })
  over.catch(() => undefined)
  const abort = new Promise<never>((_resolve, reject) => {
    const end = (): void => reject(cancelled())
    attachment.signal.addEventListener('abort', end, { once: true, signal: stop.signal })
  })
  try {
    return await Promise.race([work(), over, abort])
  } finally {
    stop.abort()
  }
}

function annotationsOf(attachment: Attachment): Record<string, string> {
  return {
    'org.opencontainers.image.created': attachment.created,
    'dev.sigstore.bundle.content': 'dsse-envelope',
    'dev.sigstore.bundle.predicateType': attachment.predicateType,
    ...attachment.annotations,
  }
}

function explain(thrown: unknown, attachment: Attachment): Error {
  const status = statusCode(thrown)
  const code = networkCode(thrown)
  const what = `attaching ${attachment.predicateType} to ${attachment.digest} in ${attachment.image.name}`
  if (status !== null && refusesFallback(status, thrown)) return fallbackRefused(what, status, thrown)
  const detail = status === null ? (code ?? 'no answer') : `HTTP ${status}`
  return registryError(reasonOf(status, code, thrown), `${what} failed: ${detail}; nothing is tagged`, thrown)
}

/** The library names the address that was not answered as it should. */
function refusesFallback(status: number, thrown: unknown): boolean {
  const written = /\/manifests\/sha256-[0-9a-f]{64} - expected 201\b/.test(causes(thrown))
  return written && status >= 400 && status < 500 && ![401, 408, 429].includes(status)
}

function fallbackRefused(what: string, status: number, thrown: unknown): Error {
  const message =
    `${what} failed: the registry does not let the tag sha256-… be written (HTTP ${status}), under which registries ` +
    'without the referrers interface list attestations; nothing is tagged. Exempt tags of this form from what keeps ' +
    'tags immutable, or use a registry with that interface. Did someone else release the same image now, run again'
  return registryError('fallback-refused', message, thrown)
}

function reasonOf(status: number | null, code: string | null, thrown: unknown): RegistryReason {
  if (status === 401 || status === 403) return 'registry-refused'
  if (status === 408 || status === 429 || (status !== null && status >= 500)) return 'registry-unavailable'
  if (status !== null) return 'registry-answer'
  if (/timeout|timed out|ETIMEDOUT|ERR_SOCKET_TIMEOUT/i.test(`${code ?? ''} ${causes(thrown)}`))
    return 'registry-timeout'
  return code === null ? 'registry-answer' : 'registry-unreachable'
}

function causes(thrown: unknown): string {
  return chain(thrown)
    .map(one => ('message' in one && typeof one.message === 'string' ? one.message : ''))
    .join(' ')
}

function statusCode(thrown: unknown): number | null {
  for (const one of chain(thrown)) {
    if ('statusCode' in one && typeof one.statusCode === 'number') return one.statusCode
  }
  return null
}

function chain(thrown: unknown): readonly object[] {
  const links: object[] = []
  let current: unknown = thrown
  while (typeof current === 'object' && current !== null && links.length < 6) {
    links.push(current)
    current = 'cause' in current ? current.cause : null
  }
  return links
}
