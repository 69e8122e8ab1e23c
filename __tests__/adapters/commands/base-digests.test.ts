import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { resolveBases, withDigests } from '../../../src/commands/base-digests.js'
import { parseDockerfile } from '../../../src/evidence/dockerfile.js'
import { notConfigured, present } from '../../../src/evidence/known.js'
import { readInputs } from '../../../src/inputs.js'
import { createServices, type Services } from '../../../src/services.js'
import { startRegistry, type RegistryProcess } from '../../support/registry-process.js'
import { ROOT, run, toolPath } from '../../support/tools.js'

const DIGEST = `sha256:${'d'.repeat(64)}`

let registry: RegistryProcess
let services: Services & { readonly dispose: () => Promise<void> }
let home = ''
let digest = ''

beforeAll(async () => {
  registry = await startRegistry()
  home = await mkdtemp(join(tmpdir(), 'bases-'))
  const layout = join(ROOT, 'examples', 'app', 'layouts', 'fixed')
  for (const name of ['base:1', 'base:latest', 'other:1'])
    await run(toolPath('crane'), ['push', layout, `${registry.host}/${name}`])
  digest = (await run(toolPath('crane'), ['digest', `${registry.host}/base:1`])).stdout.trim()
})
afterAll(async () => {
  await registry.stop()
  await rm(home, { recursive: true, force: true })
})
beforeEach(async () => {
  services = await createServices({
    environment: { PATH: '/usr/bin:/bin', HOME: home },
    progress: { stageStarted: () => undefined, stageEnded: () => undefined, note: () => undefined },
    signal: new AbortController().signal,
  })
})
afterEach(() => services.dispose())

async function resolved(dockerfile: string | null, values: Readonly<Record<string, string>> = {}) {
  const inputs: Readonly<Record<string, string>> = { image: `${registry.host}/app`, ...values }
  const request = readInputs(name => inputs[name] ?? '', { sigil: '' })
  const facts = {
    startedAt: new Date(),
    release: { state: 'not-wanted', bundles: [], tags: [] },
    files: [],
  } as const
  const given = { services, request, facts, commands: services.newCommands() }
  const known =
    dockerfile === null ? notConfigured<never>() : present(parseDockerfile(dockerfile, 'Dockerfile'))
  return await resolveBases(given, known, { name: 'crane', path: toolPath('crane') })
}

test('by tag, without tag, pinned, on scratch, as a stage', async () => {
  const { host } = registry
  const text = [
    `FROM ${host}/base:1 AS one`,
    `FROM ${host}/base AS two`,
    `FROM ${host}/base:1@${DIGEST} AS three`,
    'FROM scratch',
    'COPY --from=one /a /a',
    `COPY --from=${host}/other:1 /b /b`,
  ].join('\n')
  const { records, checked } = await resolved(text)
  expect(records).toEqual([
    { reference: `${host}/base:1`, state: 'resolved', digest },
    { reference: `${host}/base`, state: 'resolved', digest },
    { reference: `${host}/base:1@${DIGEST}`, state: 'pinned', digest: DIGEST },
    { reference: `${host}/other:1`, state: 'resolved', digest },
  ])
  expect(checked.map(base => base.reference)).toEqual(records.map(record => record.reference))
})

test('what cannot be looked up is recorded so, and not handed on', async () => {
  const { host } = registry
  const text = [
    `FROM ${host}/absent:1 AS a`,
    'FROM 127.0.0.1:1/nobody:1 AS b',
    'FROM base-$TARGETARCH AS c',
    `FROM ${host}/base:1`,
  ].join('\n')
  const { records, checked } = await resolved(text)
  expect(records.map(record => [record.reference, record.state])).toEqual([
    [`${host}/absent:1`, 'unresolved'],
    [`${host}/base:1`, 'resolved'],
    ['127.0.0.1:1/nobody:1', 'unresolved'],
    ['base-$TARGETARCH', 'unresolved'],
  ])
  const whys = records.map(record => (record.state === 'unresolved' ? record.why : ''))
  expect(whys[2]).toMatch(/refused/)
  expect(whys[3]).toBe('the name is not known before the build')
  expect(checked).toEqual([{ reference: `${host}/base:1`, digest }])
})

test('a base that a named context replaces is none; an image as context is one', async () => {
  const { host } = registry
  const text = `FROM ${host}/base\nCOPY --from=docker.io/library/lib / /\n`
  const contexts = { [`${host}/base:latest`]: 'folder', lib: `docker-image://${host}/other:1` }
  const lines = Object.entries(contexts).map(([name, value]) => `${name}=${value}`)
  const found = await resolved(text, { 'build-contexts': lines.join('\n') })
  const { records } = found
  const facts = withDigests(present(parseDockerfile(text, 'Dockerfile')), found, contexts)
  expect(facts).toMatchObject({ state: 'present', value: { bases: [] } })
  expect(records).toEqual([{ reference: `${host}/other:1`, state: 'resolved', digest }])
})

test('a login for the host of the image serves all bases there', async () => {
  const { host } = registry
  const login = { 'registry-username': 'me', 'registry-password': 'a-password' }
  const { records } = await resolved(`FROM ${host}/base:1 AS a\nFROM ${host}/other:1\n`, login)
  expect(records.map(record => record.state)).toEqual(['resolved', 'resolved'])
})

test('without a Dockerfile there are none', async () => {
  expect(await resolved(null)).toEqual({ records: [], checked: [] })
})

test('the facts of the Dockerfile get the digests that were looked up', async () => {
  const { host } = registry
  const text = `FROM ${host}/base:1 AS a\nFROM ${host}/absent:1\n`
  const facts = withDigests(present(parseDockerfile(text, 'Dockerfile')), await resolved(text), {})
  expect(facts).toMatchObject({
    value: { bases: [{ reference: `${host}/base:1`, pinned: false, digest }, { pinned: false }] },
  })
  expect(JSON.stringify(facts).match(/sha256/g)).toHaveLength(1)
})
