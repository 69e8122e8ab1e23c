import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { hashBlobs } from '../../../src/oci/blobs.js'
import { deriveLayout } from '../../../src/oci/derive.js'
import { readLayers } from '../../../src/oci/layers.js'
import { openLayout } from '../../../src/oci/reader.js'
import { makeLayout } from '../../support/layouts.js'

describe('an image with layers of ours on top', () => {
  let dir = ''
  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'derive-'))
  })
  afterEach(() => rm(dir, { recursive: true, force: true }))

  test('is a whole image for the strict reader, with the same layers below and its own id', async () => {
    await makeLayout(join(dir, 'image'), {
      layers: [{ files: [{ path: 'etc/name', content: 'own' }], createdBy: 'COPY name /etc/name' }],
      config: { Env: ['A=B'], User: '7' },
    })
    const layout = await openLayout(join(dir, 'image'), { name: 'app' })
    const [image] = layout.subject.platforms
    if (image === undefined) throw new Error('no platform')
    const layers = [[{ path: 'opt/one', content: '1' }], [{ path: 'opt/two', content: Buffer.from('22') }]]
    const derived = await deriveLayout(layout, image, { outDir: join(dir, 'derived'), layers })

    const read = await openLayout(join(dir, 'derived'), { name: 'app' })
    await hashBlobs(read)
    const [child] = read.subject.platforms
    if (child === undefined) throw new Error('no platform')
    expect(child.configDigest).toBe(derived.imageId)
    expect(child.configDigest).not.toBe(image.configDigest)
    expect(child.layers.map(layer => layer.diffId)).toEqual(derived.diffIds)
    expect(derived.diffIds).toEqual([...image.layers.map(layer => layer.diffId), ...derived.added])
    expect(child.config).toEqual({ ...image.config, history: child.config.history })
    expect(child.config.history).toHaveLength(3)
    const { contents } = await readLayers(read, child)
    expect(contents.files).toBe(3)
    expect(await readFile(join(dir, 'image', 'index.json'), 'utf8')).toContain(image.manifest.digest)
  })
})
