import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { mkdtemp } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { parseImageName } from '../../../src/evidence/reference.js'
import { judgeVerification } from '../../../src/evidence/verification.js'
import { openRegistry } from '../../../src/registry/registry.js'
import { releaseImage } from '../../../src/release/release.js'
import type { ReleaseOutcome, ReleaseRequest } from '../../../src/release/request.js'
import { readServedImage } from '../../../src/release/verify-image.js'
import { createCommands } from '../../../src/tools/commands.js'
import { readCredentials } from '../../../src/tools/crane.js'
import { makeCertificate, startDockerRegistry } from '../../support/docker-registry.js'
import { startLyingRegistry } from '../../support/lying-registry.js'
import { builtProgram } from '../../support/programs.js'
import { NOW, openDesk, type Desk } from '../../support/release-desk.js'
import {
  dockerConfig,
  LOGIN,
  tlsWorld,
  tokenWorld,
  WORLDS,
  type World,
} from '../../support/registry-worlds.js'

const EVERYTHING = ['signature', 'spdx', 'cyclonedx', 'vulnerabilities', 'summary'] as const
const REACHED_BY = ['HTTPS_PROXY', 'HTTP_PROXY', 'NO_PROXY', 'SSL_CERT_FILE', 'SSL_CERT_DIR']

let desk: Desk
let ending: (() => Promise<void>)[] = []
const own = { ...process.env }
beforeAll(async () => {
  desk = await openDesk()
})
afterAll(() => desk.close())
afterEach(async () => {
  for (const name of REACHED_BY) setVariable(name, own[name])
  for (const end of ending) await end()
  ending = []
})

function setVariable(name: string, value: string | undefined): void {
  if (value === undefined) Reflect.deleteProperty(process.env, name)
  else process.env[name] = value
}

async function enter(world: World | Promise<World>): Promise<World> {
  const entered = await world
  ending.push(entered.stop)
  return entered
}

interface Visit {
  readonly services: Desk['services']
  readonly request: ReleaseRequest
  readonly environment: Readonly<Record<string, string>>
}

/** A release to that registry, with that environment and no other, for the programs and for this process. */
async function visit(world: Pick<World, 'host' | 'environment'>, name = 'team/app'): Promise<Visit> {
  const request = await desk.request(2)
  const base = { PATH: process.env['PATH'] ?? '', HOME: desk.dir, DOCKER_CONFIG: join(desk.dir, 'nobody') }
  const environment = { ...base, ...world.environment }
  for (const variable of REACHED_BY) setVariable(variable, world.environment[variable])
  const workDir = await mkdtemp(join(desk.dir, 'visit-'))
  const commands = createCommands({ environment, workDir })
  ending.push(() => commands.stopAll())
  const image = parseImageName(`${world.host}/${name}`)
  const signing = { ...request.signing, rehearsal: false } as ReleaseRequest['signing']
  return { services: { ...desk.services, commands }, request: { ...request, image, signing }, environment }
}

function release({ services, request }: Visit): Promise<ReleaseOutcome> {
  return releaseImage(services, request)
}

/** What `portcullis verify` finds with the public key. */
async function problemsSeen({ services, request }: Visit): Promise<readonly string[]> {
  const { image, layout, workDir } = request
  const { commands, signal, crane, cosign } = services
  const publicKeyFile = `${desk.keyFile.slice(0, -'.key'.length)}.pub`
  const credentials = await readCredentials({ commands, program: crane }, image.host)
  const registry = openRegistry({ image, credentials, access: 'pull', signal })
  const trust = { kind: 'key', publicKey: readFileSync(publicKeyFile, 'utf8') } as const
  const believed = { trust, check: () => ({ kind: 'key', publicKeyFile }) as const }
  const reader = { registry, cosign: { commands, program: cosign }, believed, workDir }
  const served = await readServedImage(reader, layout.subject.digest)
  const { index, children, bundles } = served
  const asked = { index, children, require: EVERYTHING, now: NOW.getTime(), maxAgeMs: 86_400_000 }
  return judgeVerification(bundles, asked).problems.map(problem => problem.reason)
}

async function run({ environment }: Visit, name: string, args: readonly string[]): Promise<string> {
  const { path } = builtProgram(name)
  return (await promisify(execFile)(path, args, { env: environment, timeout: 60_000 })).stdout
}

