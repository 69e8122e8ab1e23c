import { createHash } from 'node:crypto'
import { createServer } from 'node:http'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { gzipSync } from 'node:zlib'
import { pack } from 'tar-stream'
import type { ToolName } from '../../src/evidence/tooling.js'
import { TOOL_NAMES } from '../../src/tools/catalog.js'
import type { Catalog, CatalogTool } from '../../src/tools/catalog.js'

export type Answerer = (request: IncomingMessage, response: ServerResponse) => void

/** A loopback server with the paths of a release host; every path can be given another behaviour. */
export interface ReleaseHost {
  readonly base: string
  readonly catalog: Catalog
  readonly assets: ReadonlyMap<string, Buffer>
  /** Paths in the order they were asked for. */
  readonly asked: string[]
  /** Replaces how the asset of a tool is answered; each entry answers once, the last one for ever. */
  readonly behave: (name: ToolName, ...answers: readonly Answerer[]) => void
  readonly close: () => Promise<void>
}

/** A release host with four tools: small scripts that print their version, packed as the real assets are. */
export async function startReleaseHost(): Promise<ReleaseHost> {
  const made = await Promise.all(TOOL_NAMES.map(async name => ({ name, ...(await makeAsset(name)) })))
  const assets = new Map(made.map(({ path, bytes }) => [path, bytes]))
  const queues = new Map<string, Answerer[]>()
  const asked: string[] = []
  const server = createServer((request, response) => {
    const path = request.url ?? ''
    asked.push(path)
    const queue = queues.get(path)
    const answer = queue !== undefined && queue.length > 1 ? queue.shift() : queue?.[0]
    if (answer !== undefined) answer(request, response)
    else serve(assets.get(path))(request, response)
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  const port = typeof address === 'object' && address !== null ? address.port : 0
  const catalog = Object.fromEntries(made.map(({ name, tool }) => [name, tool])) as Record<
    ToolName,
    CatalogTool
  >
  return {
    base: `http://127.0.0.1:${port}`,
    ...{ catalog, assets, asked },
    behave: (name, ...answers) => {
      const path = made.find(one => one.name === name)?.path
      if (path !== undefined) queues.set(path, [...answers])
    },
    close: () =>
      new Promise(resolve => {
        server.closeAllConnections()
        server.close(() => resolve())
      }),
  }
}

/** Answers with the bytes, or 404 without any. */
export function serve(bytes: Buffer | undefined): Answerer {
  return (_request, response) => {
    if (bytes === undefined) response.writeHead(404).end('Not Found')
    else response.writeHead(200, { 'content-length': bytes.length }).end(bytes)
  }
}

/** Answers with a status and headers only. */
export function status(code: number, headers: Readonly<Record<string, string>> = {}): Answerer {
  return (_request, response) => void response.writeHead(code, headers).end()
}

export function sha256Hex(bytes: Buffer | string): string {
  return createHash('sha256').update(bytes).digest('hex')
}

/** A tar.gz with one program, as release hosts have them. */
export async function tarball(member: string, text: string): Promise<Buffer> {
  return await archive([{ name: 'LICENSE' }, { name: member, mode: 0o755 }], text)
}

interface ArchiveEntry {
  readonly name: string
  readonly type?: 'symlink' | 'directory'
  readonly linkname?: string
  readonly mode?: number
}

/** A tar.gz with any entries; each file holds the text. */
export async function archive(headers: readonly ArchiveEntry[], text = 'text'): Promise<Buffer> {
  const made = pack()
  for (const header of headers) {
    if (header.type === undefined) made.entry(header, text)
    else made.entry(header)
  }
  made.finalize()
  const chunks: Buffer[] = []
  for await (const chunk of made) chunks.push(Buffer.from(chunk as Uint8Array))
  return gzipSync(Buffer.concat(chunks))
}

async function makeAsset(name: ToolName): Promise<{ path: string; bytes: Buffer; tool: CatalogTool }> {
  const script = `#!/bin/sh\necho "Version: 9.8.7 (${name})"\n`
  const bare = name === 'cosign'
  const bytes = bare ? Buffer.from(script) : await tarball(name, script)
  const asset = bare ? `${name}-linux` : `${name}.tar.gz`
  const entry = { asset, sha256: sha256Hex(bytes), ...(bare ? {} : { member: name }) }
  const path = `example/${name}/releases/download/v9.8.7`
  const platforms = ['linux/amd64', 'linux/arm64', 'darwin/amd64', 'darwin/arm64']
  const tool = {
    version: '9.8.7',
    path,
    assets: Object.fromEntries(platforms.map(platform => [platform, entry])),
  }
  return { path: `/${path}/${asset}`, bytes, tool }
}
