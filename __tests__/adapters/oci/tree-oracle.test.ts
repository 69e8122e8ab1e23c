import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { GateError } from '../../../src/errors.js'
import { readLayers } from '../../../src/oci/layers.js'
import { openLayout } from '../../../src/oci/reader.js'
import { layeredTrees } from '../../support/layered-trees.js'
import type { LayeredTree } from '../../support/layered-trees.js'
import { makeLayout } from '../../support/layouts.js'
import type { LayoutFile } from '../../support/layouts.js'
import { machinePath, run } from '../../support/tools.js'

const TREES = 120
let dir = ''

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'tree-oracle-'))
})
afterAll(() => rm(dir, { recursive: true, force: true }))

/** Path and size of every file of the final tree: all of them are scripts that no package owns. */
async function readOurs(layoutDir: string): Promise<ReadonlyMap<string, number>> {
  const layout = await openLayout(layoutDir, { name: 'x' })
  const [image] = layout.subject.platforms
  if (image === undefined) throw new Error('one platform is expected')
  const { contents } = await readLayers(layout, image)
  expect(contents.unexplained).toHaveLength(contents.files)
  return new Map(contents.unexplained.map(file => [file.path, file.size]))
}

/** The same as containers/storage extracts it, whose reader of archives is that of Go. */
async function readBuildah(layoutDir: string): Promise<ReadonlyMap<string, number>> {
  const store = ['--root', join(dir, 'store'), '--runroot', join(dir, 'run'), '--storage-driver', 'vfs']
  const buildah = async (...args: readonly string[]): Promise<string> =>
    (await run(machinePath('buildah'), [...store, ...args], { cwd: dir })).stdout.trim()
  const container = await buildah('from', '-q', '--pull-never', `oci:${basename(layoutDir)}`)
  const mounted = await buildah('mount', container)
  const { stdout } = await run('/usr/bin/find', [
    mounted,
    '-type',
    'f',
    '-path',
    '*/t[0-9]*',
    '-printf',
    '%P %s\\n',
  ])
  await buildah('rm', container)
  const lines = stdout.split('\n').filter(line => line !== '')
  return new Map(
    lines.map(line => [line.slice(0, line.lastIndexOf(' ')), Number(line.slice(line.lastIndexOf(' ') + 1))]),
  )
}

async function layoutOf(name: string, trees: readonly LayeredTree[]): Promise<string> {
  const count = trees[0]?.layers.length ?? 0
  const layers = Array.from({ length: count }, (_, at) => ({
    files: trees.flatMap((tree): readonly LayoutFile[] => tree.layers[at] ?? []),
  }))
  const layoutDir = join(dir, name)
  await makeLayout(layoutDir, { layers })
  return layoutDir
}

/** Why we refuse a tree, or undefined. */
async function refusalOf(tree: LayeredTree): Promise<string | undefined> {
  const layoutDir = await layoutOf(tree.folder, [tree])
  try {
    await readOurs(layoutDir)
    return undefined
  } catch (error) {
    if (error instanceof GateError) return error.reason
    throw error
  } finally {
    await rm(layoutDir, { recursive: true, force: true })
  }
}

test('the final tree is what an engine extracts: whiteouts, opaque folders, links over layers', async () => {
  const read: LayeredTree[] = []
  const refused = new Map<string, number>()
  for (const tree of layeredTrees(TREES)) {
    const reason = await refusalOf(tree)
    if (reason === undefined) read.push(tree)
    else refused.set(reason, (refused.get(reason) ?? 0) + 1)
  }
  process.stdout.write(
    `\n${read.length} trees read by both; refused by us: ${JSON.stringify([...refused])}\n`,
  )
  expect([...refused.keys()].sort()).toEqual(['layer-hard-link', 'layer-path', 'layer-whiteout'])
  expect(read.length).toBeGreaterThan(TREES / 4)
  const layoutDir = await layoutOf('all', read)
  const [ours, theirs] = [await readOurs(layoutDir), await readBuildah(layoutDir)]
  expect(Object.fromEntries(ours)).toEqual(Object.fromEntries(theirs))
  expect(ours.size).toBeGreaterThan(read.length)
})
