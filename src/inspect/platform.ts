import { join } from 'node:path'
import type { PlatformEvidence } from '../evidence/evidence.js'
import type { ImageContents } from '../evidence/image.js'
import { type Known, mapKnown } from '../evidence/known.js'
import { flattenPlatform } from '../oci/flatten.js'
import type { ReportFile } from '../record/record.js'
import { attempt, type Problems, valueOf } from './attempt.js'
import { catalog } from './catalog.js'
import { crossChecked, explained } from './cross-check.js'
import type { InBandFacts } from './in-band-canary.js'
import { type PassedLayers, passLayers } from './layer-pass.js'
import { type PackageScan, packageScan, type PackageScanGiven } from './package-scan.js'
import { INPUT, type PlatformWork } from './platform-work.js'
import { freshDir } from './scanners.js'
import { type SearchedSecrets, secretScan } from './secret-scan.js'

export interface PlatformResult {
  readonly evidence: PlatformEvidence
  readonly canary: InBandFacts
  /** Secrets in the image configuration, which no report may repeat. */
  readonly exposed: readonly string[]
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
  const passing = limit(() => attempt(problems, () => passLayers(work)))
  const layers = passing.then(passed => mapKnown(passed, one => one.contents))
  const scans = await Promise.all([
    searchedSecrets(work, problems, passing),
    onFlat(flat, cwd => provedScan(work, { cwd, problems, files }, layers)),
    onFlat(flat, cwd => limit(() => attempt(problems, () => catalog(work, cwd, files)))),
    layers,
  ])
  const [searched, proved, boms, contents] = scans
  const scan = mapKnown(proved, one => one.scan)
  return {
    evidence: {
      platform: image.platform,
      contents: explained(contents, scan, boms),
      secrets: mapKnown(searched, one => one.scan),
      ...(await crossChecked(work, problems, { scan, boms, contents })),
    },
    canary: valueOf(proved)?.facts ?? { inBand: [], notCovered: [] },
    exposed: valueOf(searched)?.exposed ?? [],
    problems,
    files: files.sort((a, b) => (a.path < b.path ? -1 : 1)),
  }
}

/** The search for secrets reads what the layer pass laid out for it. */
async function searchedSecrets(
  work: PlatformWork,
  problems: Problems,
  passing: Promise<Known<PassedLayers>>,
): Promise<Known<SearchedSecrets>> {
  const passed = await passing
  if (passed.state !== 'present') return passed
  return await work.limit(() => attempt(problems, () => secretScan(work, passed.value.search)))
}

/** The package scan waits for the layer pass: what it lays on top of the image depends on what is below. */
async function provedScan(
  work: PlatformWork,
  given: Omit<PackageScanGiven, 'contents'>,
  layers: Promise<Known<ImageContents>>,
): Promise<Known<PackageScan>> {
  const contents = await layers
  return await work.limit(() => attempt(given.problems, () => packageScan(work, { ...given, contents })))
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
