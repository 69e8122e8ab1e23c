import { comparablePurl, parsePurl } from './purl.js'
import type { ImageContents } from './image.js'
import type { InventoryComparison } from './sbom.js'
import type { Package, VulnerabilityScan } from './scan.js'
import type { SyftInventory } from './syft-report.js'

/** Kinds of packages (purl types) that both inventories read; the others only one of them knows. */
const SHARED_TYPES = [
  'apk',
  'cargo',
  'composer',
  'deb',
  'gem',
  'golang',
  'maven',
  'npm',
  'pypi',
  'rpm',
] as const

/** Compares two inventories of one image by purl without qualifiers; lists are sorted, each purl once. */
export function compareInventories(trivy: readonly Package[], syft: readonly Package[]): InventoryComparison {
  const left = new Set(trivy.map(found => comparablePurl(found.purl)))
  const right = new Set(syft.map(found => comparablePurl(found.purl)))
  return {
    both: [...left].filter(purl => right.has(purl)).length,
    onlyTrivy: [...left].filter(purl => !right.has(purl)).sort(),
    onlySyft: [...right].filter(purl => !left.has(purl)).sort(),
  }
}

/** What else is known of the same image; a witness that could not be heard is absent. */
export interface Witnesses {
  readonly inventory?: SyftInventory
  readonly contents?: Pick<ImageContents, 'owners' | 'linkedMetadata'>
}

/**
 * Why a Trivy report cannot be the whole truth, or undefined. A report that lost a whole kind of packages (or all)
 * says nothing about their vulnerabilities. Witnesses are Syft's inventory and the package databases in the layers.
 * Two sorts are left out, because Trivy passes them by, and what it passes by is matched in a second step: language
 * packages that belong to an operating system package, and packages whose metadata is behind a link.
 */
export function whyScanIncomplete(scan: VulnerabilityScan, seen: Witnesses): string | undefined {
  if (seen.inventory !== undefined) {
    const owned = new Set(seen.inventory.ownedByOs)
    const linked = new Set(seen.contents?.linkedMetadata?.flatMap(({ path, target }) => [path, target]))
    const plain = seen.inventory.packages.filter(
      found => !owned.has(found) && !(found.path !== undefined && linked.has(found.path)),
    )
    const kinds = lacking(plain, scan.packages)
    if (kinds.length > 0) return `it lists no ${kinds.join(', ')} package, but Syft found some`
  }
  return withoutAny(scan.packages, seen)
}

/** Why the SBOMs cannot be the whole truth, or undefined: the same the other way round. */
export function whySbomIncomplete(
  inventory: SyftInventory,
  seen: { readonly scan?: VulnerabilityScan; readonly contents?: Pick<ImageContents, 'owners'> },
): string | undefined {
  const kinds = lacking(seen.scan?.packages ?? [], inventory.packages)
  if (kinds.length > 0) return `they list no ${kinds.join(', ')} package, but Trivy found some`
  return withoutAny(inventory.packages, seen)
}

function withoutAny(
  packages: readonly Package[],
  seen: { readonly contents?: Pick<ImageContents, 'owners'> },
): string | undefined {
  if (packages.length > 0 || seen.contents === undefined) return undefined
  const owned = Object.keys(seen.contents.owners).length
  return owned === 0 ? undefined : `no package is listed, but packages own ${owned} files of the image`
}

function lacking(seen: readonly Package[], by: readonly Package[]): readonly string[] {
  const ours = kindsOf(seen)
  const theirs = kindsOf(by)
  return SHARED_TYPES.filter(type => ours.has(type) && !theirs.has(type))
}

function kindsOf(packages: readonly Package[]): ReadonlySet<string> {
  return new Set(packages.map(found => parsePurl(found.purl)?.type ?? found.type))
}
