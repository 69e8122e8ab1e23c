import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, open, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseRecord } from '../../src/record/parse.js'
import { shellEnvironment } from '../support/terminal.js'
import { bundled, node24 } from '../support/tools.js'

let root = ''

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'pc-readers-'))
  await mkdir(join(root, 'tmp'))
})

afterEach(async () => {
  await rm(root, { recursive: true, force: true })
})

// A run that ends soon by itself: its policy is not there, exit 2.
const ARGS = [
  ...['gate', '--image', 'demo/app', '--subject', 'oci-layout:layout'],
  ...['--policy', 'nothing.yml', '--publish', 'never', '--output', 'report'],
]

async function run(gone: readonly ('stdout' | 'stderr')[], stdout: number | 'pipe' = 'pipe') {
  const child = spawn(node24(), [bundled('cli'), ...ARGS], {
    cwd: root,
    env: { ...shellEnvironment({ home: root, tmp: join(root, 'tmp') }) },
    stdio: ['ignore', stdout, 'pipe'],
  })
  for (const name of ['stdout', 'stderr'] as const) {
    if (gone.includes(name)) child[name]?.destroy()
    else child[name]?.resume()
  }
  await once(child, 'exit')
  return child.exitCode
}

it.each([
  ['nobody', []],
  ['the reader of the report', ['stdout']],
  ['the reader of the progress', ['stderr']],
  ['both readers', ['stdout', 'stderr']],
] as const)('%s is gone: the run ends as it would, with its record, and clears up', async (_name, gone) => {
  expect(await run(gone)).toBe(2)
  expect(parseRecord(await readFile(join(root, 'report/portcullis.json'), 'utf8')).reason).toBe(
    'policy-missing',
  )
  expect(await readdir(join(root, 'tmp'))).toEqual([])
})

it('a report that cannot be written ends with 3, and clears up', async () => {
  const full = await open('/dev/full', 'w')
  try {
    expect(await run([], full.fd)).toBe(3)
  } finally {
    await full.close()
  }
  expect(await readdir(join(root, 'tmp'))).toEqual([])
})
