import { createServer, request as httpRequest } from 'node:http'
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'

/** One request as the proxy sees it. `count` is how often this method and path came, from 1. */
export interface SeenRequest {
  readonly method: string
  readonly path: string
  readonly count: number
  readonly headers: IncomingHttpHeaders
}

/** What the proxy does instead of passing on. `hang`: never answers; `cut`: closes the connection; `afterMs`: waits before. */
export type Lie =
  | 'hang'
  | 'cut'
  | { readonly status: number; readonly headers?: Readonly<Record<string, string>>; readonly body?: string }
  | { readonly rewrite: (answer: Answer) => Answer }
  | { readonly afterMs: number }

export interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: Buffer
}

export interface LyingRegistry {
  /** `127.0.0.1:PORT`. */
  readonly host: string
  /** `METHOD PATH` of every request. */
  readonly requests: readonly string[]
  /** From now on each request is put to this function; null passes everything on. */
  readonly lie: (rule: ((request: SeenRequest) => Lie | null) | null) => void
  readonly stop: () => Promise<void>
}

/** A registry on loopback that passes everything on to a real one, except where it is told to lie. */
export async function startLyingRegistry(upstream: string): Promise<LyingRegistry> {
  const requests: string[] = []
  const counts = new Map<string, number>()
  const sockets = new Set<Socket>()
  let rule: ((request: SeenRequest) => Lie | null) | null = null
  const server = createServer((incoming, outgoing) => {
    const method = incoming.method ?? ''
    const path = incoming.url ?? ''
    const key = `${method} ${path}`
    requests.push(key)
    counts.set(key, (counts.get(key) ?? 0) + 1)
    const lie = rule?.({ method, path, count: counts.get(key) ?? 0, headers: incoming.headers }) ?? null
    if (lie === 'hang') return
    if (lie === 'cut') incoming.socket.destroy()
    else if (lie !== null && 'status' in lie) answer(incoming, outgoing, lie)
    else if (lie !== null && 'afterMs' in lie)
      setTimeout(() => passOn(upstream, incoming, outgoing, null), lie.afterMs).unref()
    else passOn(upstream, incoming, outgoing, lie === null ? null : lie.rewrite)
  })
  server.on('connection', socket => {
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket))
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('the proxy has no port')
  return {
    host: `127.0.0.1:${String(address.port)}`,
    requests,
    lie: next => {
      rule = next
      counts.clear()
    },
    stop: async () => {
      for (const socket of sockets) socket.destroy()
      await new Promise(resolve => server.close(resolve))
    },
  }
}

function answer(
  incoming: IncomingMessage,
  outgoing: ServerResponse,
  lie: {
    readonly status: number
    readonly headers?: Readonly<Record<string, string>>
    readonly body?: string
  },
): void {
  incoming.resume()
  incoming.on('end', () => {
    outgoing.writeHead(lie.status, { ...lie.headers })
    outgoing.end(lie.body ?? '')
  })
}

function passOn(
  upstream: string,
  incoming: IncomingMessage,
  outgoing: ServerResponse,
  rewrite: ((answer: Answer) => Answer) | null,
): void {
  const [hostname, port] = upstream.split(':')
  const onward = httpRequest(
    { hostname, port, method: incoming.method, path: incoming.url, headers: incoming.headers },
    reply => {
      const chunks: Buffer[] = []
      reply.on('data', (chunk: Buffer) => chunks.push(chunk))
      reply.on('end', () => {
        const honest = {
          status: reply.statusCode ?? 500,
          headers: plain(reply.headers),
          body: Buffer.concat(chunks),
        }
        const told = rewrite === null ? honest : rewrite(honest)
        const length = incoming.method === 'HEAD' ? {} : { 'content-length': String(told.body.byteLength) }
        outgoing.writeHead(told.status, { ...told.headers, ...length })
        outgoing.end(incoming.method === 'HEAD' ? undefined : told.body)
      })
    },
  )
  onward.on('error', () => outgoing.destroy())
  incoming.pipe(onward)
}

function plain(headers: IncomingHttpHeaders): Record<string, string> {
  const result: Record<string, string> = {}
  for (const [name, value] of Object.entries(headers)) {
    if (typeof value === 'string' && name !== 'transfer-encoding') result[name] = value
  }
  return result
}
