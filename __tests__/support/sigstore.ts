import { spawn, type ChildProcess } from 'node:child_process'
import { generateKeyPairSync } from 'node:crypto'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { SigstoreFiles } from '../../src/tools/cosign-keyless.js'
import { builtProgram } from './programs.js'
import { startIssuer, type TokenIssuer } from './token-issuer.js'
import { run } from './tools.js'
import { startTroubled, type TroubledService, type Upstream } from './troubled-service.js'

/** A whole Sigstore on loopback: real Fulcio, timestamp authority and Rekor v2, and an issuer of tokens. */
export interface PrivateSigstore {
  readonly issuer: TokenIssuer
  readonly fulcio: TroubledService
  readonly timestamps: TroubledService
  readonly rekor: TroubledService
  /** Configuration with the log, without it, and a root that trusts another certificate authority. */
  readonly withLog: SigstoreFiles
  readonly withoutLog: SigstoreFiles
  readonly foreign: SigstoreFiles
  /** Ends every process it started. */
  readonly stop: () => Promise<void>
}

const START_MS = 20_000
const SINCE = 'start-time=2024-01-01T00:00:00Z'

interface Stack {
  readonly dir: string
  readonly children: ChildProcess[]
  readonly services: TroubledService[]
}

/** Starts everything on ports of its own; ready after a second or two, or an error that says what did not start. */
export async function startSigstore(): Promise<PrivateSigstore> {
  const dir = await mkdtemp(join(tmpdir(), 'pc-sigstore-'))
  const stack: Stack = { dir, children: [], services: [] }
  const issuer = await startIssuer()
  async function stop(): Promise<void> {
    await Promise.all(stack.children.map(endChild))
    await Promise.all([issuer.stop(), ...stack.services.map(one => one.stop())])
    await rm(dir, { recursive: true, force: true })
  }
  try {
    const [fulcio, other, timestamps, rekor] = await Promise.all([
      startFulcio(stack, issuer.url, 'fulcio'),
      startFulcio(stack, issuer.url, 'other'),
      startTimestamps(stack),
      startRekor(stack),
    ])
    await savePem(`${fulcio.url}/api/v1/rootCert`, join(dir, 'fulcio.pem'))
    await savePem(`${other.url}/api/v1/rootCert`, join(dir, 'other.pem'))
    await savePem(`${timestamps.url}/api/v1/timestamp/certchain`, join(dir, 'timestamps.pem'))
    const urls = { fulcio: fulcio.url, timestamps: timestamps.url, rekor: rekor.url }
    return {
      ...{ issuer, fulcio, timestamps, rekor, stop },
      withLog: await configure(dir, 'log', { ...urls, root: 'fulcio.pem' }),
      withoutLog: await configure(dir, 'no-log', { ...urls, rekor: null, root: 'fulcio.pem' }),
      foreign: await configure(dir, 'foreign', { ...urls, root: 'other.pem' }),
    }
  } catch (thrown) {
    await stop()
    throw thrown
  }
}

async function startFulcio(stack: Stack, issuer: string, name: string): Promise<TroubledService> {
  const [port, grpc, metrics] = await freePorts()
  const config = join(stack.dir, `${name}.yaml`)
  const entry = `{issuer-url: "${issuer}", client-id: sigstore, type: github-workflow}`
  await writeFile(config, `oidc-issuers:\n  "${issuer}": ${entry}\n`)
  const args = [
    ...['serve', '--ca', 'ephemeralca', '--ct-log-url', '', '--config-path', config],
    ...['--host', '127.0.0.1', '--port', String(port), '--metrics-port', String(metrics)],
    ...['--grpc-host', '127.0.0.1', '--grpc-port', String(grpc)],
    ...['--legacy-unix-domain-socket', `@${stack.dir}/${name}`],
  ]
  const child = start(stack, [builtProgram('fulcio').path, ...args])
  return ready(stack, child, { name, upstream: { port }, path: '/api/v1/rootCert' })
}

/**
 * Its metrics always want port 2112: in a network of its own two of them do not meet, and a socket leads in. Where
 * no such network can be had, there can be one at a time.
 */
async function startTimestamps(stack: Stack): Promise<TroubledService> {
  const socketPath = join(stack.dir, 'timestamps.sock')
  const args = [
    ...['serve', '--scheme', 'unix', '--socket-path', socketPath],
    ...['--timestamp-signer', 'memory', '--disable-ntp-monitoring'],
  ]
  const child = start(stack, [...(await ownNetwork()), builtProgram('timestamp-server').path, ...args])
  const path = '/api/v1/timestamp/certchain'
  return ready(stack, child, { name: 'timestamp-server', upstream: { socketPath }, path })
}

async function ownNetwork(): Promise<readonly string[]> {
  for (const words of [['-rn'], ['-n']]) {
    const held = await run('/usr/bin/unshare', [...words, '/bin/true']).catch(() => null)
    if (held !== null) return ['/usr/bin/unshare', ...words]
  }
  return []
}

