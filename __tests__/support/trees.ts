import { lstat, mkdir, readdir, readFile, readlink } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { LayoutFile } from './layouts.js'
import { run } from './tools.js'

/** Unpacks a tar into a folder, without its device nodes, so that everybody can. */
export async function unpackTree(tar: string, dir: string): Promise<void> {
  await mkdir(dir, { recursive: true })
  await run('/bin/tar', ['-C', dir, '--no-same-owner', '--exclude=./dev/*', '-xf', tar])
}

/** Every entry of a tree by path, with what a layer says of it. */
export async function treeOf(root: string, below = ''): Promise<ReadonlyMap<string, LayoutFile>> {
  const found = new Map<string, LayoutFile>()
  const waiting = [below]
  for (let folder = waiting.pop(); folder !== undefined; folder = waiting.pop()) {
    for (const entry of await readdir(join(root, folder), { withFileTypes: true })) {
      const path = folder === '' ? entry.name : `${folder}/${entry.name}`
      if (entry.isDirectory()) waiting.push(path)
      const file = await fileOf(root, path)
      if (file !== undefined) found.set(path, file)
    }
  }
  return found
}

async function fileOf(root: string, path: string): Promise<LayoutFile | undefined> {
  const stats = await lstat(join(root, path))
  const mode = stats.mode & 0o7777
  if (stats.isDirectory()) return { path, type: 'directory', mode }
  if (stats.isSymbolicLink()) return { path, type: 'symlink', linkname: await readlink(join(root, path)) }
  return stats.isFile() ? { path, content: await readFile(join(root, path)), mode } : undefined
}

/** The layer that makes one tree of another: what is new or other, and a whiteout for what is gone. */
export function layerBetween(
  before: ReadonlyMap<string, LayoutFile>,
  after: ReadonlyMap<string, LayoutFile>,
): readonly LayoutFile[] {
  const changed = [...after].flatMap(([path, file]) => (same(before.get(path), file) ? [] : [file]))
  const gone = [...before.keys()].filter(path => !after.has(path) && isHigh(path, after))
  return [
    ...changed,
    ...gone.map(path => {
      const slash = path.lastIndexOf('/') + 1
      return { path: `${path.slice(0, slash)}.wh.${path.slice(slash)}` }
    }),
  ]
}

/** The highest path that is gone: its folder is still there. */
function isHigh(path: string, after: ReadonlyMap<string, LayoutFile>): boolean {
  const folder = dirname(path)
  return folder === '.' || after.has(folder)
}

function same(left: LayoutFile | undefined, right: LayoutFile): boolean {
  if (left === undefined || left.type !== right.type || left.linkname !== right.linkname) return false
  return Buffer.from(left.content ?? '').equals(Buffer.from(right.content ?? ''))
}
