import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pullImage } from '../../../src/build/pulled.js'
import { registryCommands } from '../../../src/commands/registry-commands.js'
import type { Digest } from '../../../src/evidence/digest.js'
import { parseImageName } from '../../../src/evidence/reference.js'
import { hashBlobs } from '../../../src/oci/blobs.js'
import { openLayout } from '../../../src/oci/reader.js'
import { createCommands } from '../../../src/tools/commands.js'
import { digestOf, makeIndexLayout, makeLayout } from '../../support/layouts.js'
import { reasonOfAsync } from '../../support/reasons.js'
import { startRegistry, type RegistryProcess } from '../../support/registry-process.js'
import { startServer } from '../../support/scripted-server.js'
import { run, toolPath } from '../../support/tools.js'

const layers = [{ files: [{ path: 'a', content: 'a'.repeat(10_000) }] }]
const arm = { os: 'linux', architecture: 'arm64' }
let registry: RegistryProcess
let dir = ''

beforeAll(async () => {
  registry = await startRegistry()
})
afterAll(() => registry.stop())
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'pulled-'))
})
afterEach(() => rm(dir, { recursive: true, force: true }))

function commands() {
  return createCommands({ environment: { PATH: '/usr/bin:/bin', HOME: dir }, workDir: dir })
}

function pull(host: string, path: string, digest: Digest) {
  const crane = { commands: commands(), program: { name: 'crane', path: toolPath('crane') } }
  return pullImage({ crane, workDir: dir }, { image: parseImageName(`${host}/${path}`), digest })
}

async function push(layoutDir: string, name: string): Promise<void> {
  await run(toolPath('crane'), ['push', layoutDir, `${registry.host}/${name}`])
}

test('an image comes by digest, byte by byte', async () => {
  const { manifestDigest } = await makeLayout(join(dir, 'made'), { layers })
  await push(join(dir, 'made'), 'team/app:1')
  const pulled = await pull(registry.host, 'team/app', manifestDigest)
  const layout = await openLayout(pulled.layoutDir, { name: 'x' })
  await hashBlobs(layout)
  expect(layout.subject.digest).toBe(manifestDigest)
})

test('an index comes with all its platforms', async () => {
  const { indexDigest } = await makeIndexLayout(join(dir, 'made'), [{ layers }, { layers, platform: arm }])
  await push(join(dir, 'made'), 'team/both:1')
  const pulled = await pull(registry.host, 'team/both', indexDigest)
  const layout = await openLayout(pulled.layoutDir, { name: 'x' })
  await hashBlobs(layout)
  expect(layout.subject.digest).toBe(indexDigest)
  expect(layout.subject.platforms.map(image => image.platform)).toEqual(['linux/amd64', 'linux/arm64'])
})

test('a digest that is not there, and a registry that is not there, have their reasons', async () => {
  expect(await reasonOfAsync(pull(registry.host, 'team/app', digestOf('absent')))).toBe('image-absent')
  expect(await reasonOfAsync(pull('127.0.0.1:1', 'team/app', digestOf('x')))).toBe('registry-unreachable')
})

test('other bytes than those of the digest are refused', async () => {
  const server = await startServer((_, response) => {
    response.writeHead(200, { 'content-type': 'application/vnd.oci.image.manifest.v1+json' }).end('{}')
  })
  expect(await reasonOfAsync(pull(server.host, 'team/app', digestOf('x')))).toBe('pull-failed')
  await server.stop()
})

test.each([
  ['go to the host of the image', true],
  ['go to no other host', false],
])('the user name and password of the request %s', async (_, own) => {
  const server = await startServer((request, response) => {
    if (request.headers.authorization === undefined) {
      response.writeHead(401, { 'www-authenticate': 'Basic realm="x"' }).end()
    } else response.writeHead(404).end()
  })
  const made = await registryCommands(
    {
      services: {
        environment: { PATH: '/usr/bin:/bin', HOME: dir },
        workDir: dir,
        signal: new AbortController().signal,
        newCommands: commands,
      },
      request: {
        image: own ? `${server.host}/team/app` : 'registry.example.com/team/app',
        registryUsername: 'ann',
        registryPassword: 'secret',
      },
    },
    server.host,
  )
  const crane = { commands: made.commands, program: { name: 'crane', path: toolPath('crane') } }
  const from = { image: parseImageName(`${server.host}/team/app`), digest: digestOf('x') }
  await reasonOfAsync(pullImage({ crane, workDir: dir }, from))
  await made.close()
  expect(await readdir(dir)).not.toContain('registry-login')
  const sent = server.seen.flatMap(({ authorization }) => authorization ?? [])
  expect([...new Set(sent)]).toEqual(own ? [`Basic ${Buffer.from('ann:secret').toString('base64')}`] : [])
  await server.stop()
})
