import { build } from 'esbuild'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { z } from 'zod'
import { hostileLayouts } from '../../support/hostile-layouts.js'
import type { HostileLayout } from '../../support/hostile-making.js'
import { runNode } from '../../support/terminal.js'
import { ROOT } from '../../support/tools.js'

/** Most memory that a process may hold that reads the worst of them, bytes. */
const MOST = 512 * 1024 * 1024

const READER = `
import { readFileSync } from 'node:fs'
import { GateError } from './src/errors.ts'
import { hashBlobs } from './src/oci/blobs.ts'
import { readLayers } from './src/oci/layers.ts'
import { openLayout } from './src/oci/reader.ts'
async function read() {
  const layout = await openLayout(process.argv[2], { name: 'example.test/app' })
  await hashBlobs(layout)
  for (const image of layout.subject.platforms) await readLayers(layout, image)
  return 'read'
}
const ends = await read().catch(error => (error instanceof GateError ? error.reason : 'crashed: ' + error))
// Not maxRSS of resourceUsage: that starts with what the parent held when it forked.
const peak = Number(/VmHWM:\\s+(\\d+) kB/.exec(readFileSync('/proc/self/status', 'utf8'))[1]) * 1024
console.log(JSON.stringify({ ends, peak }))
`
const answerSchema = z.object({ ends: z.string(), peak: z.number() })

let dir = ''
const table: string[] = []

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'hostile-'))
  await build({
    stdin: { contents: READER, resolveDir: ROOT, loader: 'ts' },
    outfile: join(dir, 'reader.mjs'),
    ...{ bundle: true, platform: 'node', format: 'esm', target: 'node20', logLevel: 'error' },
  })
})

afterAll(async () => {
  process.stdout.write(`${table.join('\n')}\n`)
  await rm(dir, { recursive: true, force: true })
})

/** Reads a layout in a process of its own, as the gate does: documents, every blob's hash, every layer. */
async function readApart(layout: string): Promise<z.infer<typeof answerSchema>> {
  const ending = await runNode({
    script: join(dir, 'reader.mjs'),
    args: [layout],
    cwd: dir,
    env: { PATH: '/usr/bin:/bin' },
  })
  if (ending.code !== 0) throw new Error(`the reader ended with ${ending.code}: ${ending.stderr}`)
  return answerSchema.parse(JSON.parse(ending.stdout))
}

const cases = hostileLayouts().map((one): readonly [string, HostileLayout] => [one.what, one])

it.each(cases)(
  '%s',
  async (what, { ends, make }) => {
    const layout = await mkdtemp(join(dir, 'layout-'))
    try {
      await make(layout)
      const started = Date.now()
      const answer = await readApart(layout)
      const seconds = ((Date.now() - started) / 1000).toFixed(1)
      table.push(`${what}: ${answer.ends}, ${String(Math.round(answer.peak / 1e6))} MB, ${seconds} s`)
      expect(answer.ends).toBe(ends)
      expect(answer.peak).toBeLessThan(MOST)
    } finally {
      await rm(layout, { recursive: true, force: true })
    }
  },
  300_000,
)
