import { createServer } from 'node:http'
import { connect, type Socket } from 'node:net'

/** A proxy on loopback that opens tunnels (RFC 9110, 9.3.6) and counts them. */
export interface ConnectProxy {
  /** With user and password in it. */
  readonly url: string
  /** `HOST:PORT` of every tunnel that was opened. */
  readonly tunnels: readonly string[]
  /** Requests without the right password, and those that asked for no tunnel. */
  readonly refused: readonly string[]
  readonly stop: () => Promise<void>
}

const LOGIN = { username: 'proxied', password: 'a word' }

/** Every name leads to `address`: the one who asks cannot have got there alone. */
export async function startConnectProxy(address: string): Promise<ConnectProxy> {
  const tunnels: string[] = []
  const refused: string[] = []
  const sockets = new Set<Socket>()
  const expected = `Basic ${Buffer.from(`${LOGIN.username}:${LOGIN.password}`).toString('base64')}`
  const server = createServer((request, response) => {
    refused.push(`${request.method ?? ''} ${request.url ?? ''}`)
    response.writeHead(405).end()
  })
  server.on('connection', socket => {
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket))
  })
  server.on('connect', (request, socket, head) => {
    const target = request.url ?? ''
    if (request.headers['proxy-authorization'] !== expected) {
      refused.push(`CONNECT ${target}`)
      socket.end('HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 0\r\n\r\n')
      return
    }
    tunnels.push(target)
    const port = Number(target.slice(target.lastIndexOf(':') + 1))
    const onward = connect({ host: address, port }, () => {
      socket.write('HTTP/1.1 200 Connection Established\r\n\r\n')
      onward.write(head)
      onward.pipe(socket)
      socket.pipe(onward)
    })
    sockets.add(onward)
    for (const one of [onward, socket]) one.on('error', () => [onward, socket].forEach(end => end.destroy()))
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const bound = server.address()
  if (bound === null || typeof bound === 'string') throw new Error('the proxy has no port')
  const login = `${LOGIN.username}:${encodeURIComponent(LOGIN.password)}`
  return {
    url: `http://${login}@127.0.0.1:${String(bound.port)}`,
    tunnels,
    refused,
    stop: async () => {
      for (const socket of sockets) socket.destroy()
      await new Promise(resolve => server.close(resolve))
    },
  }
}
