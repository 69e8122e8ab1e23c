import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { ImageContents } from '../evidence/image.js'
import { compareInventories } from '../evidence/inventory.js'
import type { InventoryComparison } from '../evidence/sbom.js'
import type { VulnerabilityScan } from '../evidence/scan.js'
import type { SyftInventory } from '../evidence/syft-report.js'
import { planUnion, readUnionReport, type UnionDocument, type UnionMatch } from '../evidence/union.js'
import { scanSbom } from '../tools/trivy.js'
import type { PlatformWork } from './platform-work.js'
import { freshDir } from './scanners.js'

export interface UnionGiven {
  /** A scan that no other witness contradicts. */
  readonly scan: VulnerabilityScan
  readonly inventory: SyftInventory
  readonly contents?: ImageContents
}

/** The scan with what only Syft lists added to it, and how the two inventories compare. */
export interface United {
  readonly scan: VulnerabilityScan
  readonly comparison: InventoryComparison
}

/**
 * Matches what Syft lists and Trivy lacks, by one call of the scanner on a document of ours (one for each kind of
 * packages of an operating system, where there are several), and adds it to the scan. Nothing is taken away.
 */
export async function unite(work: PlatformWork, given: UnionGiven): Promise<United> {
  const { scan, inventory } = given
  const plan = planUnion(given)
  const matches: UnionMatch[] = []
  for (const document of plan.documents) matches.push(await match(work, document))
  const packages = matches.flatMap(one => one.packages)
  const findings = matches.flatMap(one => one.findings)
  return {
    scan: { ...scan, packages: [...scan.packages, ...packages], findings: [...scan.findings, ...findings] },
    comparison: {
      ...compareInventories(scan.packages, inventory.packages),
      matched: [...new Set(packages.map(found => found.purl))].sort(),
      notMatched: plan.notMatched,
      leftToSystem: plan.leftToSystem,
    },
  }
}

async function match(work: PlatformWork, document: UnionDocument): Promise<UnionMatch> {
  const { cacheDir, scanners, image } = work
  const cwd = await freshDir(work.workDir, 'union')
  const input = 'union.json'
  await writeFile(join(cwd, input), document.text)
  const outDir = await freshDir(work.workDir, 'union-report')
  const text = await scanSbom(scanners.trivy, { cwd, input, cacheDir, outDir })
  return readUnionReport(text, document, image.platform)
}
