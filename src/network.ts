import { readFile } from 'node:fs/promises'
import { BlockList, isIP } from 'node:net'
import { rootCertificates } from 'node:tls'
import type * as Undici from 'undici'
import type { Dispatcher } from 'undici'
import { describeError, GateError } from './errors.js'

type Environment = Readonly<Record<string, string | undefined>>

/** How one address is reached: through a proxy or straight, with which authorities beside those of Node. */
export interface Route {
  readonly proxy: URL | null
  /** PEM text of every authority to trust; null means Node's own. */
  readonly authorities: string | null
}

const MAX_CA_BYTES = 8 * 1024 * 1024
const DEFAULT_PORTS: Readonly<Record<string, string>> = { 'https:': '443', 'http:': '80' }

/**
 * `fetch`, but by HTTPS_PROXY, HTTP_PROXY and NO_PROXY (or their lower-case names) and with the authorities of
 * SSL_CERT_FILE, as the programs that the gate starts have it. Node's own `fetch` where none of them is set. Refuses
 * an unusable proxy or certificate file with GateError `config`.
 */
export async function fetchOutbound(url: URL, init: RequestInit): Promise<Response> {
  const route = await routeTo(url)
  if (route.proxy === null && route.authorities === null) return await fetch(url, init)
  const undici = await import('undici')
  const dispatcher = dispatcherOf(undici, route)
  // The same interface of the same authors; only the declarations come from another release.
  const send = undici.fetch as unknown as (
    url: URL,
    init: Omit<RequestInit, 'dispatcher'> & { readonly dispatcher: Dispatcher },
  ) => Promise<Response>
  return await send(url, { ...init, dispatcher })
}

/** The route to an address by the environment of this process. */
export async function routeTo(url: URL, environment: Environment = process.env): Promise<Route> {
  const proxy = proxyFor(url, environment)
  const https = url.protocol === 'https:' || proxy?.protocol === 'https:'
  return { proxy, authorities: https ? await authoritiesOf(environment) : null }
}

/**
 * The proxy that an address is asked through, by the rules of Go's programs
 * (https://pkg.go.dev/golang.org/x/net/http/httpproxy): never for this machine itself; NO_PROXY lists `*`, names with
 * all below them, `.name` or `*.name` for those below alone, addresses and networks, each with an optional port.
 */
export function proxyFor(url: URL, environment: Environment): URL | null {
  const name = url.protocol === 'https:' ? 'HTTPS_PROXY' : 'HTTP_PROXY'
  const text = either(environment, name)
  if (text === '' || isThisMachine(url.hostname)) return null
  const excluded = either(environment, 'NO_PROXY').split(',')
  if (excluded.some(entry => matches(entry.trim().toLowerCase(), url))) return null
  return parseProxy(text, name)
}

function either(environment: Environment, name: string): string {
  return environment[name] || environment[name.toLowerCase()] || ''
}

function parseProxy(text: string, name: string): URL {
  const given = text.includes('://') ? text : `http://${text}`
  const url = URL.canParse(given) ? new URL(given) : null
  if (url !== null && (url.protocol === 'http:' || url.protocol === 'https:') && url.hostname !== '')
    return url
  // The text may hold a password: it is not shown.
  const message = `${name} is no address of an HTTP proxy. Give http://HOST:PORT or https://HOST:PORT.`
  throw new GateError('config', { reason: 'proxy-unusable', message })
}

/** localhost and every loopback address: a proxy elsewhere could only reach its own. */
function isThisMachine(hostname: string): boolean {
  return hostname === 'localhost' || hostname === '[::1]' || /^127\.\d+\.\d+\.\d+$/.test(hostname)
}

function matches(entry: string, url: URL): boolean {
  if (entry === '') return false
  if (entry === '*') return true
  const host = url.hostname.replace(/^\[|\]$/g, '')
  if (entry.includes('/')) return inNetwork(entry, host)
  const { name, port } = splitPort(entry)
  if (port !== '' && port !== (url.port || DEFAULT_PORTS[url.protocol])) return false
  if (isIP(name) !== 0) return name === host
  if (name === '' || isIP(host) !== 0) return false
  const below = name.startsWith('*.') ? name.slice(1) : name
  if (below.startsWith('.')) return host.endsWith(below)
  return host === below || host.endsWith(`.${below}`)
}

