import { cp, mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { RunRecord } from '../../src/record/record.js'
import { openBench, policyText, recordOf, runGate, type Bench, type Project } from '../support/gate-runs.js'
import { makeLayout, writeImage, writeIndex } from '../support/layouts.js'
import { AMD64, ARM64, buildkitAttestation, imageFor, nestedLayout } from '../support/platform-layouts.js'
import { wheel } from '../support/sample-image.js'
import { ROOT, run } from '../support/tools.js'

let bench: Bench

beforeAll(async () => {
  bench = await openBench()
})

afterAll(async () => {
  await bench.close()
})

/** A subject as it lies on disk, and the places of its content: a byte of each is flipped in turn. */
interface Subject {
  readonly kind: 'oci-layout' | 'archive'
  readonly path: string
  readonly blobs: readonly Blob[]
}

interface Blob {
  readonly name: string
  /** Below the subject for a layout, '' for the archive itself. */
  readonly file: string
  readonly start: number
  readonly size: number
}

const files = wheel('idna', '3.7')
const image = { layers: [{ files }, { files: [{ path: 'etc/motd', content: 'hello\n' }], gzip: false }] }

const LAYOUTS: Readonly<Record<string, (dir: string) => Promise<unknown>>> = {
  'a layout of one platform': dir => makeLayout(dir, image),
  'a layout of two platforms in an index, with attestations': dir =>
    nestedLayout(dir, [imageFor(AMD64, files), imageFor(ARM64, files)], made =>
      Promise.all(made.map(one => buildkitAttestation(dir, one))),
    ),
  'a layout of two platforms in index.json': async dir => {
    const made = []
    for (const platform of [AMD64, ARM64]) made.push(await writeImage(dir, imageFor(platform, files)))
    await writeIndex(
      dir,
      made.map(one => one.descriptor),
    )
  },
}

async function layoutSubject(make: (dir: string) => Promise<unknown>): Promise<Subject> {
  const path = join(await bench.folder('subject'), 'layout')
  await make(path)
  const blobs: Blob[] = []
  for (const name of await readdir(join(path, 'blobs', 'sha256'))) {
    const file = join('blobs', 'sha256', name)
    blobs.push({ name, file, start: 0, size: (await readFile(join(path, file))).length })
  }
  return { kind: 'oci-layout', path, blobs }
}

async function ociArchive(): Promise<Subject> {
  const dir = await bench.folder('subject')
  await makeLayout(join(dir, 'layout'), image)
  const path = join(dir, 'image.tar')
  await run('tar', ['-C', join(dir, 'layout'), '-cf', path, 'oci-layout', 'index.json', 'blobs'])
  return { kind: 'archive', path, blobs: await members(path, /^blobs\/sha256\/./) }
}

async function dockerArchive(): Promise<Subject> {
  const path = join(ROOT, '__tests__', 'fixtures', 'docker-archives', 'docker-20.10-classic.tar')
  return { kind: 'archive', path, blobs: await members(path, /^[0-9a-f]{64}\.json$|\/layer\.tar$/) }
}

/** Where the content of these regular files lies in a tar. */
async function members(archive: string, wanted: RegExp): Promise<readonly Blob[]> {
  const bytes = await readFile(archive)
  const found: Blob[] = []
  for (let at = 0; at + 512 <= bytes.length && bytes[at] !== 0;) {
    const name = bytes.toString('latin1', at, at + 100).replace(/\0.*$/s, '')
    const size = Number.parseInt(bytes.toString('latin1', at + 124, at + 135), 8)
    const regular = bytes[at + 156] === 0x30
    if (regular && size > 0 && wanted.test(name)) found.push({ name, file: '', start: at + 512, size })
    at += 512 + Math.ceil(size / 512) * 512
  }
  return found
}

async function project(): Promise<Project> {
  const dir = await bench.folder('project')
  await mkdir(join(dir, '.github'))
  await writeFile(join(dir, '.github', 'portcullis.yml'), policyText())
  return { dir, layout: '' }
}

/** Judges a copy of the subject in which the byte in the middle of this blob has one bit changed. */
async function judgeFlipped(subject: Subject, blob: Blob | null): Promise<RunRecord> {
  const copy = join(await bench.folder('flipped'), 'subject')
  await cp(subject.path, copy, { recursive: true })
  if (blob !== null) {
    const file = join(copy, blob.file)
    const bytes = await readFile(file)
    const at = blob.start + Math.floor(blob.size / 2)
    bytes.writeUInt8(bytes.readUInt8(at) ^ 1, at)
    await writeFile(file, bytes)
  }
  const result = await runGate(bench, await project(), {
    repository: 'flipped',
    subject: `${subject.kind}:${copy}`,
  })
  return recordOf(result)
}

const REFUSED = /^(blob-digest-mismatch|archive-blob-digest|archive-config-digest|archive-diff-id)$/

describe.each<[string, () => Promise<Subject>]>([
  ...Object.entries(LAYOUTS).map(([what, make]): [string, () => Promise<Subject>] => [
    what,
    () => layoutSubject(make),
  ]),
  ['an OCI archive', ociArchive],
  ['a docker archive', dockerArchive],
])('%s', (_what, make) => {
  it('with a byte flipped in any blob is refused in stage build: no scanner starts, nothing is pushed', async () => {
    const subject = await make()
    expect(subject.blobs.length).toBeGreaterThanOrEqual(2)
    const table: string[] = []
    for (const blob of subject.blobs) {
      const record = await judgeFlipped(subject, blob)
      table.push(`${blob.name.slice(0, 20)} ${record.reason}`)
      const stages = record.stages.filter(stage => stage.state !== 'skipped')
      expect([record.outcome, record.exitCode, record.problems.map(one => one.stage)]).toEqual([
        'incomplete',
        3,
        ['build'],
      ])
      expect(record.reason).toMatch(REFUSED)
      expect(stages.map(one => one.stage)).not.toContain('inspect')
    }
    process.stdout.write(`${table.join('\n')}\n`)
    expect(await bench.registry.catalog()).not.toContain('flipped')
  }, 600_000)
})
