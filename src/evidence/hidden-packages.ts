import type { DiffId } from './digest.js'
import type { HiddenPackage } from './image.js'
import type { PackageHistory, SeenPackage } from './package-history.js'

/** A regular file of the final tree: its size in bytes, and the index of the layer that wrote it. */
export interface FinalFile {
  readonly size: number
  readonly at: number
}

export interface HiddenInput {
  readonly history: PackageHistory
  readonly files: ReadonlyMap<string, FinalFile>
  /** The diff_id of each layer, bottom up. */
  readonly layers: readonly DiffId[]
}

const SAMPLES = 5
const SYSTEM = /^(?:deb|apk) /
// What a removal leaves behind in good faith: settings, state, and words about the package.
const LEFT_BY_REMOVAL = /^(?:etc|var|run|tmp)\/|^usr\/share\/(?:doc|man|info|locale|lintian)\//

/**
 * Packages that a lower layer records, that no layer above removed with their files, and that the final tree does
 * not record. A file counts as still there when it is the one that was recorded, or one of the same size written
 * again (a change of owner or mode does that), unless a package that is recorded brought it in the layer that first
 * records it. Sorted by name.
 */
export function hiddenPackages(input: HiddenInput): readonly HiddenPackage[] {
  const { history, files, layers } = input
  const explained = broughtBy(history, files)
  const lost = history.lost.filter(seen => !history.present.has(seen.claim.key))
  const below = filesBelow(
    files.keys(),
    lost.flatMap(seen => seen.claim.folders),
    history,
  )
  const found = new Map<string, HiddenPackage>()
  for (const seen of lost) {
    const paths = [
      ...remaining(seen, files).filter(path => !explained.has(path)),
      ...seen.claim.folders.flatMap(folder => below.get(folder) ?? []),
    ]
    const layer = layers[seen.last + 1]
    if (paths.length === 0 || layer === undefined) continue
    const { owner, record, key } = seen.claim
    const samples = paths.toSorted().slice(0, SAMPLES)
    found.set(`${key} ${owner}`, { package: owner, record, layer, files: paths.length, samples })
  }
  return [...found.values()].sort((a, b) => (a.package < b.package ? -1 : 1))
}

/** Path -> owner, for files that were written by the layer that first records their owner. */
export function broughtBy(
  history: PackageHistory,
  files: ReadonlyMap<string, FinalFile>,
): ReadonlyMap<string, string> {
  const brought = new Map<string, string>()
  for (const { claim, files: paths, first } of history.present.values()) {
    for (const path of paths.keys()) if (files.get(path)?.at === first) brought.set(path, claim.owner)
  }
  return brought
}

function remaining(seen: SeenPackage, files: ReadonlyMap<string, FinalFile>): readonly string[] {
  const { claim } = seen
  const own = `${claim.record.slice(0, claim.record.lastIndexOf('/'))}/`
  const system = SYSTEM.test(claim.key)
  return [...seen.files].flatMap(([path, size]) => {
    const file = files.get(path)
    if (file === undefined || size === 0 || file.size === 0) return []
    if (system ? LEFT_BY_REMOVAL.test(path) : path.startsWith(own)) return []
    return file.at <= seen.last || file.size === size ? [path] : []
  })
}

/** For each of these folders the files below it that belong to no package recorded further inside. */
function filesBelow(
  paths: Iterable<string>,
  folders: readonly string[],
  history: PackageHistory,
): ReadonlyMap<string, readonly string[]> {
  const found = new Map<string, string[]>(folders.map(folder => [folder, []]))
  if (found.size === 0) return found
  const recorded = new Set([...history.present.values()].flatMap(seen => seen.claim.folders))
  for (const path of paths) {
    for (let slash = path.lastIndexOf('/'); slash > 0; slash = path.lastIndexOf('/', slash - 1)) {
      const folder = path.slice(0, slash)
      if (recorded.has(folder)) break
      const list = found.get(folder)
      if (list === undefined) continue
      list.push(path)
      break
    }
  }
  return found
}
