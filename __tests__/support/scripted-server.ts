import { createServer } from 'node:http'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'

export interface ScriptedServer {
  /** `127.0.0.1:PORT`. */
  readonly host: string
  /** `METHOD PATH` and the authorization header of every request. */
  readonly seen: readonly {
    readonly line: string
    readonly authorization: string | undefined
    readonly body: string
  }[]
  readonly stop: () => Promise<void>
}

/** An HTTP server on loopback that answers by one function. */
export async function startServer(
  handle: (request: IncomingMessage, response: ServerResponse, body: string) => void,
): Promise<ScriptedServer> {
  const seen: { line: string; authorization: string | undefined; body: string }[] = []
  const sockets = new Set<Socket>()
  const server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      const body = Buffer.concat(chunks).toString()
      const line = `${request.method ?? ''} ${request.url ?? ''}`
      seen.push({ line, authorization: request.headers.authorization, body })
      handle(request, response, body)
    })
  })
  server.on('connection', socket => {
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket))
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('the server has no port')
  return {
    host: `127.0.0.1:${String(address.port)}`,
    seen,
    stop: async () => {
      for (const socket of sockets) socket.destroy()
      await new Promise(resolve => server.close(resolve))
    },
  }
}
