import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, realpath, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { readDockerfile } from '../../../src/commands/dockerfile.js'
import { readSourceFile } from '../../../src/commands/source-file.js'
import { terminalContext } from '../../../src/github/context.js'
import { readInputs } from '../../../src/inputs.js'
import { gateError } from '../../support/gate-error.js'

let root = ''
let checkout = ''
const limits = () => ({ maxBytes: 1024 ** 2, within: [checkout] })

beforeEach(async () => {
  root = await realpath(await mkdtemp(join(tmpdir(), 'pc-source-')))
  checkout = join(root, 'checkout')
  await mkdir(join(checkout, 'docker'), { recursive: true })
  await writeFile(join(root, 'outside'), 'FROM outside:1\n')
  await writeFile(join(checkout, 'docker', 'real'), 'FROM inside:1\n')
})

afterEach(async () => {
  await rm(root, { recursive: true, force: true })
})

it.each([
  ['a plain file', 'docker/real', { state: 'read', text: 'FROM inside:1\n' }],
  ['a file beside the sources that was named', '../outside', { state: 'read', text: 'FROM outside:1\n' }],
  ['nothing', 'nothing', { state: 'absent' }],
  ['something below a file', 'docker/real/x', { state: 'absent' }],
])('%s is what it is', async (_name, path, expected) => {
  expect(await readSourceFile(join(checkout, path), limits())).toEqual(expected)
})

it.each([
  ['inside the sources', 'docker/real', 'read'],
  ['out of the sources', '../outside', 'refused'],
  ["to the program's own environment", '/proc/self/environ', 'refused'],
  ['to itself', 'Dockerfile', 'refused'],
  ['that leads nowhere', 'nothing', 'refused'],
])('a link %s', async (_name, target, state) => {
  await symlink(target, join(checkout, 'Dockerfile'))
  expect((await readSourceFile(join(checkout, 'Dockerfile'), limits())).state).toBe(state)
})

it.each([
  ['a folder', 'docker'],
  ['a device', '/dev/zero'],
  ['a file of the kernel', '/proc/self/environ'],
])('%s is refused', async (_name, path) => {
  const file = path.startsWith('/') ? path : join(checkout, path)
  expect((await readSourceFile(file, limits())).state).toBe('refused')
})

it('a pipe is refused at once, nobody waits for it', async () => {
  await promisify(execFile)('mkfifo', [join(checkout, 'Dockerfile')])
  expect((await readSourceFile(join(checkout, 'Dockerfile'), limits())).state).toBe('refused')
})

it('a larger file is refused, not cut', async () => {
  await writeFile(join(checkout, 'Dockerfile'), 'x'.repeat(1024 ** 2 + 1))
  expect((await readSourceFile(join(checkout, 'Dockerfile'), limits())).state).toBe('refused')
})

it.each(['oci-layout:layout', ''])(
  'a Dockerfile that leads to the environment is a configuration error (subject "%s")',
  async subject => {
    await symlink('/proc/self/environ', join(checkout, 'Dockerfile'))
    const values: Readonly<Record<string, string>> = { image: 'demo/app', subject }
    const request = readInputs(name => values[name] ?? '', { sigil: '--' })
    await expect(readDockerfile(request, terminalContext(checkout))).rejects.toThrow(
      gateError({ code: 'config', reason: 'dockerfile-unreadable' }),
    )
  },
)

describe('the context of a build', () => {
  const TERMINAL = { kind: 'terminal', trusted: true } as const
  const EVENT = { kind: 'event', trusted: true } as const

  it.each([
    ['a folder of the workspace', 'docker', TERMINAL, 'dockerfile-missing'],
    ['a link inside the workspace', 'inside', TERMINAL, 'dockerfile-missing'],
    ['a folder beside it that a person named', '..', TERMINAL, 'dockerfile-missing'],
    ['a link out of the workspace', 'home', TERMINAL, 'context-outside'],
    ['a folder behind a link', 'home/x', TERMINAL, 'context-outside'],
    ['a folder beside it, for an event', '..', EVENT, 'context-outside'],
  ])('%s', async (_name, path, trigger, reason) => {
    await mkdir(join(root, 'x'))
    await symlink(root, join(checkout, 'home'))
    await symlink('docker', join(checkout, 'inside'))
    const values: Readonly<Record<string, string>> = { image: 'demo/app', context: path, file: 'none' }
    const request = readInputs(name => values[name] ?? '', { sigil: '--' })
    const context = { ...terminalContext(checkout), trigger }
    await expect(readDockerfile(request, context)).rejects.toThrow(gateError({ code: 'config', reason }))
  })
})
