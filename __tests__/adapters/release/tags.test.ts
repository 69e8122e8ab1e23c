import { execFile, execFileSync } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { releaseImage } from '../../../src/release/release.js'
import type { ReleaseOutcome } from '../../../src/release/request.js'
import { ancestryOf } from '../../../src/tools/git.js'
import { builtProgram } from '../../support/programs.js'
import { openDesk, type Desk } from '../../support/release-desk.js'

let desk: Desk
let dir = ''
/** first <- second <- third on the trunk; side branches off first. */
let commits = { first: '', second: '', third: '', side: '' }

beforeAll(async () => {
  desk = await openDesk()
  dir = await mkdtemp(join(tmpdir(), 'history-'))
  await git('init', '--quiet', '--initial-branch', 'main')
  commits = { ...commits, first: await commit('first') }
  commits = { ...commits, second: await commit('second') }
  commits = { ...commits, third: await commit('third') }
  await git('checkout', '--quiet', '-b', 'side', commits.first)
  commits = { ...commits, side: await commit('side') }
})

afterAll(async () => {
  await desk.close()
  await rm(dir, { recursive: true, force: true })
})

async function git(...args: readonly string[]): Promise<string> {
  const env = { PATH: process.env['PATH'], HOME: dir, GIT_CONFIG_NOSYSTEM: '1' }
  const who = ['-c', 'user.name=t', '-c', 'user.email=t@example.com']
  return (await promisify(execFile)('git', ['-C', dir, ...who, ...args], { env })).stdout.trim()
}

async function commit(message: string): Promise<string> {
  await git('commit', '--quiet', '--allow-empty', '--message', message)
  return await git('rev-parse', 'HEAD')
}

/** Releases an image of one commit as 1.0.0-like and `latest`, then another of another commit over the moving tag. */
async function releaseOver(before: string | undefined, after: string): Promise<ReleaseOutcome> {
  const first = await desk.request(1, before)
  const outcome = await releaseImage(desk.services, { ...first, tags: ['latest'] })
  expect(outcome.record.tags).toEqual([{ tag: 'latest', state: 'created' }])
  const second = await desk.request(2, after)
  return await releaseImage(desk.services, {
    ...second,
    image: first.image,
    tags: ['2.0.0', 'latest'],
    movable: ['latest'],
    descends: revision => ancestryOf(desk.commands, { commit: after, repository: dir }, revision),
  })
}

describe('a moving tag', () => {
  test('goes forward in history, and the fixed one beside it is set too', async () => {
    const outcome = await releaseOver(commits.first, commits.third)
    expect(outcome.problems).toEqual([])
    expect(outcome.record.tags).toEqual([
      { tag: '2.0.0', state: 'created' },
      { tag: 'latest', state: 'moved' },
    ])
  })

  test('goes to a second build of the same commit', async () => {
    const outcome = await releaseOver(commits.second, commits.second)
    expect(outcome.record.tags.map(one => one.state)).toEqual(['created', 'moved'])
  })

  test.each([
    ['backwards', 'third', 'first', 'tag-backwards'],
    ['to a branch beside it', 'second', 'side', 'tag-backwards'],
  ] as const)('does not go %s', async (_what, before, after, reason) => {
    const outcome = await releaseOver(commits[before], commits[after])
    expect(outcome.problems.map(one => [one.code, one.reason])).toEqual([['config', reason]])
    expect([outcome.record.state, outcome.record.tags]).toEqual(['failed', []])
  })

  test.each([
    ['an image that names no commit', undefined],
    ['a commit that nobody here knows', 'f'.repeat(40)],
    ['a label that is no commit', 'main; rm -rf'],
  ])('is left alone over %s', async (_what, before) => {
    const outcome = await releaseOver(before, commits.third)
    expect(outcome.problems.map(one => [one.code, one.reason])).toEqual([['evidence', 'tag-history-unknown']])
    expect(outcome.record.tags).toEqual([])
  })

  test('is left alone when it moves between preflight and the end', async () => {
    const first = await desk.request(1, commits.first)
    await releaseImage(desk.services, { ...first, tags: ['latest'] })
    const other = await desk.request(1, commits.second)
    await releaseImage(desk.services, { ...other, image: first.image, tags: ['other'] })
    const here = `${desk.embedded.host}/${first.image.path}`
    const move = ['tag', `${here}@${other.layout.subject.digest}`, 'latest']
    const second = await desk.request(1, commits.third)
    // The first note comes right after the push.
    const note = (): void => void execFileSync(builtProgram('crane').path, move, { env: { HOME: dir } })
    const outcome = await releaseImage(
      { ...desk.services, note },
      {
        ...second,
        ...{ image: first.image, tags: ['latest'], movable: ['latest'] },
        descends: () => Promise.resolve('ancestor'),
      },
    )
    expect([outcome.record.tags, outcome.problems.map(one => one.reason)]).toEqual([[], ['tag-moved']])
  })
})
