import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { databaseSizesFile } from '../../../src/tools/cache.js'
import { readDatabaseSizes, rememberDatabaseSize } from '../../../src/tools/database-sizes.js'

let dir: string
let file: string
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'sizes-'))
  file = join(dir, 'cache', 'database-sizes.json')
})
afterEach(() => rm(dir, { recursive: true, force: true }))

const remember = (place: string, size: number, unique = 'one') =>
  rememberDatabaseSize(file, { place, size, unique })

test('lies beside the assets of the cache', () => {
  expect(databaseSizesFile({ PORTCULLIS_CACHE: '/c' })).toBe('/c/database-sizes.json')
  expect(databaseSizesFile({ RUNNER_TOOL_CACHE: '/c' })).toBe('/c/portcullis/database-sizes.json')
})

test('remembers the last size of each place, and nothing of a first run', async () => {
  expect(await readDatabaseSizes(file)).toEqual({ sizes: {} })
  await remember('a', 10)
  await remember('b', 20)
  await remember('a', 30)
  expect(await readDatabaseSizes(file)).toEqual({ sizes: { a: 30, b: 20 } })
  expect(await readdir(join(dir, 'cache'))).toEqual(['database-sizes.json'])
})

test('many runs at once leave one whole file', async () => {
  await Promise.all(Array.from({ length: 20 }, (_, at) => remember('a', at + 1, String(at))))
  const { sizes, note } = await readDatabaseSizes(file)
  expect([Object.keys(sizes), note]).toEqual([['a'], undefined])
})

test('at most a thousand places are kept, the newest ones', async () => {
  const many = Object.fromEntries(Array.from({ length: 1000 }, (_, at) => [`place ${at}`, 1]))
  await mkdir(join(dir, 'cache'))
  await writeFile(file, JSON.stringify(many))
  await remember('new', 5)
  const { sizes } = await readDatabaseSizes(file)
  expect([Object.keys(sizes).length, sizes['new'], sizes['place 0']]).toEqual([1000, 5, undefined])
})

test.each([
  ['half', '{"a":'],
  ['of another shape', '["a"]'],
  ['with a size that is none', '{"a":-1}'],
  ['with a size of text', '{"a":"1"}'],
  ['too big', JSON.stringify({ a: 1, b: ' ' }) + ' '.repeat(300_000)],
  [
    'with too many places',
    JSON.stringify(Object.fromEntries(Array.from({ length: 1001 }, (_, at) => [at, 1]))),
  ],
])('one that is %s is not believed, said, and written anew', async (_name, text) => {
  await mkdir(join(dir, 'cache'))
  await writeFile(file, text)
  const { sizes, note } = await readDatabaseSizes(file)
  expect(sizes).toEqual({})
  expect(note).toContain('cannot be read')
  await remember('a', 7)
  expect(await readDatabaseSizes(file)).toEqual({ sizes: { a: 7 } })
})

test('a link is not followed, neither to read nor to write', async () => {
  await mkdir(join(dir, 'cache'))
  await writeFile(join(dir, 'other'), '{"a":1}')
  await symlink(join(dir, 'other'), file)
  expect((await readDatabaseSizes(file)).sizes).toEqual({})
  await remember('b', 2)
  expect(await readFile(join(dir, 'other'), 'utf8')).toBe('{"a":1}')
  expect((await readDatabaseSizes(file)).sizes).toEqual({ b: 2 })
})

test('a cache that cannot be written is no failure', async () => {
  await writeFile(join(dir, 'cache'), 'a file where a folder should be')
  await expect(remember('a', 1)).resolves.toBeUndefined()
})
