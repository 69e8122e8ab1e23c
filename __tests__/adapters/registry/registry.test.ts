import type { IncomingMessage, ServerResponse } from 'node:http'
import { parseImageName } from '../../../src/evidence/reference.js'
import { fetchBlob } from '../../../src/registry/blobs.js'
import { repositoriesOf } from '../../../src/registry/catalog.js'
import { fetchManifest, resolveTag } from '../../../src/registry/manifests.js'
import { checkMayPush } from '../../../src/registry/preflight.js'
import { listReferrers } from '../../../src/registry/referrers.js'
import type { Credentials } from '../../../src/registry/credentials.js'
import { openRegistry, type Registry, type RegistryLimits } from '../../../src/registry/registry.js'
import { hexOf } from '../../support/programs.js'
import { startServer, type ScriptedServer } from '../../support/scripted-server.js'

const TYPE = 'application/vnd.oci.image.manifest.v1+json'
const INDEX = 'application/vnd.oci.image.index.v1+json'
const MANIFEST = '{"schemaVersion":2}'
const DIGEST = `sha256:${hexOf(MANIFEST)}` as const
const LIMITS = { attempts: 3, backOffMs: 5, retryBudgetMs: 2_000, answerMs: 300, idleMs: 300 }
const LOGIN = { username: 'ann', secret: 'p:ä' }
const BASIC = `Basic ${Buffer.from('ann:p:ä').toString('base64')}`

let servers: ScriptedServer[] = []
afterEach(async () => {
  await Promise.all(servers.map(server => server.stop()))
  servers = []
})

async function serve(
  handle: (request: IncomingMessage, response: ServerResponse, body: string) => void,
): Promise<ScriptedServer> {
  const server = await startServer(handle)
  servers.push(server)
  return server
}

interface Opening {
  readonly credentials?: Credentials
  readonly limits?: Partial<RegistryLimits>
  readonly signal?: AbortSignal
}

function open(server: ScriptedServer, options: Opening = {}): Registry {
  return openRegistry({
    image: parseImageName(`${server.host}/team/app`),
    credentials: options.credentials ?? null,
    access: 'pull,push',
    signal: options.signal ?? new AbortController().signal,
    limits: { ...LIMITS, ...options.limits },
  })
}

function good(response: ServerResponse): void {
  response.writeHead(200, { 'content-type': TYPE }).end(MANIFEST)
}

describe('login', () => {
  test('none is sent before the registry asks, then basic', async () => {
    const server = await serve((request, response) => {
      if (request.headers.authorization === BASIC) good(response)
      else response.writeHead(401, { 'www-authenticate': 'Basic realm="x"' }).end()
    })
    const registry = open(server, { credentials: LOGIN })
    expect((await fetchManifest(registry, 'v1'))?.digest).toBe(DIGEST)
    await fetchManifest(registry, 'v2')
    expect(server.seen.map(one => one.authorization)).toEqual([undefined, BASIC, BASIC])
  })

  test.each<[string, Credentials | undefined]>([
    ['without credentials', undefined],
    ['with credentials', LOGIN],
  ])('bearer, %s: asks the realm for exactly this repository', async (_name, credentials) => {
    const server = await serve((request, response) => {
      if (request.url?.startsWith('/token') === true) response.end('{"access_token":"T"}')
      else if (request.headers.authorization === 'Bearer T') good(response)
      else {
        const realm = `http://${request.headers.host ?? ''}/token`
        response.writeHead(401, { 'www-authenticate': `Bearer realm="${realm}",service="reg"` }).end()
      }
    })
    expect(await resolveTag(open(server, credentials === undefined ? {} : { credentials }), 'v1')).toBe(
      DIGEST,
    )
    const asked = server.seen[1]
    expect(asked?.line).toBe('GET /token?scope=repository%3Ateam%2Fapp%3Apull%2Cpush&service=reg')
    expect(asked?.authorization).toBe(credentials === undefined ? undefined : BASIC)
  })

  test('an identity token is exchanged in a POST body, never in an address', async () => {
    const server = await serve((request, response) => {
      if (request.url === '/token') response.end('{"access_token":"T"}')
      else if (request.headers.authorization === 'Bearer T') good(response)
      else {
        const realm = `http://${request.headers.host ?? ''}/token`
        response.writeHead(401, { 'www-authenticate': `Bearer realm="${realm}",service="reg"` }).end()
      }
    })
    await resolveTag(open(server, { credentials: { username: '<token>', secret: 'IDENTITY' } }), 'v1')
    const asked = server.seen[1]
    expect(asked?.line).toBe('POST /token')
    expect(Object.fromEntries(new URLSearchParams(asked?.body))).toMatchObject({
      grant_type: 'refresh_token',
      refresh_token: 'IDENTITY',
      scope: 'repository:team/app:pull,push',
    })
  })

  test.each([
    ['a realm without TLS elsewhere', 'Bearer realm="http://198.51.100.7/token"'],
    ['a realm that is no address', 'Bearer realm="token"'],
    ['a realm with a login in it', 'Bearer realm="https://a:b@auth.example/token"'],
    ['no realm', 'Bearer service="x"'],
    ['an unknown scheme', 'Negotiate'],
    ['no challenge', ''],
  ])('%s is refused, and the secret goes nowhere', async (_name, challenge) => {
    const server = await serve((_request, response) => {
      response.writeHead(401, challenge === '' ? {} : { 'www-authenticate': challenge }).end()
    })
    await expect(resolveTag(open(server, { credentials: LOGIN }), 'v1')).rejects.toMatchObject({
      code: 'service',
      reason: 'registry-refused',
    })
    expect(server.seen.map(one => one.authorization)).toEqual([undefined])
  })

  test('a message never holds the secret', async () => {
    const server = await serve((_request, response) => {
      response.writeHead(401, { 'www-authenticate': 'Basic realm="x"' }).end()
    })
    const failure = resolveTag(open(server, { credentials: { username: 'ann', secret: 'S3CRET' } }), 'v1')
    await expect(failure).rejects.toMatchObject({ reason: 'registry-refused' })
    await failure.catch((error: unknown) => expect(String(error)).not.toContain('S3CRET'))
  })

  test('a redirect to another host gets no authorization', async () => {
    const storage = await serve((_request, response) => response.end('blob!'))
    const server = await serve((request, response) => {
      if (request.headers.authorization === undefined) {
        response.writeHead(401, { 'www-authenticate': 'Basic realm="x"' }).end()
      } else response.writeHead(307, { location: `http://${storage.host}/there?sig=x` }).end()
    })
    const blob = { mediaType: 'x', digest: `sha256:${hexOf('blob!')}` as const, size: 5 }
    expect((await fetchBlob(open(server, { credentials: LOGIN }), blob, 100)).toString()).toBe('blob!')
    expect(storage.seen.map(one => one.authorization)).toEqual([undefined])
  })
})

