import { sign } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import type { Certificate } from './docker-registry.js'
import { startServer, type ScriptedServer } from './scripted-server.js'

/** A token service of a registry, by https://distribution.github.io/distribution/spec/auth/jwt/. */
export interface TokenService {
  readonly realm: string
  readonly service: string
  /** Scopes in the order they were asked for, with who asked. */
  readonly asked: readonly { readonly scope: string; readonly login: string | null }[]
  readonly stop: () => Promise<void>
}

const SERVICE = 'tests'
const SECONDS = 300

/** Gives whoever logs in exactly what is asked for, and everybody else a token that allows nothing. */
export async function startTokenService(
  signer: Certificate,
  login: { readonly username: string; readonly password: string },
): Promise<TokenService> {
  const key = await readFile(signer.key, 'utf8')
  const certificate = await readFile(signer.certificate, 'utf8')
  const expected = `Basic ${Buffer.from(`${login.username}:${login.password}`).toString('base64')}`
  const asked: { scope: string; login: string | null }[] = []
  const server: ScriptedServer = await startServer((request, response) => {
    const url = new URL(request.url ?? '/', 'http://127.0.0.1')
    const scopes = url.searchParams.getAll('scope').flatMap(scope => scope.split(' '))
    const { authorization } = request.headers
    asked.push(
      ...scopes.map(scope => ({ scope, login: authorization === undefined ? null : login.username })),
    )
    if (authorization !== undefined && authorization !== expected) response.writeHead(401).end()
    else {
      const access = authorization === undefined ? [] : scopes.map(accessOf)
      const token = tokenOf({ key, certificate }, access)
      response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify({ token }))
    }
  })
  // crane believes no realm that is an address of a private network: it has to be a name.
  return {
    realm: `http://${server.host.replace('127.0.0.1', 'localhost')}/token`,
    service: SERVICE,
    asked,
    stop: server.stop,
  }
}

function accessOf(scope: string): object {
  const [type = '', name = '', actions = ''] = scope.split(':')
  return { type, name, actions: actions.split(',') }
}

function tokenOf(
  pem: { readonly key: string; readonly certificate: string },
  access: readonly object[],
): string {
  const der = pem.certificate.replace(/-----[A-Z ]+-----|\s/g, '')
  const now = Math.floor(Date.now() / 1000)
  const header = { typ: 'JWT', alg: 'ES256', x5c: [der] }
  const claims = {
    ...{ iss: SERVICE, aud: SERVICE, sub: 'tests', jti: String(Math.random()) },
    ...{ iat: now, nbf: now - 5, exp: now + SECONDS, access },
  }
  const signed = [header, claims].map(one => Buffer.from(JSON.stringify(one)).toString('base64url')).join('.')
  const signature = sign('sha256', Buffer.from(signed), { key: pem.key, dsaEncoding: 'ieee-p1363' })
  return `${signed}.${signature.toString('base64url')}`
}
