import { GateError } from '../errors.js'
import { isDigest, type Digest } from './digest.js'

/** A repository in a registry, normalised: `docker.io/library/debian`, `ghcr.io/acme/app`. */
export interface ImageReference {
  /** Registry host with port, as written, `docker.io` when the text names none. */
  readonly host: string
  readonly path: string
  /** `host/path`. */
  readonly name: string
  /** True for localhost and 127.0.0.1 with a port: the only hosts that are spoken to without TLS. */
  readonly loopback: boolean
}

/** A reference that may carry a tag, a digest or both. */
export interface FullReference {
  readonly image: ImageReference
  readonly tag?: string
  readonly digest?: Digest
}

const MAX_NAME = 255
const PATH_COMPONENT = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*$/
const HOST =
  /^(?:[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?)(?:\.[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?)*(?::[0-9]{1,5})?$/
const TAG = /^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$/
/** Tags that registries without a referrers API use for the list of referrers, and older signature tags. */
const RESERVED_TAG = /^sha(?:256|512)-[0-9a-f]{32,}/
const HEX_IDENTIFIER = /^[0-9a-f]{64}$/

/**
 * Reads the name of an image without tag or digest, by the grammar of Docker's references
 * (https://github.com/distribution/reference): the first component is a host when it contains a dot or a
 * colon, is `localhost` or has capitals; else the host is docker.io, and one component alone is in `library/`.
 * Refuses tags, digests, schemes, IPv6 hosts, paths of one character (Cosign and crane refuse them) and names over
 * 255 characters with GateError `config`.
 */
export function parseImageName(text: string): ImageReference {
  const refuse = (why: string): GateError => invalidName(text, why)
  if (text.includes('://')) throw refuse('leave out the scheme')
  if (text.includes('@')) throw refuse('leave out the digest: the digest is what the build gives')
  if (text.startsWith('[')) throw refuse('IPv6 hosts are not available yet; use a host name')
  if (text.length === 0 || text.length > MAX_NAME) throw refuse('it must have 1 to 255 characters')
  const { host, path } = splitHost(text)
  const last = path.slice(path.lastIndexOf('/') + 1)
  if (last.includes(':')) throw refuse('leave out the tag: tags are given by the input `tags`')
  if (!validHost(host)) throw refuse(`${JSON.stringify(host)} is not a registry host`)
  for (const component of path.split('/')) {
    if (!PATH_COMPONENT.test(component)) throw refuse(componentProblem(component))
  }
  if (path.length < 2) throw refuse('the path after the host must have at least 2 characters')
  if (HEX_IDENTIFIER.test(path)) throw refuse('64 hex digits alone are an image id, not a name')
  return reference(host, path)
}

/** Reads `NAME`, `NAME:TAG`, `NAME@sha256:…` or `NAME:TAG@sha256:…`; same rules and refusals as parseImageName. */
export function parseReference(text: string): FullReference {
  const at = text.indexOf('@')
  const named = at === -1 ? text : text.slice(0, at)
  const digest = at === -1 ? undefined : text.slice(at + 1)
  if (digest !== undefined && !isDigest(digest)) {
    throw invalidName(text, 'the digest must be sha256: and 64 lower-case hex digits')
  }
  const colon = named.lastIndexOf(':')
  const tagged = colon > named.lastIndexOf('/')
  const image = parseImageName(tagged ? named.slice(0, colon) : named)
  return {
    image,
    ...(tagged ? { tag: parseTagGrammar(named.slice(colon + 1)) } : {}),
    ...(digest === undefined ? {} : { digest }),
  }
}

/**
 * Checks one tag by the grammar of the OCI distribution specification (128 characters at most). Refuses the
 * form `sha256-…`: registries without a referrers API keep the list of signatures there.
 */
export function parseTag(text: string): string {
  const tag = parseTagGrammar(text)
  if (RESERVED_TAG.test(tag)) {
    throw invalidTag(text, 'this form is reserved for signatures and attestations')
  }
  return tag
}

/** Checks a list of tags and drops repetitions, keeping the order. */
export function parseTags(texts: readonly string[]): readonly string[] {
  return [...new Set(texts.map(parseTag))]
}

/** `NAME@sha256:…`, the only form that names exact bytes. */
export function pinnedReference(image: ImageReference, digest: Digest): string {
  return `${image.name}@${digest}`
}

/** Where the registry's HTTP interface answers: plain http on loopback, else https; Docker Hub by its own host. */
export function registryOrigin(image: ImageReference): string {
  if (image.loopback) return `http://${image.host}`
  return `https://${image.host === 'docker.io' ? 'registry-1.docker.io' : image.host}`
}

function splitHost(text: string): { readonly host: string; readonly path: string } {
  const slash = text.indexOf('/')
  const first = slash === -1 ? '' : text.slice(0, slash)
  const isHost = first === 'localhost' || /[.:A-Z]/.test(first)
  if (slash === -1 || !isHost) return { host: 'docker.io', path: slash === -1 ? `library/${text}` : text }
  const path = text.slice(slash + 1)
  if (first !== 'docker.io' && first !== 'index.docker.io') return { host: first, path }
  return { host: 'docker.io', path: path.includes('/') ? path : `library/${path}` }
}

function reference(host: string, path: string): ImageReference {
  const loopback = /^(?:localhost|127\.0\.0\.1):[0-9]+$/.test(host)
  return { host, path, name: `${host}/${path}`, loopback }
}

function validHost(host: string): boolean {
  if (!HOST.test(host)) return false
  const colon = host.indexOf(':')
  if (colon === -1) return true
  const port = Number(host.slice(colon + 1))
  return port >= 1 && port <= 65535
}

function componentProblem(component: string): string {
  if (component === '') return 'it has an empty component'
  if (component !== component.toLowerCase()) return 'the name must be lower case'
  return `${JSON.stringify(component)} is not a name component (a-z, 0-9, single . _ or __, any number of -)`
}

function parseTagGrammar(text: string): string {
  if (TAG.test(text)) return text
  throw invalidTag(text, 'a tag has 1 to 128 characters A-Z a-z 0-9 _ . - and starts with none of . and -')
}

function invalidName(text: string, why: string): GateError {
  const message = `image ${JSON.stringify(shorten(text))} is not a valid name: ${why}`
  return new GateError('config', { reason: 'image-name-invalid', message })
}

function invalidTag(text: string, why: string): GateError {
  const message = `tag ${JSON.stringify(shorten(text))} is not valid: ${why}`
  return new GateError('config', { reason: 'tag-invalid', message })
}

function shorten(text: string): string {
  return text.length > 120 ? `${text.slice(0, 120)}…` : text
}
