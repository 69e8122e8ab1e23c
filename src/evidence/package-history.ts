import type { PackageClaim } from './package-files.js'

/** A package as the layers tell of it: since when, until when, and the files it had when it was first recorded. */
export interface SeenPackage {
  readonly claim: PackageClaim
  /** Files that were there, by the path they really have, with their sizes in bytes. */
  readonly files: ReadonlyMap<string, number>
  /** Index of the layer that first records this version. */
  readonly first: number
  /** Index of the last layer that records it. */
  last: number
}

/** The packages that the layers record, from the bottom up. */
export interface PackageHistory {
  /** Recorded at the top of the layers seen so far, by key. */
  readonly present: Map<string, SeenPackage>
  /** Recorded below, and by no layer since. */
  readonly lost: SeenPackage[]
}

/** What one look at the tree needs to know of a path: where it really is, and its size; undefined when no file. */
export type LookUp = (path: string) => { readonly path: string; readonly size: number } | undefined

export function createHistory(): PackageHistory {
  return { present: new Map(), lost: [] }
}

/**
 * Notes what is recorded when layer `at` was applied. A package whose record is gone is lost until it is recorded
 * again; another version of it is an upgrade, which starts a history of its own.
 */
export function noteLayer(
  history: PackageHistory,
  at: number,
  seen: { readonly claims: readonly PackageClaim[]; readonly lookUp: LookUp },
): void {
  const { present, lost } = history
  for (const claim of seen.claims) {
    const before = present.get(claim.key)
    if (before?.claim.owner === claim.owner) before.last = at
    else present.set(claim.key, { claim, files: filesOf(claim, seen.lookUp), first: at, last: at })
  }
  for (const [key, package_] of present) {
    if (package_.last === at) continue
    present.delete(key)
    lost.push(package_)
  }
}

/** When nothing that records a package changed in layer `at`. */
export function noteQuietLayer(history: PackageHistory, at: number): void {
  for (const package_ of history.present.values()) package_.last = at
}

function filesOf(claim: PackageClaim, lookUp: LookUp): ReadonlyMap<string, number> {
  return new Map(
    claim.files.flatMap(path => {
      const found = lookUp(path)
      return found === undefined ? [] : [[found.path, found.size] as const]
    }),
  )
}
