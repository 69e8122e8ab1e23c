import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { hashBlobs } from '../../../src/oci/blobs.js'
import { readLayers } from '../../../src/oci/layers.js'
import { openLayout } from '../../../src/oci/reader.js'
import { debianLayout, debianRootTar } from '../../support/debian-root.js'
import { run } from '../../support/tools.js'

let dir = ''
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'debian-'))
})
afterAll(() => rm(dir, { recursive: true, force: true }))

test('a real Debian with real wheels: every program is explained, counts are those of GNU tar', async () => {
  const layout = await openLayout(await debianLayout(join(dir, 'layout')), { name: 'debian' })
  await hashBlobs(layout)
  const [image] = layout.subject.platforms
  if (image === undefined) throw new Error('one platform is expected')
  const { contents } = await readLayers(layout, image)

  const { stdout } = await run('/bin/tar', ['-tvf', await debianRootTar()])
  const lines = stdout.split('\n').filter(line => line !== '')
  expect(contents.layers[0]?.entries).toBe(lines.length)
  const setuid = lines.flatMap(line => /^-..s.*\.\/(\S+)(?: link to .*)?$/.exec(line)?.[1] ?? [])
  expect(contents.setuid).toEqual([...setuid].sort())
  expect(contents.users).toContainEqual({ name: 'root', uid: 0 })
  expect(contents.executables).toBeGreaterThan(300)
  expect(contents.owners['usr/bin/python3.11']).toMatch(/^pkg:deb\/python3\.11-minimal@3\.11\./)
  expect(contents.unexplained).toEqual([])
})
