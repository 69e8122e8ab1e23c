import {
  link,
  lstat,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  realpath,
  rm,
  symlink,
  writeFile,
} from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { clearReportFolder, openReportFolder, writeWhole } from '../../../src/tools/report-folder.js'
import { gateError } from '../../support/gate-error.js'

let root = ''
let checkout = ''
let victim = ''

beforeEach(async () => {
  root = await realpath(await mkdtemp(join(tmpdir(), 'pc-report-')))
  checkout = join(root, 'checkout')
  victim = join(root, 'victim')
  await mkdir(checkout)
  await mkdir(victim)
  await writeFile(join(victim, 'file'), 'keep')
})

afterEach(async () => {
  await rm(root, { recursive: true, force: true })
})

describe('a report folder inside foreign content', () => {
  it.each([
    ['the folder is a link', 'report', 'report'],
    ['a folder above it is a link', 'a', 'a/b/report'],
    ['the folder of bundles is a link', 'report/bundles', 'report'],
  ])('is refused when %s', async (_name, planted, asked) => {
    await mkdir(join(checkout, planted, '..'), { recursive: true })
    await symlink(victim, join(checkout, planted))
    await expect(openReportFolder(join(checkout, asked), [checkout])).rejects.toThrow(
      gateError({ code: 'config', reason: 'output-is-a-link' }),
    )
    expect(await readdir(victim)).toEqual(['file'])
  })

  it('is refused under another name of the checkout too', async () => {
    await symlink(checkout, join(root, 'alias'))
    await symlink(victim, join(checkout, 'report'))
    await expect(openReportFolder(join(checkout, 'report'), [join(root, 'alias')])).rejects.toThrow(
      gateError({ reason: 'output-is-a-link' }),
    )
  })

  it('is made when nothing of it is a link', async () => {
    await openReportFolder(join(checkout, 'a', 'report'), [checkout])
    expect((await lstat(join(checkout, 'a', 'report'))).isDirectory()).toBe(true)
  })

  it('may lie behind a link that is no part of the foreign content', async () => {
    await symlink(victim, join(root, 'mine'))
    await openReportFolder(join(root, 'mine', 'report'), [checkout])
    expect(await readdir(victim)).toEqual(['file', 'report'])
  })
})

describe('a file of the report folder', () => {
  it.each([
    ['a symbolic link', symlink],
    ['another name of a foreign file', link],
  ])('replaces %s and is not written through it', async (_name, plant) => {
    await plant(join(victim, 'file'), join(checkout, 'portcullis.json'))
    await writeWhole(join(checkout, 'portcullis.json'), 'ours')
    expect(await readFile(join(victim, 'file'), 'utf8')).toBe('keep')
    expect(await readFile(join(checkout, 'portcullis.json'), 'utf8')).toBe('ours')
    expect((await lstat(join(checkout, 'portcullis.json'))).isFile()).toBe(true)
  })

  it('leaves nothing half written', async () => {
    await mkdir(join(checkout, 'taken', 'full'), { recursive: true })
    await expect(writeWhole(join(checkout, 'taken'), 'ours')).rejects.toThrow()
    expect(await readdir(checkout)).toEqual(['taken'])
  })
})

it('an earlier run leaves no record, evidence, summary or bundle behind; other files stay', async () => {
  await mkdir(join(checkout, 'bundles'))
  const old = ['portcullis.json', 'evidence.json', 'summary.md', 'bundles/signature.sigstore.json']
  for (const name of [...old, 'notes.txt', 'bundles/notes.txt']) await writeFile(join(checkout, name), 'old')
  await clearReportFolder(checkout)
  expect(await readdir(checkout)).toEqual(['bundles', 'notes.txt'])
  expect(await readdir(join(checkout, 'bundles'))).toEqual(['notes.txt'])
})
