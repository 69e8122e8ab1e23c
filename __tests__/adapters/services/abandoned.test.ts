import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { claimFolder, removeAbandoned } from '../../../src/abandoned.js'

let base: string
beforeEach(async () => {
  base = await mkdtemp(join(tmpdir(), 'pc-abandoned-'))
})
afterEach(() => rm(base, { recursive: true, force: true }))

async function folder(name: string, owner?: string): Promise<string> {
  const dir = join(base, name)
  await mkdir(dir)
  if (owner !== undefined) await writeFile(join(dir, '.portcullis-owner.json'), owner)
  return dir
}

/** What a run of this machine writes, as if the process `pid` had. */
async function ownerOf(pid: number, change: (text: string) => string = text => text): Promise<string> {
  const dir = await folder('portcullis-oooooo')
  await claimFolder(dir)
  const text = await readFile(join(dir, '.portcullis-owner.json'), 'utf8')
  await rm(dir, { recursive: true })
  return change(text.replace(/"pid":\d+/, `"pid":${String(pid)}`))
}

/** The id of a process that lived and does not any more. */
async function deadProcess(): Promise<number> {
  const child = spawn('/bin/true')
  await new Promise(resolve => child.once('close', resolve))
  return child.pid ?? 0
}

it('removes the folder of a process that is gone', async () => {
  const dir = await folder('portcullis-abc123', await ownerOf(await deadProcess()))
  await removeAbandoned(base)
  expect(existsSync(dir)).toBe(false)
})

it('removes the folder of a process whose id another one has now', async () => {
  const other = (text: string): string => text.replace(/"start":"\d+"/, '"start":"1"')
  const dir = await folder('portcullis-abc123', await ownerOf(process.pid, other))
  await removeAbandoned(base)
  expect(existsSync(dir)).toBe(false)
})

describe('leaves alone', () => {
  it.each([
    ['that of a process that lives', 'portcullis-abc123', () => ownerOf(process.pid)],
    ['one without an owner', 'portcullis-abc123', () => Promise.resolve(undefined)],
    ['one with an unreadable owner', 'portcullis-abc123', () => Promise.resolve('{"pid":0}')],
    [
      'one of another boot or machine',
      'portcullis-abc123',
      async () => ownerOf(await deadProcess(), text => text.replace(/"boot":"./, '"boot":"z')),
    ],
    [
      'one of another process namespace',
      'portcullis-abc123',
      async () => ownerOf(await deadProcess(), text => text.replace('pid:[', 'pid:[9')),
    ],
    ['one with another name', 'portcullis-results', async () => ownerOf(await deadProcess())],
  ])('%s', async (_what, name, owner) => {
    const dir = await folder(name, await owner())
    await removeAbandoned(base)
    expect(existsSync(dir)).toBe(true)
  })

  it('what a link of the name points at', async () => {
    const victim = await folder('victim', await ownerOf(await deadProcess()))
    await symlink(victim, join(base, 'portcullis-abc123'))
    await removeAbandoned(base)
    expect(existsSync(join(victim, '.portcullis-owner.json'))).toBe(true)
  })
})