function splitPort(entry: string): { readonly name: string; readonly port: string } {
  const bracketed = /^\[(?<name>[^\]]+)\](?::(?<port>\d+))?$/.exec(entry)?.groups
  const plain = /^(?<name>[^:]+):(?<port>\d+)$/.exec(entry)?.groups
  const found = bracketed ?? plain
  return { name: found?.['name'] ?? entry, port: found?.['port'] ?? '' }
}

function inNetwork(entry: string, host: string): boolean {
  const [address = '', prefix = ''] = entry.split('/')
  const family = isIP(address)
  if (family === 0 || isIP(host) !== family || !/^\d{1,3}$/.test(prefix)) return false
  const kind = family === 4 ? 'ipv4' : 'ipv6'
  if (Number(prefix) > (family === 4 ? 32 : 128)) return false
  const network = new BlockList()
  network.addSubnet(address, Number(prefix), kind)
  return network.check(host, kind)
}

const read = new Map<string, Promise<string>>()

/** Node's own authorities and those of SSL_CERT_FILE; null where the variable is not set. */
async function authoritiesOf(environment: Environment): Promise<string | null> {
  const file = environment['SSL_CERT_FILE'] ?? ''
  if (file === '') return null
  const more = [file, ...(environment['NODE_EXTRA_CA_CERTS'] ? [environment['NODE_EXTRA_CA_CERTS']] : [])]
  const texts: string[] = []
  for (const path of more) {
    const known = read.get(path) ?? readAuthorities(path)
    read.set(path, known)
    texts.push(await known)
  }
  return [...rootCertificates, ...texts].join('\n')
}

async function readAuthorities(path: string): Promise<string> {
  try {
    const text = await readFile(path, 'utf8')
    if (text.length > MAX_CA_BYTES) throw new Error('it is too long')
    if (!text.includes('-----BEGIN CERTIFICATE-----')) throw new Error('it holds no certificate in PEM')
    return text
  } catch (cause) {
    const message = `SSL_CERT_FILE or NODE_EXTRA_CA_CERTS: '${path}' cannot be used: ${describeError(cause)}.`
    throw new GateError('config', { reason: 'ca-unusable', message, cause })
  }
}

const dispatchers = new Map<string, Dispatcher>()

/** One pool of connections for each route. */
function dispatcherOf(
  undici: Pick<typeof Undici, 'Agent' | 'ProxyAgent'>,
  { proxy, authorities }: Route,
): Dispatcher {
  const key = `${proxy?.href ?? ''} ${authorities ?? ''}`
  const known = dispatchers.get(key)
  if (known !== undefined) return known
  const trust = authorities === null ? {} : { ca: authorities }
  const made =
    proxy === null
      ? new undici.Agent({ connect: trust })
      : new undici.ProxyAgent({ uri: proxy.href, requestTls: trust, proxyTls: trust })
  dispatchers.set(key, made)
  return made
}

/**
 * The same route for libraries that take `proxy`, `noProxy` and `ca` (make-fetch-happen): both are always given,
 * because such a library has rules of its own for the environment and would ask this machine through the proxy.
 */
export async function libraryRoute(
  url: URL,
  environment: Environment = process.env,
): Promise<{ readonly proxy?: string; readonly noProxy: readonly string[]; readonly ca?: string }> {
  const { proxy, authorities } = await routeTo(url, environment)
  const own = ['localhost', '127.0.0.1']
  const excluded = either(environment, 'NO_PROXY')
    .split(',')
    .map(entry => splitPort(entry.trim()).name.replace(/^\*?\./, ''))
    .filter(name => name !== '' && !name.includes('/'))
  return {
    ...(proxy === null ? {} : { proxy: proxy.href }),
    noProxy: proxy === null ? [...own, url.hostname] : [...own, ...excluded],
    ...(authorities === null ? {} : { ca: authorities }),
  }
}
