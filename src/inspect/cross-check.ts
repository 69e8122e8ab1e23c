import { GateError } from '../errors.js'
import type { PlatformEvidence } from '../evidence/evidence.js'
import type { ImageContents } from '../evidence/image.js'
import { compareInventories, whySbomIncomplete, whyScanIncomplete } from '../evidence/inventory.js'
import { type Known, missing, present } from '../evidence/known.js'
import { withoutInventoried } from '../evidence/ownership.js'
import type { SbomSet } from '../evidence/sbom.js'
import type { VulnerabilityScan } from '../evidence/scan.js'
import type { PlatformImage } from '../evidence/subject.js'
import { noteMissing, type Problems, valueOf } from './attempt.js'
import { type Boms, sbomIncomplete } from './catalog.js'

// Programs that are packages themselves: their modules are written into them.
const PROGRAM_TYPES = new Set(['cargo', 'golang', 'maven'])

/** Takes executables out of the unexplained ones that an inventory lists as packages themselves. */
export function explained(
  contents: Known<ImageContents>,
  scan: Known<VulnerabilityScan>,
  boms: Known<Boms>,
): Known<ImageContents> {
  if (contents.state !== 'present') return contents
  const packages = [...(valueOf(scan)?.packages ?? []), ...(valueOf(boms)?.inventory.packages ?? [])]
  const paths = packages.flatMap(found => (PROGRAM_TYPES.has(found.type) && found.path ? [found.path] : []))
  const unexplained = withoutInventoried(contents.value.unexplained, new Set(paths))
  return present({ ...contents.value, unexplained })
}

/** What each analysis of one platform brought home. */
export interface Gathered {
  readonly image: PlatformImage
  readonly scan: Known<VulnerabilityScan>
  readonly boms: Known<Boms>
  readonly contents: Known<ImageContents>
}

/** Lets the witnesses contradict each other: a report that lost packages which another one saw is missing. */
export function crossChecked(
  problems: Problems,
  { image, scan, boms, contents }: Gathered,
): Pick<PlatformEvidence, 'vulnerabilities' | 'sboms' | 'inventory'> {
  const seen = valueOf(contents)
  const found = valueOf(scan)
  const bom = valueOf(boms)
  const tree = seen === undefined ? {} : { contents: seen }
  const noScan = found && whyScanIncomplete(found, { ...tree, ...(bom && { inventory: bom.inventory }) })
  const noBom = bom && whySbomIncomplete(bom.inventory, { ...tree, ...(found && { scan: found }) })
  return {
    vulnerabilities: noScan === undefined ? scan : noteMissing(problems, reportIncomplete(image, noScan)),
    sboms: noBom === undefined ? sbomSet(boms) : noteMissing(problems, sbomIncomplete(image, noBom)),
    inventory:
      found && bom
        ? present(compareInventories(found.packages, bom.inventory.packages))
        : missing('inspect', 'one of the two inventories is missing'),
  }
}

function sbomSet(boms: Known<Boms>): Known<SbomSet> {
  if (boms.state !== 'present') return boms
  return present({ documents: boms.value.documents, packages: boms.value.inventory.packages })
}

function reportIncomplete(image: PlatformImage, why: string): GateError {
  return new GateError('evidence', {
    reason: 'report-without-packages',
    message: `Trivy's report for ${image.platform} is not complete: ${why}. What it does not list was not matched, so nothing is concluded from it.`,
  })
}
