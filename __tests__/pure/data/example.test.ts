import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { gunzipSync } from 'node:zlib'
import { z } from 'zod'

const app = fileURLToPath(new URL('../../../examples/app/', import.meta.url))
const variants = ['vulnerable', 'fixed'] as const

const descriptor = z.object({ digest: z.string().regex(/^sha256:[0-9a-f]{64}$/), size: z.number() })
const index = z.object({ manifests: z.tuple([descriptor]) })
const manifest = z.object({ config: descriptor, layers: z.tuple([descriptor]) })
const config = z.object({
  config: z.object({ User: z.string(), Labels: z.record(z.string(), z.string()) }),
  rootfs: z.object({ diff_ids: z.tuple([z.string()]) }),
  history: z.array(z.object({ created_by: z.string() })),
})

function filesBelow(root: string): string[] {
  return readdirSync(root, { recursive: true, withFileTypes: true })
    .filter(entry => entry.isFile())
    .map(entry => join(relative(root, entry.parentPath), entry.name))
    .sort()
}

function blob(layout: string, { digest, size }: z.infer<typeof descriptor>): Buffer {
  const bytes = readFileSync(join(layout, 'blobs/sha256', digest.slice(7)))
  expect(createHash('sha256').update(bytes).digest('hex')).toBe(digest.slice(7))
  expect(bytes.length).toBe(size)
  return bytes
}

function open(layout: string) {
  const top = index.parse(JSON.parse(readFileSync(join(layout, 'index.json'), 'utf8')))
  const image = manifest.parse(JSON.parse(blob(layout, top.manifests[0]).toString('utf8')))
  const settings = config.parse(JSON.parse(blob(layout, image.config).toString('utf8')))
  return { settings, tar: gunzipSync(blob(layout, image.layers[0])) }
}

describe('the example repository', () => {
  it('ready layouts are what their script makes of the tree', () => {
    const folder = mkdtempSync(join(tmpdir(), 'layouts-'))
    try {
      execFileSync(process.execPath, [join(app, 'make-layouts.mjs'), '--out', folder])
      const names = filesBelow(folder)
      expect(names).toEqual(filesBelow(join(app, 'layouts')))
      for (const name of names) {
        expect(readFileSync(join(folder, name)).equals(readFileSync(join(app, 'layouts', name)))).toBe(true)
      }
    } finally {
      rmSync(folder, { recursive: true })
    }
  })

  it.each(variants)('%s: the layout hangs together, and its history follows the Dockerfile', variant => {
    const { settings, tar } = open(join(app, 'layouts', variant))
    expect(settings.rootfs.diff_ids[0]).toBe(`sha256:${createHash('sha256').update(tar).digest('hex')}`)
    expect(settings.config.User).toBe('65532:65532')
    expect(settings.config.Labels['org.opencontainers.image.title']).toBe('example-app')
    const lines = readFileSync(join(app, variant, 'Dockerfile'), 'utf8')
      .trim()
      .split('\n')
    const words = lines.filter(line => !/^(#|FROM)/.test(line)).map(line => line.split(' ')[0])
    expect(settings.history.map(step => step.created_by.split(' ')[0])).toEqual(words)
    expect(lines.some(line => line.startsWith('# syntax'))).toBe(false)
  })

  it.each(variants)('%s: no file is executable, so none is unexplained', variant => {
    const root = join(app, variant, 'rootfs')
    for (const name of filesBelow(root)) expect(statSync(join(root, name)).mode & 0o111).toBe(0)
  })

  it('both variants are under the same policy', () => {
    const [one, other] = variants.map(variant =>
      readFileSync(join(app, variant, '.github/portcullis.yml'), 'utf8'),
    )
    expect(one).toBe(other)
    expect(one).toMatch(/database\.age:\s+mode: off\s+reason: "\S/)
  })
})