describe('answers', () => {
  test.each<[string, string, (response: ServerResponse) => void]>([
    ['429 for ever', 'registry-unavailable', response => void response.writeHead(429).end()],
    ['500 for ever', 'registry-unavailable', response => void response.writeHead(500).end()],
    [
      'a long retry-after',
      'registry-unavailable',
      r => void r.writeHead(503, { 'retry-after': '3600' }).end(),
    ],
    ['a teapot', 'registry-answer', response => void response.writeHead(418).end()],
    [
      'a redirect to a file',
      'registry-answer',
      r => void r.writeHead(302, { location: 'file:///etc/passwd' }).end(),
    ],
    ['a redirect without place', 'registry-answer', response => void response.writeHead(302).end()],
    [
      'a redirect elsewhere without TLS',
      'registry-answer',
      r => void r.writeHead(302, { location: 'http://198.51.100.7/' }).end(),
    ],
    ['an endless redirect', 'registry-answer', r => void r.writeHead(302, { location: '/v2/again' }).end()],
    ['a manifest of 5 MiB', 'registry-answer', response => void response.end('x'.repeat(5 * 1024 * 1024))],
    ['a manifest that stalls', 'registry-timeout', response => void response.write('{')],
    ['silence', 'registry-timeout', () => undefined],
    ['a cut', 'registry-unreachable', response => void response.destroy()],
    [
      'a body that is cut',
      'registry-unreachable',
      response => {
        response.writeHead(200, { 'content-length': '1000' })
        response.write('x')
        setImmediate(() => response.destroy())
      },
    ],
  ])('%s: %s', async (_name, reason, handle) => {
    const server = await serve((_request, response) => handle(response))
    await expect(resolveTag(open(server), 'v1')).rejects.toMatchObject({ code: 'service', reason })
  })

  test('a manifest asked by digest must have it, and is not asked again', async () => {
    const server = await serve((_request, response) => good(response))
    const other = `sha256:${'0'.repeat(64)}`
    await expect(fetchManifest(open(server), other)).rejects.toMatchObject({
      code: 'integrity',
      reason: 'served-bytes-differ',
    })
    expect(server.seen).toHaveLength(1)
  })

  test('503 with retry-after, then 429, then good', async () => {
    const server = await serve((_request, response) => {
      if (server.seen.length === 1) response.writeHead(503, { 'retry-after': '0' }).end()
      else if (server.seen.length === 2) response.writeHead(429).end()
      else good(response)
    })
    expect(await resolveTag(open(server), 'v1')).toBe(DIGEST)
    expect(server.seen).toHaveLength(3)
  })

  test('stopped while waiting: cancelled', async () => {
    const stop = new AbortController()
    const server = await serve(() => stop.abort())
    const registry = open(server, { signal: stop.signal, limits: { answerMs: 60_000 } })
    await expect(resolveTag(registry, 'v1')).rejects.toMatchObject({ reason: 'cancelled' })
  })

  test('a host that is not there: registry-unreachable with the code', async () => {
    const server = await serve(() => undefined)
    await server.stop()
    await expect(resolveTag(open(server), 'v1')).rejects.toMatchObject({
      reason: 'registry-unreachable',
      message: expect.stringContaining('ECONNREFUSED') as string,
    })
  })

  test('leave to push is asked for without writing', async () => {
    const server = await serve((request, response) => {
      const status = request.method === 'POST' ? 202 : 204
      response.writeHead(status, { location: '/v2/team/app/blobs/uploads/1' }).end()
    })
    await checkMayPush(open(server))
    expect(server.seen.map(one => one.line)).toEqual([
      'POST /v2/team/app/blobs/uploads/',
      'DELETE /v2/team/app/blobs/uploads/1',
    ])
  })

  test('the catalog lists repositories', async () => {
    const server = await serve((_request, response) => response.end('{"repositories":["a","b"]}'))
    expect(await repositoriesOf(server.host)).toEqual(['a', 'b'])
    const broken = await serve((_request, response) => response.end('<html>'))
    await expect(repositoriesOf(broken.host)).rejects.toMatchObject({ reason: 'registry-answer' })
  })
})

