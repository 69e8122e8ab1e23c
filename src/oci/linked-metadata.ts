import type { DiffId } from '../evidence/digest.js'
import type { LinkedMetadata } from '../evidence/image.js'
import { isMetadataPlace, isReadAnyway, metadataBelow, SYSTEM_DATABASES } from '../evidence/metadata-links.js'
import { eachNode, findPlace, type TreeNode } from './file-tree.js'
import { spend } from './tree-cost.js'

/** A regular file of the tree and the path it really has. */
export interface ResolvedFile {
  readonly path: string
  readonly node: TreeNode
}

const MAX_HOPS = 40

/** The regular file that a path leads to, all links followed inside the root; undefined when it leads to none. */
export function resolveFile(root: TreeNode, path: string): ResolvedFile | undefined {
  const found = resolve(root, path)
  return found?.node.type === 'file' ? found : undefined
}

function resolve(root: TreeNode, path: string): ResolvedFile | undefined {
  let at = path
  for (let hop = 0; hop < MAX_HOPS; hop += 1) {
    const place = findPlace(root, at)
    const node = place?.parent.children.get(place.name)
    if (place === null || place === undefined || node === undefined) return undefined
    if (node.type !== 'symlink') return { path: place.path, node }
    const folder = place.path.slice(0, place.path.lastIndexOf('/') + 1)
    at = node.target.startsWith('/') ? node.target : folder + node.target
  }
  return undefined
}

/**
 * Metadata of packages that is reached through a hard link, a symbolic link or a linked folder, and whose plain file
 * is not itself where scanners look. Links that lead nowhere hide nothing. Sorted by path.
 */
export function linkedMetadata(root: TreeNode, layers: readonly DiffId[]): readonly LinkedMetadata[] {
  const found = new Map<string, LinkedMetadata>()
  const note = (path: string, at: number, kind: LinkedMetadata['kind']): void => {
    const file = resolveFile(root, path)
    const layer = layers[at]
    if (file === undefined || layer === undefined || found.has(path)) return
    const target = kind === 'hard-link' ? (file.node.linkedTo ?? file.path) : file.path
    if (file.node.linkedTo === undefined && isReadAnyway(target)) return
    if (kind === 'hard-link' && isReadAnyway(target) && isPlainFile(root, target)) return
    found.set(path, { path, target, kind, layer })
  }
  eachNode(root, (path, node) => {
    if (node.type === 'file' && node.linkedTo !== undefined && isMetadataPlace(path))
      note(path, node.layer, 'hard-link')
    if (node.type !== 'symlink') return
    if (isMetadataPlace(path)) note(path, node.layer, 'symbolic-link')
    for (const name of below(root, path)) note(`${path}/${name}`, node.layer, 'linked-folder')
  })
  for (const path of SYSTEM_DATABASES) {
    const file = resolveFile(root, path)
    if (file !== undefined && file.path !== path) note(path, file.node.layer, 'linked-folder')
  }
  return [...found.values()].sort((a, b) => (a.path < b.path ? -1 : 1))
}

function isPlainFile(root: TreeNode, path: string): boolean {
  const file = resolveFile(root, path)
  return file?.path === path && file.node.linkedTo === undefined
}

/** Names of the metadata files that scanners would look for behind a linked folder. */
function below(root: TreeNode, folder: string): readonly string[] {
  const names = metadataBelow(folder)
  if (names === undefined) return []
  if (names !== '*') return names
  const target = resolve(root, folder)?.node
  spend(root.cost, { linked: target?.children.size ?? 0 })
  return target === undefined
    ? []
    : [...target.children.keys()].filter(name => isMetadataPlace(`${folder}/${name}`))
}
