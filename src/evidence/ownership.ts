import type { DiffId } from './digest.js'
import type { UnexplainedFile } from './image.js'
import type { PackageClaim } from './package-files.js'

/** One regular file of the final tree. */
export interface TreeFile {
  readonly path: string
  readonly size: number
  readonly executable: boolean
  readonly setuid: boolean
  readonly layer: DiffId
  /** Index of the layer, from the bottom. */
  readonly at: number
}

export interface OwnershipInput {
  /** Regular files of the final tree by path. */
  readonly files: ReadonlyMap<string, TreeFile>
  /** What the packages recorded in the final tree claim. */
  readonly claims: readonly PackageClaim[]
  /** A path with the symbolic links of its folders followed (`bin/x` -> `usr/bin/x`); undefined when nowhere. */
  readonly resolve: (path: string) => string | undefined
}

export interface Ownership {
  /** Path -> `pkg:TYPE/NAME@VERSION` without namespace and qualifiers, for files of the final tree only. */
  readonly owners: Readonly<Record<string, string>>
  readonly unexplained: readonly UnexplainedFile[]
}

/**
 * Which package owns which file of the final tree, and the executables that none owns. A claim counts for files
 * that are really there; a folder claim (npm, eggs) covers what lies below it, the innermost one first.
 */
export function ownershipOf(input: OwnershipInput): Ownership {
  const { files, resolve } = input
  const owners = new Map<string, string>()
  const folders = new Map<string, string>()
  const isFile = (path: string): boolean => files.has(path)
  for (const claim of input.claims) {
    for (const folder of claim.folders) folders.set(folder, claim.owner)
    for (const claimed of claim.files) {
      const path = isFile(claimed) ? claimed : resolve(claimed)
      if (path !== undefined && isFile(path)) owners.set(path, claim.owner)
    }
  }
  if (folders.size > 0) coverFolders(files, folders, owners)
  const unexplained = [...files.values()]
    .filter(file => file.executable && !owners.has(file.path))
    .map(({ path, size, setuid, layer }) => ({ path, size, setuid, layer }))
    .sort((a, b) => (a.path < b.path ? -1 : 1))
  return { owners: Object.fromEntries([...owners].sort(byPath)), unexplained }
}

/** Takes out of the list what a scanner found to be a package itself (a Go or Rust program, a jar). */
export function withoutInventoried(
  unexplained: readonly UnexplainedFile[],
  packagePaths: ReadonlySet<string>,
): readonly UnexplainedFile[] {
  return unexplained.filter(file => !packagePaths.has(file.path))
}

function coverFolders(
  files: ReadonlyMap<string, TreeFile>,
  folders: ReadonlyMap<string, string>,
  owners: Map<string, string>,
): void {
  for (const path of files.keys()) {
    if (owners.has(path)) continue
    for (let slash = path.lastIndexOf('/'); slash > 0; slash = path.lastIndexOf('/', slash - 1)) {
      const owner = folders.get(path.slice(0, slash))
      if (owner === undefined) continue
      owners.set(path, owner)
      break
    }
  }
}

function byPath(a: readonly [string, string], b: readonly [string, string]): number {
  return a[0] < b[0] ? -1 : a[0] > b[0] ? 1 : 0
}
