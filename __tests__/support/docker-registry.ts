import { spawn } from 'node:child_process'
import { connect, createServer } from 'node:net'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { machinePath, run } from './tools.js'

/** A certificate that signs itself, with its key: PEM files, made now. */
export interface Certificate {
  readonly certificate: string
  readonly key: string
}

export interface DockerRegistryOptions {
  /** 127.0.0.2 is loopback for the machine and a host like any other for registry clients: they want TLS there. */
  readonly address?: '127.0.0.1' | '127.0.0.2'
  readonly tls?: Certificate
  readonly login?: { readonly username: string; readonly password: string }
  /** Tokens of this service are taken when the certificate signed them. */
  readonly tokens?: { readonly realm: string; readonly service: string; readonly certificate: string }
}

export interface DockerRegistry {
  /** `ADDRESS:PORT`. */
  readonly host: string
  readonly stop: () => Promise<void>
}

const START_MS = 20_000

/** Debian's docker-registry, storing in a folder that goes with it. */
export async function startDockerRegistry(options: DockerRegistryOptions = {}): Promise<DockerRegistry> {
  const dir = await mkdtemp(join(tmpdir(), 'pc-registry-'))
  const address = options.address ?? '127.0.0.1'
  const port = await freePort(address)
  const host = `${address}:${String(port)}`
  const config = join(dir, 'config.yml')
  await writeFile(config, JSON.stringify(await configuration(dir, host, options)))
  const child = spawn(machinePath('dockerRegistry'), ['serve', config], {
    ...{ cwd: dir, env: { PATH: '/usr/bin:/bin', HOME: dir } },
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  let said = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => (said = (said + text).slice(-4000)))
  const gone = new Promise<void>(resolve => child.once('close', () => resolve()))
  async function stop(): Promise<void> {
    child.kill('SIGKILL')
    await gone
    await rm(dir, { recursive: true, force: true })
  }
  const until = Date.now() + START_MS
  while (!(await listens(address, port))) {
    if (child.exitCode === null && Date.now() < until) await sleep(25)
    else {
      await stop()
      throw new Error(`docker-registry did not start: ${said}`)
    }
  }
  return { host, stop }
}

async function configuration(dir: string, host: string, options: DockerRegistryOptions): Promise<object> {
  const { tls, login, tokens } = options
  const auth = {
    ...(login === undefined ? {} : { htpasswd: { realm: 'tests', path: await htpasswd(dir, login) } }),
    ...(tokens === undefined
      ? {}
      : {
          token: {
            ...{ realm: tokens.realm, service: tokens.service, issuer: tokens.service },
            rootcertbundle: tokens.certificate,
          },
        }),
  }
  return {
    version: '0.1',
    log: { level: 'error', accesslog: { disabled: true } },
    storage: { filesystem: { rootdirectory: join(dir, 'data') } },
    http: {
      ...{ addr: host, secret: 'tests', relativeurls: true },
      ...(tls === undefined ? {} : { tls }),
    },
    ...(Object.keys(auth).length === 0 ? {} : { auth }),
  }
}

/** One line of bcrypt; Node has none, the C library of Debian does. */
async function htpasswd(
  dir: string,
  login: { readonly username: string; readonly password: string },
): Promise<string> {
  const salt = Array.from(crypto.getRandomValues(new Uint8Array(21)), byte => 'abcdefghijklmnop'[byte % 16])
  const script = 'print crypt($ENV{PASSWORD}, $ARGV[0])'
  const args = ['-e', script, `$2b$05$${salt.join('')}e`]
  const { stdout } = await run(machinePath('perl'), args, { env: { PASSWORD: login.password } })
  const path = join(dir, 'htpasswd')
  await writeFile(path, `${login.username}:${stdout}\n`)
  return path
}

/** A certificate for the names that the tests use, good for two days. */
export async function makeCertificate(dir: string, name: string): Promise<Certificate> {
  const folder = await mkdtemp(join(dir, 'certificate-'))
  const made = { certificate: join(folder, 'tls.pem'), key: join(folder, 'tls.key') }
  await run(machinePath('openssl'), [
    ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2'],
    ...['-subj', `/CN=${name}`, '-addext', 'subjectAltName=IP:127.0.0.2,DNS:registry.test'],
    ...['-keyout', made.key, '-out', made.certificate],
  ])
  return made
}

function listens(host: string, port: number): Promise<boolean> {
  return new Promise(resolve => {
    const socket = connect({ host, port })
    const say = (answer: boolean) => (): void => {
      socket.destroy()
      resolve(answer)
    }
    socket.once('connect', say(true)).once('error', say(false))
  })
}

async function freePort(address: string): Promise<number> {
  const server = createServer()
  await new Promise<void>(resolve => server.listen(0, address, resolve))
  const bound = server.address()
  await new Promise(resolve => server.close(resolve))
  if (bound === null || typeof bound === 'string') throw new Error('there is no free port')
  return bound.port
}
