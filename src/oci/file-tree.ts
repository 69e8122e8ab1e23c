import { malformed } from './tar-header.js'
import type { EntryType } from './tar-header.js'
import { spend, startCost } from './tree-cost.js'
import type { TreeCost } from './tree-cost.js'

/** What the bytes of a regular file are, as far as the pass looks at them. Hard links share one. */
export interface FileContent {
  readonly size: number
  readonly head: 'elf' | 'script' | 'other'
  /** The whole text of files that hold package or user metadata. */
  readonly text?: string
}

export interface TreeNode {
  readonly type: EntryType
  readonly mode: number
  /** Index of the layer that last wrote this node. */
  readonly layer: number
  /** Target of a symbolic link as written, '' for everything else. */
  readonly target: string
  readonly content?: FileContent
  /** For a file that a hard link put there: the path it is a link to. */
  readonly linkedTo?: string
  children: ReadonlyMap<string, TreeNode>
  /** The layer that hid all which lower layers left in here: a second time there is nothing to hide. */
  cleared?: number
  /** Highest layer that wrote anything at or below this node. */
  touched: number
  /** What the tree has cost so far, in its root alone. */
  readonly cost?: TreeCost
}

/** A place in the tree, with the symbolic links of its folders followed. */
export interface Place {
  readonly path: string
  readonly parent: TreeNode
  readonly ancestors: readonly TreeNode[]
  readonly name: string
}

const MAX_HOPS = 40
/** Most folders above a file, links followed. No kernel takes a path that is as deep as it is long (PATH_MAX). */
const MAX_DEPTH = 256
const FOLDER = { type: 'directory', mode: 0o755, target: '' } as const
/** Shared by all that have no children (yet): most nodes never get any. */
const CHILDLESS: ReadonlyMap<string, TreeNode> = new Map()

/** An empty tree: the root folder. */
export function createTree(): TreeNode {
  return { ...FOLDER, layer: 0, children: CHILDLESS, touched: 0, cost: startCost() }
}

/**
 * Where an entry of this layer goes: folders that are symbolic links are followed inside the root (as extraction
 * does), missing folders are made. Null for the root itself. Refuses a path that runs through a file or a loop.
 */
export function locate(root: TreeNode, path: string, layer: number): Place | null {
  const found = walk(root, path, layer)
  if (found === undefined) throw malformed('layer-path', `a path through a file or a loop of links: ${path}`)
  return found
}

/** As `locate`, but makes nothing: undefined when a folder on the way is not there. */
export function findPlace(root: TreeNode, path: string): Place | null | undefined {
  return walk(root, path, null)
}

function walk(root: TreeNode, path: string, layer: number | null): Place | null | undefined {
  const waiting = partsOf(path).reverse()
  let stack: { readonly node: TreeNode; readonly name: string }[] = []
  let hops = 0
  spend(root.cost, { steps: waiting.length })
  for (let name = waiting.pop(); name !== undefined; name = waiting.pop()) {
    const parent = stack.at(-1)?.node ?? root
    if (name === '..') {
      spend(root.cost, { steps: stack.length })
      stack = stack.slice(0, -1)
      continue
    }
    if (stack.length > MAX_DEPTH) {
      if (layer === null) return undefined
      throw malformed('layer-path-depth', `a path of more than ${MAX_DEPTH} folders: ${path.slice(0, 200)}`)
    }
    if (waiting.length === 0) return placeOf(root, stack, name)
    let next = parent.children.get(name)
    if (next === undefined && layer !== null) {
      next = { ...FOLDER, layer, children: CHILDLESS, touched: layer }
      spend(root.cost, { nodes: 1, text: name.length })
      adopt(parent, ownText(name), next)
    }
    if (next?.type === 'symlink') {
      hops += 1
      if (hops > MAX_HOPS) return undefined
      if (next.target.startsWith('/')) stack = []
      const parts = partsOf(next.target).reverse()
      spend(root.cost, { linked: parts.length })
      waiting.push(...parts)
    } else if (next?.type === 'directory') {
      stack.push({ node: next, name })
    } else {
      return undefined
    }
  }
  return null
}

function placeOf(
  root: TreeNode,
  stack: readonly { readonly node: TreeNode; readonly name: string }[],
  name: string,
): Place {
  spend(root.cost, { steps: stack.length })
  const ancestors = [root, ...stack.map(step => step.node)]
  const path = [...stack.map(step => step.name), name].join('/')
  return { path, parent: ancestors.at(-1) ?? root, ancestors, name }
}

function partsOf(path: string): string[] {
  return path.split('/').filter(part => part !== '' && part !== '.')
}

/** Puts a node in its place. A folder over a folder keeps what is inside; all else replaces what was there. */
export function put(place: Place, node: Omit<TreeNode, 'children' | 'touched'>): void {
  const old = place.parent.children.get(place.name)
  const keeps = node.type === 'directory' && old?.type === 'directory'
  const children = keeps ? old.children : CHILDLESS
  const cost = place.ancestors[0]?.cost
  if (old === undefined) spend(cost, { nodes: 1, text: place.path.length })
  if (node.target !== '') spend(cost, { text: node.target.length })
  const name = old === undefined ? ownText(place.name) : place.name
  adopt(place.parent, name, { ...node, children, touched: node.layer })
  for (const ancestor of place.ancestors) ancestor.touched = Math.max(ancestor.touched, node.layer)
}

function adopt(parent: TreeNode, name: string, child: TreeNode): void {
  if (parent.children instanceof Map && parent.children !== CHILDLESS) parent.children.set(name, child)
  else parent.children = new Map([[name, child]])
}

function disown(parent: TreeNode, name: string): void {
  if (parent.children instanceof Map) parent.children.delete(name)
}

/** A part of a path keeps the whole path in memory; a copy does not. */
function ownText(part: string): string {
  return Buffer.from(part, 'utf8').toString('utf8')
}

/** Applies a whiteout (OCI image spec, layer.md): hides what lower layers left, never what this layer wrote. */
export function hide(
  root: TreeNode,
  place: Place,
  given: { readonly name: string; readonly layer: number },
): void {
  const { name, layer } = given
  const node = place.parent.children.get(name)
  if (node === undefined) return
  if (node.touched < layer) disown(place.parent, name)
  else hideAll(root, node, layer)
}

/** Applies an opaque whiteout: hides all that lower layers left inside this folder. */
export function hideAll(root: TreeNode, folder: TreeNode, layer: number): void {
  const waiting = [folder]
  for (let node = waiting.pop(); node !== undefined; node = waiting.pop()) {
    if (node.cleared === layer) continue
    node.cleared = layer
    spend(root.cost, { steps: node.children.size })
    for (const [name, child] of node.children) {
      if (child.touched < layer) disown(node, name)
      else if (child.children.size > 0) waiting.push(child)
    }
  }
}

/** Calls `visit` with every node below the root and its path, folders before their content. */
export function eachNode(root: TreeNode, visit: (path: string, node: TreeNode) => void): void {
  const waiting: (readonly [string, TreeNode])[] = [['', root]]
  for (let step = waiting.pop(); step !== undefined; step = waiting.pop()) {
    const [folder, node] = step
    for (const [name, child] of node.children) {
      const path = folder === '' ? name : `${folder}/${name}`
      visit(path, child)
      if (child.children.size > 0) waiting.push([path, child])
    }
  }
}
