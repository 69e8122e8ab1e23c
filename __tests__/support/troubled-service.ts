import { createServer, request as httpRequest } from 'node:http'
import type { IncomingMessage, ServerResponse } from 'node:http'

/** Where the real service listens. */
export type Upstream = { readonly port: number } | { readonly socketPath: string }

/** What the way to a service does: `hang` never answers; `cut` closes the connection; a number of ms answers late. */
export type Trouble = 'hang' | 'cut' | { readonly status: number } | { readonly late: number }

/** A service of which the way can be troubled. */
export interface TroubledService {
  readonly url: string
  /** `METHOD PATH` of every request that came. */
  readonly requests: readonly string[]
  /** From now on each POST, counted from 1, is put to this function; null passes everything on. */
  readonly trouble: (rule: ((count: number) => Trouble | null) | null) => void
  /** Refuses connections until `up`. */
  readonly down: () => Promise<void>
  readonly up: () => Promise<void>
  readonly stop: () => Promise<void>
}

/** Opens a port on loopback that passes everything on, except where it is told to make trouble. */
export async function startTroubled(upstream: Upstream): Promise<TroubledService> {
  const requests: string[] = []
  let rule: ((count: number) => Trouble | null) | null = null
  let posts = 0
  const server = createServer((incoming, outgoing) => {
    requests.push(`${incoming.method ?? ''} ${incoming.url ?? ''}`)
    if (incoming.method === 'POST') posts += 1
    const trouble = incoming.method === 'POST' ? (rule?.(posts) ?? null) : null
    if (trouble === 'hang') return
    if (trouble === 'cut') incoming.socket.destroy()
    else if (trouble !== null && 'status' in trouble) refuse(incoming, outgoing, trouble.status)
    else setTimeout(() => passOn(upstream, incoming, outgoing), trouble === null ? 0 : trouble.late)
  })
  const listen = (port: number): Promise<void> =>
    new Promise((resolve, reject) => {
      server.once('error', reject)
      server.listen(port, '127.0.0.1', () => {
        server.off('error', reject)
        resolve()
      })
    })
  const down = async (): Promise<void> => {
    if (!server.listening) return
    server.closeAllConnections()
    await new Promise(resolve => server.close(resolve))
  }
  await listen(0)
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('the service has no port')
  return {
    url: `http://127.0.0.1:${String(address.port)}`,
    requests,
    trouble: next => {
      rule = next
      posts = 0
    },
    down,
    up: () => (server.listening ? Promise.resolve() : listen(address.port)),
    stop: down,
  }
}

function refuse(incoming: IncomingMessage, outgoing: ServerResponse, status: number): void {
  incoming.resume()
  incoming.once('end', () => outgoing.writeHead(status).end('trouble'))
}

function passOn(upstream: Upstream, incoming: IncomingMessage, outgoing: ServerResponse): void {
  const { method, url, headers } = incoming
  const onward = httpRequest({ host: '127.0.0.1', ...upstream, method, path: url, headers }, reply => {
    outgoing.writeHead(reply.statusCode ?? 500, reply.headers)
    reply.pipe(outgoing)
  })
  onward.on('error', () => outgoing.destroy())
  incoming.pipe(onward)
}