async function startRekor(stack: Stack): Promise<TroubledService> {
  const [port, grpc, metrics] = await freePorts()
  const { privateKey, publicKey } = generateKeyPairSync('ed25519')
  const key = join(stack.dir, 'rekor.key')
  const storage = join(stack.dir, 'rekor')
  await mkdir(storage)
  await writeFile(key, privateKey.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600 })
  await writeFile(join(stack.dir, 'rekor.pub'), publicKey.export({ type: 'spki', format: 'pem' }))
  const args = [
    ...['serve', '--storage-dir', storage, '--signer-filepath', key, '--hostname', '127.0.0.1'],
    ...['--http-address', '127.0.0.1', '--http-port', String(port), '--grpc-port', String(grpc)],
    ...['--http-metrics-port', String(metrics), '--checkpoint-interval', '100ms', '--batch-max-age', '10ms'],
  ]
  const child = start(stack, [builtProgram('rekor-server').path, ...args])
  return ready(stack, child, { name: 'rekor-server', upstream: { port }, path: '/healthz' })
}

function start(stack: Stack, [program = '', ...args]: readonly string[]): ChildProcess {
  const env = { PATH: '/usr/bin:/bin', HOME: stack.dir, TMPDIR: stack.dir }
  const child = spawn(program, args, { cwd: stack.dir, env, stdio: ['ignore', 'pipe', 'pipe'] })
  stack.children.push(child)
  return child
}

async function ready(
  stack: Stack,
  child: ChildProcess,
  service: { readonly name: string; readonly upstream: Upstream; readonly path: string },
): Promise<TroubledService> {
  let said = ''
  const failed: string[] = []
  const hear = (chunk: Buffer): void => void (said = `${said}${chunk.toString()}`.slice(-4000))
  child.stdout?.on('data', hear)
  child.stderr?.on('data', hear)
  child.once('error', error => void failed.push(String(error)))
  child.once('exit', code => void failed.push(`ended with ${String(code)}`))
  const until = Date.now() + START_MS
  while (!(await answers(service.upstream, service.path))) {
    if (failed.length > 0 || Date.now() > until) {
      throw new Error(`${service.name} did not start: ${failed[0] ?? 'no answer in time'}\n${said}`)
    }
    await sleep(25)
  }
  const troubled = await startTroubled(service.upstream)
  stack.services.push(troubled)
  return troubled
}

function answers(upstream: Upstream, path: string): Promise<boolean> {
  return new Promise(resolve => {
    const question = request({ host: '127.0.0.1', ...upstream, path, timeout: 1000 }, reply => {
      reply.resume()
      resolve(reply.statusCode === 200)
    })
    question.on('timeout', () => question.destroy())
    question.on('error', () => resolve(false))
    question.end()
  })
}

async function savePem(url: string, file: string): Promise<void> {
  const answer = await fetch(url)
  if (!answer.ok) throw new Error(`${url} answers ${String(answer.status)}`)
  await writeFile(file, await answer.text())
}

interface Urls {
  readonly fulcio: string
  readonly timestamps: string
  readonly rekor: string | null
  /** File with the root of the certificate authority. */
  readonly root: string
}

/** Both files, made by Cosign's own commands. */
async function configure(dir: string, name: string, urls: Urls): Promise<SigstoreFiles> {
  const files = {
    signingConfig: join(dir, `${name}.signing-config.json`),
    trustedRoot: join(dir, `${name}.trusted-root.json`),
  }
  const timestamps = `${urls.timestamps}/api/v1/timestamp`
  const cosign = (args: readonly string[]): Promise<unknown> =>
    run(builtProgram('cosign').path, args, { cwd: dir, env: { HOME: dir } })
  const service = (url: string, version: number): string =>
    `url=${url},api-version=${String(version)},${SINCE},operator=test`
  await cosign([
    ...['trusted-root', 'create', '--out', files.trustedRoot],
    `--fulcio=url=${urls.fulcio},certificate-chain=${urls.root}`,
    `--tsa=url=${timestamps},certificate-chain=timestamps.pem`,
    ...(urls.rekor === null
      ? []
      : [`--rekor=url=${urls.rekor},public-key=rekor.pub,${SINCE},origin=127.0.0.1`]),
  ])
  await cosign([
    ...['signing-config', 'create', '--out', files.signingConfig],
    ...[`--fulcio=${service(urls.fulcio, 1)}`, `--tsa=${service(timestamps, 1)}`, '--tsa-config=ANY'],
    ...(urls.rekor === null ? [] : [`--rekor=${service(urls.rekor, 2)}`, '--rekor-config=ANY']),
  ])
  return files
}

/** Ports that are free now: held together before they are let go, so that they differ. */
async function freePorts(): Promise<readonly [number, number, number]> {
  const held = await Promise.all([holdPort(), holdPort(), holdPort()])
  await Promise.all(held.map(one => one.free()))
  const [first, second, third] = held
  return [first.port, second.port, third.port]
}

async function holdPort(): Promise<{ readonly port: number; readonly free: () => Promise<unknown> }> {
  const server = createServer()
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('there is no free port')
  return { port: address.port, free: () => new Promise(resolve => server.close(resolve)) }
}

async function endChild(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const gone = new Promise<void>(resolve => child.once('exit', () => resolve()))
  child.kill('SIGKILL')
  await gone
}
