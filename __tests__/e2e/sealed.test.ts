import { cp, open, readdir, readFile, writeFile } from 'node:fs/promises'
import { createHash } from 'node:crypto'
import { join } from 'node:path'
import type { RunRecord } from '../../src/record/record.js'
import {
  makeProject,
  openBench,
  policyText,
  readRecord,
  recordOf,
  runGate,
  type Bench,
  type Project,
} from '../support/gate-runs.js'
import { mustEndWith, portcullis, shellEnvironment, type Ending } from '../support/terminal.js'

let bench: Bench
let project: Project
let sealed = ''

beforeAll(async () => {
  bench = await openBench()
  project = await makeProject(bench, 'fixed')
  const result = await runGate(bench, project, { repository: 'acme/app', publish: ['--publish', 'never'] })
  mustEndWith(0, result)
  expect(result.stdout + result.stderr).toContain('sealed for a release')
  sealed = join(result.reportDir, 'sealed')
})

afterAll(async () => {
  await bench.close()
})

interface Released {
  readonly ending: Ending
  readonly record: RunRecord | null
}

async function release(folder: string, given: { tag: string; cwd?: string }): Promise<Released> {
  const [home, tmp] = await Promise.all([bench.folder('home'), bench.folder('tmp')])
  const output = join(await bench.folder('out'), 'report')
  const ending = await portcullis(
    [
      ...['release', folder, '--tags', given.tag, '--sign', 'key', '--key', bench.key.key],
      ...['--tools', `dir:${bench.tools}`, '--output', output],
    ],
    {
      cwd: given.cwd ?? project.dir,
      env: { ...shellEnvironment({ home, tmp }), COSIGN_PASSWORD: bench.key.password },
    },
  )
  return { ending, record: await readRecord(output) }
}

/** A copy of what was sealed, to be changed. */
async function copied(): Promise<string> {
  const dir = join(await bench.folder('copy'), 'sealed')
  await cp(sealed, dir, { recursive: true })
  return dir
}

async function flipMiddle(file: string): Promise<void> {
  const handle = await open(file, 'r+')
  try {
    const { size } = await handle.stat()
    const at = Math.floor(size / 2)
    const byte = Buffer.alloc(1)
    await handle.read(byte, 0, 1, at)
    await handle.write(Buffer.from([(byte[0] ?? 0) ^ 1]), 0, 1, at)
  } finally {
    await handle.close()
  }
}

async function edited(file: string, edit: (text: string) => string): Promise<void> {
  const text = await readFile(file, 'utf8')
  const other = edit(text)
  if (other === text) throw new Error(`nothing was changed in ${file}`)
  await writeFile(file, other)
}

describe('gate --publish never, then release', () => {
  it('releases the very bytes that were sealed, and changes nothing of the seal', async () => {
    const before = await readFile(join(sealed, 'portcullis.json'), 'utf8')
    const { ending, record } = await release(sealed, { tag: '2.0.0' })
    mustEndWith(0, ending)
    const sealedRecord = await readRecord(sealed)
    expect(record?.command).toBe('release')
    expect([record?.outcome, record?.release.state]).toEqual(['pass', 'released'])
    expect(record?.release.digest).toBe(sealedRecord?.subject?.digest)
    expect(record?.verdict?.decidedAt).toBe(sealedRecord?.verdict?.decidedAt)
    expect(record?.tools.map(tool => tool.name).sort()).toEqual(['cosign', 'crane'])
    expect(await bench.registry.tags('acme/app')).toContain('2.0.0')
    expect(await readFile(join(sealed, 'portcullis.json'), 'utf8')).toBe(before)
  })

  it('takes the report folder for the sealed one, and a record fixed by its hash', async () => {
    const sha256 = createHash('sha256')
      .update(await readFile(join(sealed, 'portcullis.json')))
      .digest('hex')
    const whole = await release(`${join(sealed, '..')}@sha256:${sha256}`, { tag: '2.0.1' })
    mustEndWith(0, whole.ending)
    const other = await release(`${sealed}@sha256:${'0'.repeat(64)}`, { tag: 'never' })
    mustEndWith(3, other.ending)
    expect(other.ending.stderr).toContain('not 0000')
    expect(await bench.registry.tags('acme/app')).not.toContain('never')
  })

  it('a gate that fails leaves no earlier seal beside its record', async () => {
    const output = join(await bench.folder('again'), 'report')
    const never = ['--publish', 'never']
    const first = await runGate(bench, project, { repository: 'acme/app', publish: never, output })
    mustEndWith(0, first)
    expect(await readdir(output)).toContain('sealed')
    const bad = await makeProject(bench, 'vulnerable')
    const second = await runGate(bench, bad, { repository: 'acme/app', publish: never, output })
    expect(recordOf(second).outcome).toBe('fail')
    expect(await readdir(output)).not.toContain('sealed')
    const { ending } = await release(output, { tag: 'never' })
    expect([ending.code, ending.stderr]).toEqual([2, expect.stringContaining('not of a gate that passed')])
  })
})

