import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { secretInputs } from '../../../src/build/secrets.js'

let dir = ''

beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'secrets-'))
  writeFileSync(join(dir, 'plain'), 'line-one\n  line-two\nx\n')
  writeFileSync(join(dir, 'large'), '')
  truncateSync(join(dir, 'large'), 600 * 1024)
  execFileSync('mkfifo', [join(dir, 'pipe')])
})
afterAll(() => rmSync(dir, { recursive: true, force: true }))

test('flags hold names, variables hold values, each line is kept from messages', async () => {
  const secrets = [
    { id: 'a', file: join(dir, 'plain') },
    { id: 'b', env: 'LD_PRELOAD' },
  ]
  const found = await secretInputs(secrets, { LD_PRELOAD: 'value-of-b' })
  expect(found.args).toEqual([
    ...['--secret', `id=a,src=${join(dir, 'plain')}`],
    ...['--secret', 'id=b,env=PORTCULLIS_BUILD_SECRET_1'],
  ])
  expect(found.variables).toEqual({ PORTCULLIS_BUILD_SECRET_1: 'value-of-b' })
  expect(found.redacted).toEqual(expect.arrayContaining(['line-one', 'line-two', 'value-of-b']))
  expect(found.redacted).not.toContain('x')
})

test.each([
  ['nothing there', { id: 'a', file: '/nonexistent/a' }, 'secret-missing'],
  ['a folder', { id: 'a', file: '/' }, 'secret-missing'],
  ['a variable that is not set', { id: 'a', env: 'NOT_SET' }, 'secret-missing'],
  ['an empty variable', { id: 'a', env: 'EMPTY' }, 'secret-missing'],
] as const)('%s is refused', async (_, secret, reason) => {
  await expect(secretInputs([secret], { EMPTY: '' })).rejects.toMatchObject({ code: 'config', reason })
})

test.each([
  ['a pipe that nobody writes to', 'pipe', 'secret-missing'],
  ['a large file', 'large', 'secret-too-large'],
])('%s is refused at once', async (_, name, reason) => {
  const asked = secretInputs([{ id: 'a', file: join(dir, name) }], {})
  await expect(asked).rejects.toMatchObject({ code: 'config', reason })
})

test('33 secrets are too many, said and not dropped', async () => {
  const secrets = Array.from({ length: 33 }, (_, index) => ({ id: `s${index}`, env: 'VALUE' }))
  await expect(secretInputs(secrets, { VALUE: 'value' })).rejects.toMatchObject({
    reason: 'secrets-too-many',
  })
})
