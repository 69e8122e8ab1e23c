import { join } from 'node:path'
import type { PlatformEvidence } from '../evidence/evidence.js'
import type { Known } from '../evidence/known.js'
import { flattenPlatform } from '../oci/flatten.js'
import type { ReportFile } from '../record/record.js'
import { attempt, type Problems } from './attempt.js'
import { catalog } from './catalog.js'
import { crossChecked, explained } from './cross-check.js'
import { passLayers } from './layer-pass.js'
import { packageScan } from './package-scan.js'
import { INPUT, type PlatformWork } from './platform-work.js'
import { freshDir } from './scanners.js'
import { secretScan } from './secret-scan.js'

export interface PlatformResult {
  readonly evidence: PlatformEvidence
  readonly problems: Problems
  readonly files: readonly ReportFile[]
}

/**
 * All evidence of one platform: layer pass, packages, secrets and SBOMs side by side, each analysed once. What fails
 * is missing, with a problem; the rest is still gathered. Reports that the other inventory contradicts are missing.
 */
export async function inspectPlatform(work: PlatformWork): Promise<PlatformResult> {
  const { image, limit } = work
  const problems: Problems = []
  const files: ReportFile[] = []
  const flat = await attempt(problems, () => flatten(work))
  const layers = limit(() => attempt(problems, () => passLayers(work)))
  const scans = await Promise.all([
    onFlat(flat, cwd => limit(() => attempt(problems, () => secretScan(work, cwd)))),
    onFlat(flat, cwd => limit(() => attempt(problems, () => packageScan(work, cwd, files)))),
    onFlat(flat, cwd => limit(() => attempt(problems, () => catalog(work, cwd, files)))),
    layers,
  ])
  const [secrets, scan, boms, contents] = scans
  return {
    evidence: {
      platform: image.platform,
      contents: explained(contents, scan, boms),
      secrets,
      ...crossChecked(problems, { image, scan, boms, contents }),
    },
    problems,
    files: files.sort((a, b) => (a.path < b.path ? -1 : 1)),
  }
}

/** Work on the flattened layout; when that could not be made, the fact is missing for the same reason. */
async function onFlat<T>(flat: Known<string>, work: (cwd: string) => Promise<Known<T>>): Promise<Known<T>> {
  return flat.state === 'present' ? await work(flat.value) : flat
}

async function flatten(work: PlatformWork): Promise<string> {
  const cwd = await freshDir(work.workDir, 'layout')
  await flattenPlatform(work.layout, work.image, join(cwd, INPUT))
  return cwd
}