describe('one change anywhere is refused by name, and nothing is pushed', () => {
  const CHANGES: readonly (readonly [string, string, (dir: string) => Promise<void>])[] = [
    ['a byte of a layer', 'blob-digest-mismatch', async dir => flipMiddle(await largestBlob(dir))],
    ['a byte of the evidence', 'sealed-evidence-changed', dir => flipMiddle(join(dir, 'evidence.json'))],
    ['a byte of an SBOM', 'sealed-file-changed', async dir => flipMiddle(join(dir, await spdxOf(dir)))],
    [
      'another media type in the record',
      'sealed-image-changed',
      dir =>
        edited(join(dir, 'portcullis.json'), text =>
          text.replace(/("mediaType": ?"[^"]*")/, '"mediaType": "x"'),
        ),
    ],
    [
      'a violation taken out of the record',
      'sealed-verdict-differs',
      dir => edited(join(dir, 'portcullis.json'), text => text.replace(/"checked": ?\d+/, '"checked": 999')),
    ],
    [
      'a verdict of two days ago',
      'sealed-too-old',
      dir =>
        edited(join(dir, 'portcullis.json'), text =>
          text.replace(
            /("decidedAt": ?")[^"]*"/,
            `$1${new Date(Date.now() - 48 * 3_600_000).toISOString()}"`,
          ),
        ),
    ],
  ]

  it.each(CHANGES)('%s: %s', async (what, reason, change) => {
    const dir = await copied()
    await change(dir)
    const tag = what.replaceAll(' ', '-')
    const { ending, record } = await release(dir, { tag })
    expect([ending.code, record?.problems.map(one => one.reason)]).toEqual([3, [reason]])
    expect(await bench.registry.tags('acme/app')).not.toContain(tag)
  })

  it('another policy: sealed-policy-changed', async () => {
    const other = await makeProject(bench, 'fixed', policyText(['label.required']))
    const { ending, record } = await release(sealed, { tag: 'other-policy', cwd: other.dir })
    expect([ending.code, record?.problems.map(one => one.reason)]).toEqual([3, ['sealed-policy-changed']])
    expect(await bench.registry.tags('acme/app')).not.toContain('other-policy')
  })
})

async function largestBlob(dir: string): Promise<string> {
  const blobs = join(dir, 'image', 'blobs', 'sha256')
  const names = await readdir(blobs)
  const sizes = await Promise.all(
    names.map(async name => ({ name, size: (await readFile(join(blobs, name))).length })),
  )
  return join(blobs, sizes.sort((a, b) => b.size - a.size)[0]?.name ?? '')
}

async function spdxOf(dir: string): Promise<string> {
  return (await readdir(dir)).find(name => name.endsWith('.spdx.json')) ?? ''
}
