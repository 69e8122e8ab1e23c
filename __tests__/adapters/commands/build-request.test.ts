import { cp, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join, relative } from 'node:path'
import { buildRequest } from '../../../src/commands/build-request.js'
import { GateError } from '../../../src/errors.js'
import { terminalContext, type RunContext } from '../../../src/github/context.js'
import { readInputs } from '../../../src/inputs.js'
import { openLayout } from '../../../src/oci/reader.js'
import { ROOT } from '../../support/tools.js'

const DIGEST = `sha256:${'d'.repeat(64)}`

let workspace = ''
let outside = ''

beforeEach(async () => {
  workspace = await mkdtemp(join(tmpdir(), 'ws-'))
  outside = await mkdtemp(join(tmpdir(), 'out-'))
  await mkdir(join(workspace, 'lib'))
  await writeFile(join(workspace, 'token'), 't')
  await writeFile(join(outside, 'token'), 't')
  await symlink(join(outside, 'token'), join(workspace, 'link'))
  await symlink(outside, join(workspace, 'linked-folder'))
})
afterEach(async () => {
  for (const dir of [workspace, outside]) await rm(dir, { recursive: true, force: true })
})

function contextOf(kind: 'event' | 'terminal'): RunContext {
  const terminal = terminalContext(workspace)
  return kind === 'terminal' ? terminal : { ...terminal, trigger: { kind: 'event', trusted: true } }
}

async function asked(
  values: Readonly<Record<string, string>>,
  kind: 'event' | 'terminal' = 'terminal',
  bases: readonly { readonly reference: string; readonly digest: string }[] = [],
) {
  const request = readInputs(name => ({ image: 'ghcr.io/a/b', ...values })[name] ?? '', { sigil: '' })
  return await buildRequest(request, contextOf(kind), { environment: {}, bases })
}

test('paths are absolute, from the workspace', async () => {
  const found = await asked({
    context: 'lib',
    secrets: 'id=t,src=token\nid=v,env=V',
    ssh: 'default\nown=agent.sock',
    'build-contexts': `lib=lib\nbase=oci-layout://lib@${DIGEST}\nimage=docker-image://debian\ngit=https://example.test/x.git`,
    'cache-from': 'type=local,src=cache\ntype=registry,ref=r/c\nr/d',
    'cache-to': 'type=local,mode=max,dest=cache',
  })
  expect(found).toMatchObject({
    context: join(workspace, 'lib'),
    dockerfile: join(workspace, 'lib', 'Dockerfile'),
    secrets: [
      { id: 't', file: join(workspace, 'token') },
      { id: 'v', env: 'V' },
    ],
    ssh: ['default', `own=${join(workspace, 'agent.sock')}`],
    buildContexts: {
      lib: join(workspace, 'lib'),
      base: `oci-layout://${join(workspace, 'lib')}@${DIGEST}`,
      image: 'docker-image://debian',
      git: 'https://example.test/x.git',
    },
    cacheFrom: [`type=local,src=${join(workspace, 'cache')}`, 'type=registry,ref=r/c', 'r/d'],
    cacheTo: [`type=local,mode=max,dest=${join(workspace, 'cache')}`],
  })
})

test('an image as context gets the digest that was looked up', async () => {
  const bases = [{ reference: 'debian:12', digest: DIGEST }]
  const values = { 'build-contexts': `a=docker-image://debian:12\nb=docker-image://debian:11` }
  expect((await asked(values, 'terminal', bases)).buildContexts).toEqual({
    a: `docker-image://debian:12@${DIGEST}`,
    b: 'docker-image://debian:11',
  })
})

test('a layout as context gets the digest of its only image', async () => {
  await cp(join(ROOT, 'examples', 'app', 'layouts', 'fixed'), join(workspace, 'base'), { recursive: true })
  const { subject } = await openLayout(join(workspace, 'base'), { name: 'base' })
  const { buildContexts } = await asked({ 'build-contexts': 'base=oci-layout://base' })
  expect(buildContexts).toEqual({ base: `oci-layout://${join(workspace, 'base')}@${subject.digest}` })
  await expect(asked({ 'build-contexts': 'base=oci-layout://lib' })).rejects.toThrow('blobs')
})

type Values = (away: string) => Readonly<Record<string, string>>

/** `away` is a path outside, from the workspace. */
const ROWS: readonly (readonly [string, Values, 'both' | 'event'])[] = [
  ['a secret behind a link', () => ({ secrets: 'id=t,src=link' }), 'both'],
  ['a secret below a linked folder', () => ({ secrets: 'id=t,src=linked-folder/token' }), 'both'],
  ['a linked folder as context', () => ({ 'build-contexts': 'a=linked-folder' }), 'both'],
  ['a linked layout', () => ({ 'build-contexts': `a=oci-layout://linked-folder@${DIGEST}` }), 'both'],
  ['a secret outside', away => ({ secrets: `id=t,src=${away}/token` }), 'event'],
  ['a folder outside', away => ({ 'build-contexts': `a=${away}` }), 'event'],
  ['a layout outside', away => ({ 'build-contexts': `a=oci-layout://${away}@${DIGEST}` }), 'event'],
]

test.each(ROWS)('%s is refused where it must be', async (_, values, refusedOn) => {
  for (const away of [relative(workspace, outside), outside]) {
    for (const kind of ['event', 'terminal'] as const) {
      const result = await asked(values(away), kind).catch((error: unknown) => error)
      if (kind === 'terminal' && refusedOn === 'event') expect(result).not.toBeInstanceOf(GateError)
      else expect(result).toMatchObject({ code: 'config', reason: 'path-outside' })
    }
  }
})

test('a link that stays inside is followed', async () => {
  await symlink('token', join(workspace, 'inner'))
  const found = await asked({ secrets: 'id=t,src=inner' }, 'event')
  expect(found.secrets).toEqual([{ id: 't', file: join(workspace, 'inner') }])
  expect(dirname(join(workspace, 'inner'))).toBe(workspace)
})