describe('an image of two platforms is released to', () => {
  test.each(WORLDS)('%s', async (_name, make) => {
    const world = await enter(make(desk.dir))
    const visited = await visit(world)
    const { record, problems } = await release(visited)
    expect(problems).toEqual([])
    expect(record.state).toBe('released')
    expect(record.tags.map(one => one.state)).toEqual(['created', 'created'])
    expect(await problemsSeen(visited)).toEqual([])
    const { image, layout } = visited.request
    expect((await run(visited, 'crane', ['digest', `${image.name}:latest`])).trim()).toBe(
      layout.subject.digest,
    )
    const key = ['--key', join(visited.request.reportDir, 'cosign.pub'), '--insecure-ignore-tlog']
    await run(visited, 'cosign', ['verify', ...key, `${image.name}@${layout.subject.digest}`])
    const child = layout.subject.platforms[1]?.manifest.digest ?? layout.subject.digest
    await run(visited, 'cosign', [
      'verify-attestation',
      ...key,
      '--type',
      'spdxjson',
      `${image.name}@${child}`,
    ])
    world.after?.()
  })
})

describe('nothing is pushed, and the reason says why, where', () => {
  async function refusal(world: Pick<World, 'host' | 'environment'>): Promise<string> {
    const { record, problems } = await release(await visit(world))
    expect(record.tags).toEqual([])
    expect(problems).toHaveLength(1)
    return `${problems[0]?.reason ?? ''}: ${problems[0]?.message ?? ''}`
  }

  test('the authority of the registry is not known', async () => {
    const world = await enter(tlsWorld(desk.dir, 'auths'))
    const { DOCKER_CONFIG = '' } = world.environment
    expect(await refusal({ host: world.host, environment: { DOCKER_CONFIG } })).toMatch(
      /^registry-tls: .*SSL_CERT_FILE.*SELF_SIGNED/,
    )
  })

  test('the password is wrong', async () => {
    const world = await enter(tlsWorld(desk.dir, 'auths'))
    const login = await dockerConfig(desk.dir, world.host, 'auths', { ...LOGIN, password: 'other' })
    expect(await refusal({ ...world, environment: { ...world.environment, ...login } })).toMatch(
      /^registry-refused: .*HTTP 401/,
    )
  })

  test('the token service does not know the login, or nobody is logged in', async () => {
    const world = await enter(tokenWorld(desk.dir))
    const login = await dockerConfig(desk.dir, world.host, 'auths', { ...LOGIN, password: 'other' })
    expect(await refusal({ ...world, environment: login })).toMatch(/^registry-refused: .*token service/)
    expect(await refusal({ ...world, environment: {} })).toMatch(/^registry-refused: .*log in first/)
  })

  test('the proxy is not there', async () => {
    const certificate = (await makeCertificate(desk.dir, 'nobody')).certificate
    const environment = { HTTPS_PROXY: 'http://127.0.0.1:9', SSL_CERT_FILE: certificate }
    expect(await refusal({ host: 'registry.test:5000', environment })).toMatch(
      /^registry-unreachable: .*through the proxy 127\.0\.0\.1:9 \(ECONNREFUSED\)/,
    )
  })

  test('the registry has no TLS and is not this machine', async () => {
    const world = await enter({
      ...(await startDockerRegistry({ address: '127.0.0.2' })),
      environment: {},
    })
    expect(await refusal(world)).toMatch(/^registry-tls: .*plain http is spoken on localhost/)
  })
})

test('a token that is no longer taken midway is asked for again', async () => {
  const world = await enter(tokenWorld(desk.dir))
  const between = await startLyingRegistry(world.host)
  ending.push(between.stop)
  const login = await dockerConfig(desk.dir, between.host, 'auths')
  const probe = await fetch(`http://${world.host}/v2/`)
  const challenge = probe.headers.get('www-authenticate') ?? ''
  let spent = 0
  between.lie(seen => {
    if (seen.headers['user-agent'] !== 'node' || seen.count > 1 || !seen.path.includes('/blobs/sha256:'))
      return null
    spent += 1
    return { status: 401, headers: { 'www-authenticate': challenge } }
  })
  const { problems, record } = await release(await visit({ host: between.host, environment: login }))
  expect(problems).toEqual([])
  expect(record.state).toBe('released')
  expect(spent).toBeGreaterThan(1)
})
