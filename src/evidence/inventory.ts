import { comparablePurl, parsePurl } from './purl.js'
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

/**
 * Kinds of packages that Syft lists and Trivy's report has none of. A report that lost a whole kind (or all) says
 * nothing about its vulnerabilities: it must count as missing. Language packages that belong to an operating system
 * package are left out, because Trivy matches those by the operating system's advisories.
 */
export function kindsTrivyLacks(scan: VulnerabilityScan, inventory: SyftInventory): readonly string[] {
  const owned = new Set(inventory.ownedByOs)
  return lacking(
    inventory.packages.filter(found => !owned.has(found)),
    scan.packages,
  )
}

/** Kinds of packages that Trivy lists and the SBOMs have none of: such SBOMs are not complete. */
export function kindsSyftLacks(scan: VulnerabilityScan, inventory: SyftInventory): readonly string[] {
  return lacking(scan.packages, inventory.packages)
}

function lacking(seen: readonly Package[], by: readonly Package[]): readonly string[] {
  const ours = kindsOf(seen)
  const theirs = kindsOf(by)
  return SHARED_TYPES.filter(type => ours.has(type) && !theirs.has(type))
}

function kindsOf(packages: readonly Package[]): ReadonlySet<string> {
  return new Set(packages.map(found => parsePurl(found.purl)?.type ?? found.type))
}
