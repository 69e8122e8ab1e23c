import { automaticTags, tagPlan } from '../../../src/commands/tag-plan.js'
import type { Trigger } from '../../../src/record/record.js'

const COMMIT = '0123456789abcdef0123456789abcdef01234567'

function at(ref: string | undefined): Trigger {
  return { kind: 'event', trusted: true, commit: COMMIT, ...(ref !== undefined && { ref }) }
}

test.each<[string, readonly string[], readonly string[]]>([
  ['refs/tags/v1.2.3', ['1.2.3', '1.2', '1', 'latest'], ['1.2', '1', 'latest']],
  ['refs/tags/1.2.3', ['1.2.3', '1.2', '1', 'latest'], ['1.2', '1', 'latest']],
  ['refs/tags/v0.4.0', ['0.4.0', '0.4', 'latest'], ['0.4', 'latest']],
  ['refs/tags/v2.0.0-rc.1', ['2.0.0-rc.1'], []],
  ['refs/heads/main', ['sha-0123456789ab', 'edge'], ['edge']],
])('auto on %s: %j, of which %j move', (ref, tags, movable) => {
  expect(automaticTags(at(ref))).toEqual({ tags, movable })
})

test.each([
  ['a terminal', at(undefined)],
  ['a Git tag that is no version', at('refs/tags/nightly')],
  ['a leading zero', at('refs/tags/v01.2.3')],
  ['build metadata', at('refs/tags/v1.2.3+5')],
  ['a pull request', at('refs/pull/1/merge')],
])('auto means nothing on %s', (_what, trigger) => {
  expect(automaticTags(trigger)).toBeUndefined()
  expect(tagPlan({ tags: ['auto'], overwrite: [] }, trigger)).toBeUndefined()
})

test('named tags stay, auto is replaced where it stands, and both kinds of moving tags are named', () => {
  const request = { tags: ['stable', 'auto', 'latest'], overwrite: ['stable'] }
  expect(tagPlan(request, at('refs/tags/v1.2.3'))).toEqual({
    tags: ['stable', '1.2.3', '1.2', '1', 'latest'],
    movable: ['1.2', '1', 'latest', 'stable'],
  })
  expect(tagPlan({ tags: ['1'], overwrite: [] }, at(undefined))).toEqual({ tags: ['1'], movable: [] })
})
