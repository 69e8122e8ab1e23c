import { GateError } from '../errors.js'
import type { PlatformEvidence } from '../evidence/evidence.js'
import type { ImageContents } from '../evidence/image.js'
import { compareInventories, whySbomIncomplete, whyScanIncomplete } from '../evidence/inventory.js'
import { type Known, missing, present } from '../evidence/known.js'
import { withoutInventoried } from '../evidence/ownership.js'
import type { SbomSet } from '../evidence/sbom.js'
import type { VulnerabilityScan } from '../evidence/scan.js'
import type { PlatformImage } from '../evidence/subject.js'
import { attempt, noteMissing, type Problems, valueOf } from './attempt.js'
import { type Boms, sbomIncomplete } from './catalog.js'
import type { PlatformWork } from './platform-work.js'
import { unite } from './union.js'

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
  readonly scan: Known<VulnerabilityScan>
  readonly boms: Known<Boms>
  readonly contents: Known<ImageContents>
}

/**
 * Lets the witnesses contradict each other: a report that lost packages which another one saw is missing. What only
 * Syft lists is then matched too; where that fails the scan is missing.
 */
export async function crossChecked(
  work: PlatformWork,
  problems: Problems,
  { scan, boms, contents }: Gathered,
): Promise<Pick<PlatformEvidence, 'vulnerabilities' | 'sboms' | 'inventory'>> {
  const { image } = work
  const tree = valueOf(contents)
  const found = valueOf(scan)
  const bom = valueOf(boms)
  const seen = tree === undefined ? {} : { contents: tree }
  const noScan = found && whyScanIncomplete(found, { ...seen, ...(bom && { inventory: bom.inventory }) })
  const noBom = bom && whySbomIncomplete(bom.inventory, { ...seen, ...(found && { scan: found }) })
  const sboms: Known<SbomSet> =
    noBom === undefined ? sbomSet(boms) : noteMissing(problems, sbomIncomplete(image, noBom))
  if (noScan !== undefined)
    return {
      ...compared(found, bom),
      sboms,
      vulnerabilities: noteMissing(problems, reportIncomplete(image, noScan)),
    }
  if (found === undefined || bom === undefined)
    return { ...compared(found, bom), sboms, vulnerabilities: scan }
  const { inventory } = bom
  const united = await work.limit(() =>
    attempt(problems, () => unite(work, { scan: found, inventory, ...seen })),
  )
  if (united.state !== 'present') return { ...compared(found, bom), sboms, vulnerabilities: united }
  return { sboms, vulnerabilities: present(united.value.scan), inventory: present(united.value.comparison) }
}

/** The two inventories side by side, nothing matched. */
function compared(
  found: VulnerabilityScan | undefined,
  bom: Boms | undefined,
): Pick<PlatformEvidence, 'inventory'> {
  if (found === undefined || bom === undefined)
    return { inventory: missing('inspect', 'one of the two inventories is missing') }
  return { inventory: present(compareInventories(found.packages, bom.inventory.packages)) }
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
