import type { LayoutFile } from './layouts.js'

/** One tree of several layers that put files, links and folders over each other and take them away. */
export interface LayeredTree {
  readonly folder: string
  readonly layers: readonly (readonly LayoutFile[])[]
}

const NAMES = [
  'a',
  'b',
  'd',
  'x/a',
  'x/b',
  'y/a',
  'd/a',
  'd/x/a',
  'x/c/d',
  'in/a',
  'in/b',
  'x/out/b',
] as const
const FOLDERS = ['x', 'y', 'd', 'in', 'd/x'] as const

/** Numbers in [0, 1), the same for the same seed (mulberry32). */
function numbers(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296
  }
}

/**
 * Trees in folders of their own, to be laid into one image. In each layer whiteouts come first, as engines write them.
 * Every file is a script whose length says which layer and entry wrote it. Folders `x` and `y` never go away, so that
 * links to them lead somewhere; `in` is a link to `x`, `x/out` one to `y`. Not every tree can be extracted.
 */
export function layeredTrees(count: number): readonly LayeredTree[] {
  return Array.from({ length: count }, (_, at) => treeOf(at))
}

function treeOf(seed: number): LayeredTree {
  const random = numbers(seed + 1)
  const pick = <T>(from: readonly T[]): T => {
    const one = from[Math.floor(random() * from.length)]
    if (one === undefined) throw new Error('nothing to pick from')
    return one
  }
  const folder = `t${String(seed).padStart(3, '0')}`
  const within = (path: string): string => `${folder}/${path}`
  const script = (layer: number, entry: number): string => `#!/bin/sh\n${'#'.repeat(layer * 20 + entry)}`
  const lowest: LayoutFile[] = [
    ...['x', 'y'].map((path): LayoutFile => ({ path: within(path), type: 'directory' })),
    { path: within('in'), type: 'symlink', linkname: 'x' },
    {
      path: within('x/out'),
      type: 'symlink',
      linkname: pick(['../y', `/${folder}/y`, `../../${folder}/x/../y`]),
    },
  ]
  const written: string[] = []
  const layers = Array.from({ length: 4 }, (_, layer): readonly LayoutFile[] => {
    const away =
      layer === 0 ? [] : Array.from({ length: Math.floor(random() * 3) }, () => within(hidden(pick)))
    const added = Array.from({ length: 2 + Math.floor(random() * 5) }, (__, entry): LayoutFile => {
      const name = pick(NAMES)
      const path = within(name)
      // A folder everywhere but in some trees: what lies below it would be nowhere.
      const kind = name === 'd' && seed % 5 > 0 ? 0.3 : random()
      const [source] = written.filter(one => !`${one}/`.startsWith(`${path}/`)).toSorted(() => random() - 0.5)
      if (kind < 0.2 && source !== undefined) return { path, type: 'link', linkname: source }
      if (kind < 0.27) return { path, type: 'symlink', linkname: pick([`/${folder}/x`, `/${folder}/x/../y`]) }
      if (kind < 0.35) return { path, type: 'directory' }
      written.push(path)
      return { path, content: script(layer, entry), mode: 0o755 }
    })
    const files = [...(layer === 0 ? lowest : []), ...away.map(path => ({ path })), ...added.toSorted(byPath)]
    // The engine refuses two entries of one name in a layer.
    return files.filter((file, at) => files.findIndex(other => other.path === file.path) === at)
  })
  return { folder, layers }
}

/** Folders before what is in them, as engines write them; links behind what they may lead to. */
function byPath(one: LayoutFile, other: LayoutFile): number {
  const key = ({ path, type }: LayoutFile): string => `${type === 'link' ? 1 : 0} ${path}`
  return key(one) < key(other) ? -1 : 1
}

function hidden(pick: <T>(from: readonly T[]) => T): string {
  if (pick([true, false, false])) return `${pick(FOLDERS)}/.wh..wh..opq`
  const path = pick(NAMES)
  const slash = path.lastIndexOf('/') + 1
  return `${path.slice(0, slash)}.wh.${path.slice(slash)}`
}
