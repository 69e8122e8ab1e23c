import { chmod, mkdir, mkdtemp, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { startConnectProxy } from './connect-proxy.js'
import { makeCertificate, startDockerRegistry } from './docker-registry.js'
import { startOlareg } from './olareg.js'
import { startRegistry } from './registry-process.js'
import { startTokenService } from './registry-tokens.js'

/** A registry as its users meet it: where it is, and what the environment has to say to get in. */
export interface World {
  readonly host: string
  /** For the programs and, while the test runs, for this process. */
  readonly environment: Readonly<Record<string, string>>
  /** What has to be true when all is done; throws when it is not. */
  readonly after?: () => void
  readonly stop: () => Promise<void>
}

export const LOGIN = { username: 'ann', password: 'p:ä & more' }

type Login = 'auths' | 'helper'

/** A folder for DOCKER_CONFIG with the login, or with a helper that knows it. */
export async function dockerConfig(
  dir: string,
  host: string,
  kind: Login,
  login = LOGIN,
): Promise<Readonly<Record<string, string>>> {
  const folder = await mkdtemp(join(dir, 'login-'))
  const auth = Buffer.from(`${login.username}:${login.password}`).toString('base64')
  const content = kind === 'auths' ? { auths: { [host]: { auth } } } : { credHelpers: { [host]: 'tests' } }
  await writeFile(join(folder, 'config.json'), JSON.stringify(content))
  if (kind === 'auths') return { DOCKER_CONFIG: folder }
  const bin = join(folder, 'bin')
  await mkdir(bin)
  const answer = JSON.stringify({ ServerURL: host, Username: login.username, Secret: login.password })
  const script = `#!/bin/sh\nread -r asked\n[ "$1 $asked" = "get ${host}" ] || exit 1\ncat <<'END'\n${answer}\nEND\n`
  await writeFile(join(bin, 'docker-credential-tests'), script)
  await chmod(join(bin, 'docker-credential-tests'), 0o755)
  return { DOCKER_CONFIG: folder, PATH: `${bin}:${process.env['PATH'] ?? ''}` }
}

/** With TLS by its own authority, and a login. */
export async function tlsWorld(dir: string, kind: Login): Promise<World> {
  const tls = await makeCertificate(dir, `tls-${kind}`)
  const registry = await startDockerRegistry({ address: '127.0.0.2', tls, login: LOGIN })
  const environment = { ...(await dockerConfig(dir, registry.host, kind)), SSL_CERT_FILE: tls.certificate }
  return { ...registry, environment }
}

/** With tokens of a service of its own. */
export async function tokenWorld(dir: string): Promise<World> {
  const signer = await makeCertificate(dir, 'tokens')
  const service = await startTokenService(signer, LOGIN)
  const registry = await startDockerRegistry({ tokens: { ...service, certificate: signer.certificate } })
  return {
    host: registry.host,
    environment: await dockerConfig(dir, registry.host, 'auths'),
    after: () => {
      const foreign = service.asked.filter(({ login }) => login !== LOGIN.username)
      if (service.asked.length === 0 || foreign.length > 0) throw new Error(JSON.stringify(service.asked))
    },
    stop: async () => {
      await Promise.all([registry.stop(), service.stop()])
    },
  }
}

/** A name that only the proxy knows, with TLS by its own authority and a login. */
export async function proxiedWorld(dir: string): Promise<World> {
  const tls = await makeCertificate(dir, 'proxied')
  const registry = await startDockerRegistry({ address: '127.0.0.2', tls, login: LOGIN })
  const proxy = await startConnectProxy('127.0.0.2')
  const host = registry.host.replace('127.0.0.2', 'registry.test')
  return {
    host,
    environment: {
      ...(await dockerConfig(dir, host, 'auths')),
      ...{ SSL_CERT_FILE: tls.certificate, HTTPS_PROXY: proxy.url, HTTP_PROXY: 'http://127.0.0.1:9' },
    },
    after: () => {
      const others = proxy.tunnels.filter(target => target !== host)
      if (proxy.tunnels.length === 0 || others.length > 0 || proxy.refused.length > 0)
        throw new Error(JSON.stringify([proxy.tunnels, proxy.refused]))
    },
    stop: async () => {
      await Promise.all([registry.stop(), proxy.stop()])
    },
  }
}

/** On loopback, while the environment names a proxy that is not there. */
export async function pastTheProxyWorld(): Promise<World> {
  const nowhere = 'http://127.0.0.1:9'
  const environment = { HTTPS_PROXY: nowhere, HTTP_PROXY: nowhere }
  const registry = await startDockerRegistry()
  return { ...registry, environment }
}

type Making = readonly [name: string, make: (dir: string) => Promise<World>]

/** Every kind of registry that is promised. */
export const WORLDS: readonly Making[] = [
  ['the embedded one', async () => ({ ...(await startRegistry()), environment: {} })],
  [
    "Debian's docker-registry, anonymous",
    async () => ({ ...(await startDockerRegistry()), environment: {} }),
  ],
  ['one with the referrers interface', async () => ({ ...(await startOlareg()), environment: {} })],
  ['one with TLS and basic login, by DOCKER_CONFIG', dir => tlsWorld(dir, 'auths')],
  ['one with TLS and basic login, by a credential helper', dir => tlsWorld(dir, 'helper')],
  ['one with tokens', tokenWorld],
  ['one behind a proxy', proxiedWorld],
  ['one on loopback, past the proxy', pastTheProxyWorld],
]
