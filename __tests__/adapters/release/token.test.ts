import { existsSync, readFileSync, readdirSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { openTokens, type TokenSource } from '../../../src/release/token.js'
import { reasonOfAsync } from '../../support/reasons.js'

let workDir: string
beforeAll(async () => {
  workDir = await mkdtemp(join(tmpdir(), 'pc-token-'))
})
afterAll(() => rm(workDir, { recursive: true, force: true }))

const WORKFLOW = 'octo-org/app/.github/workflows/release.yml@refs/heads/main'

/** Tokens that live so many seconds, one after another with these changes. */
function source(lifetime: number, ...changes: readonly object[]): TokenSource & { readonly given: string[] } {
  const given: string[] = []
  const request = (audience: string): Promise<string> => {
    const now = Math.floor(Date.now() / 1000)
    const claims = {
      ...{ iss: 'https://issuer', aud: audience, iat: now, exp: now + lifetime, run_attempt: '1' },
      ...{ job_workflow_ref: WORKFLOW, workflow_ref: WORKFLOW, repository: 'octo-org/app' },
      ...{ repository_id: '1', repository_owner_id: '2', ref: 'refs/heads/main', sha: 'a'.repeat(40) },
      ...{ event_name: 'push', runner_environment: 'github-hosted', run_id: '4' },
      ...changes[Math.min(given.length, changes.length - 1)],
    }
    const token = ['{}', JSON.stringify(claims), `signature ${String(given.length)}`]
      .map(part => Buffer.from(part).toString('base64url'))
      .join('.')
    given.push(token)
    return Promise.resolve(token)
  }
  return { request, server: 'https://github.com', now: () => new Date(), workDir, given }
}

const read = (file: { readonly path: string }): Promise<string> =>
  Promise.resolve(readFileSync(file.path, 'utf8'))

test('one token serves until it is old; then one new one is asked for, by all at once', async () => {
  const tokens = source(1)
  const opened = await openTokens(tokens)
  expect(await Promise.all([opened.withFile(read), opened.withFile(read)])).toEqual([
    tokens.given[0],
    tokens.given[0],
  ])
  await sleep(700)
  const later = await Promise.all([1, 2, 3].map(() => opened.withFile(read)))
  expect(tokens.given).toHaveLength(2)
  expect(new Set(later)).toEqual(new Set([tokens.given[1]]))
})

test('the file is gone when its reader failed, and nothing is read after close', async () => {
  const opened = await openTokens(source(300))
  let seen = ''
  const failing = opened.withFile(file => {
    seen = file.path
    expect(existsSync(seen)).toBe(true)
    return Promise.reject(new Error('the reader failed'))
  })
  await expect(failing).rejects.toThrow('the reader failed')
  expect(seen).not.toBe('')
  expect(readdirSync(workDir)).toEqual([])
  opened.close()
  await expect(opened.withFile(read)).rejects.toThrow(/closed/)
})

test.each([
  ['repository_id', '11'],
  ['ref', 'refs/heads/main2'],
  ['iss', 'https://issuer2'],
  ['run_id', '5'],
])('a later token with another %s is refused', async (claim, value) => {
  const opened = await openTokens(source(1, {}, { [claim]: value }))
  await sleep(700)
  expect(await reasonOfAsync(opened.withFile(read))).toBe('identity-changed')
})

test.each([
  ['a clock that is ten minutes ahead', 600, 'clock-differs'],
  ['a clock that is ten minutes behind', -600, 'clock-differs'],
  ['a clock that is a minute off', 60, 'nothing was thrown'],
])('%s', async (_what, seconds, reason) => {
  const tokens = { ...source(300), now: () => new Date(Date.now() + seconds * 1000) }
  expect(await reasonOfAsync(openTokens(tokens))).toBe(reason)
})

test.each<readonly [string, object]>([
  ['for another audience', { aud: 'npm' }],
  ['without repository id', { repository_id: undefined }],
  ['with an id that is no number', { repository_id: '1 or 2' }],
  ['without workflow', { job_workflow_ref: '' }],
  ['with a line break', { ref: 'refs/heads/main\nx' }],
  ['that ends before it begins', { exp: 5 }],
])('a token %s is none of a job', async (_what, change) => {
  expect(await reasonOfAsync(openTokens(source(300, change)))).toBe('id-token-malformed')
})
