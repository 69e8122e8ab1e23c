import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { runStep } from '../support/runner.js'

let root = ''

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'pc-no-room-'))
})

afterEach(async () => {
  await rm(root, { recursive: true, force: true })
})

it('a run that cannot even begin says so in outputs, summary and annotation, and ends with 3', async () => {
  const workspace = join(root, 'workspace')
  await mkdir(workspace)
  const result = await runStep({
    workspace,
    commit: '0'.repeat(40),
    temp: root,
    inputs: { image: 'ghcr.io/a/b', publish: 'never' },
    env: { TMPDIR: join(root, 'nowhere') },
  })
  expect(result.code).toBe(3)
  expect(result.outputs).toMatchObject({ verdict: 'incomplete', reason: 'no-temporary-folder' })
  expect(result.summary).toMatch(/^### ⚠️ Portcullis: could not decide/)
  expect(result.commands.map(command => command.name)).toEqual(['error'])
})