describe('referrers', () => {
  const entry = { mediaType: TYPE, digest: DIGEST, size: 1, artifactType: 'a/b', annotations: { k: 'v' } }
  const listed = { digest: DIGEST, mediaType: TYPE, size: 1, artifactType: 'a/b', annotations: { k: 'v' } }

  function index(response: ServerResponse, manifests: unknown, link?: string): void {
    response.writeHead(200, { 'content-type': INDEX, ...(link === undefined ? {} : { link }) })
    response.end(JSON.stringify({ schemaVersion: 2, mediaType: INDEX, manifests }))
  }

  test('come from the interface, page by page', async () => {
    const server = await serve((request, response) => {
      if (request.url?.includes('next') === true) index(response, [entry])
      else index(response, [entry], `</v2/team/app/referrers/${DIGEST}?next=1>; rel="next"`)
    })
    expect(await listReferrers(open(server), DIGEST)).toEqual([listed, listed])
  })

  test('come from the fallback tag where there is no interface', async () => {
    const server = await serve((request, response) => {
      if (request.url?.includes('/referrers/') === true) response.writeHead(404).end()
      else index(response, [entry])
    })
    expect(await listReferrers(open(server), DIGEST)).toEqual([listed])
    expect(server.seen[1]?.line).toBe(`GET /v2/team/app/manifests/${DIGEST.replace(':', '-')}`)
  })

  test('are none when the list is null, or there is no list', async () => {
    const empty = await serve((_request, response) => index(response, null))
    expect(await listReferrers(open(empty), DIGEST)).toEqual([])
    const absent = await serve((_request, response) => void response.writeHead(404).end())
    expect(await listReferrers(open(absent), DIGEST)).toEqual([])
  })

  test.each<[string, string]>([
    ['no JSON', '{'],
    ['a list', '[]'],
    ['a digest that is none', JSON.stringify({ manifests: [{ ...entry, digest: 'sha256:xyz' }] })],
    ['too many', JSON.stringify({ manifests: Array.from({ length: 2001 }, () => entry) })],
  ])('an answer of %s is an error, not an empty list', async (_name, body) => {
    const server = await serve((_request, response) => {
      response.writeHead(200, { 'content-type': INDEX }).end(body)
    })
    await expect(listReferrers(open(server), DIGEST)).rejects.toMatchObject({ reason: 'registry-answer' })
  })

  test('a next page on another host is not followed', async () => {
    const server = await serve((_request, response) =>
      index(response, [entry], '<http://198.51.100.7/x>; rel="next"'),
    )
    await expect(listReferrers(open(server), DIGEST)).rejects.toMatchObject({ reason: 'registry-answer' })
  })

  test('pages without end are an error', async () => {
    const server = await serve((_request, response) =>
      index(response, [], '</v2/team/app/again>; rel="next"'),
    )
    await expect(listReferrers(open(server), DIGEST)).rejects.toMatchObject({ reason: 'registry-answer' })
  })
})
