import { randomBytes } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { canaryProblem } from '../evidence/canary.js'
import { readInBand, withoutCanaryRows } from '../evidence/canary-in-band.js'
import { type CanaryPlan, planCanary, planSbom, type ScannedSystem } from '../evidence/canary-plan.js'
import { withoutCanaryText } from '../evidence/canary-report.js'
import type { ImageContents } from '../evidence/image.js'
import type { VulnerabilityScan } from '../evidence/scan.js'
import type { InBandSighting } from '../evidence/tooling.js'
import { parseTrivyReport } from '../evidence/trivy-report.js'
import { deriveLayout } from '../oci/derive.js'
import { scanPackages, scanSbom } from '../tools/trivy.js'
import { noteMissing, type Problems } from './attempt.js'
import { INPUT, type PlatformWork } from './platform-work.js'
import { freshDir } from './scanners.js'

/** What the canary layer proved of one platform's scan, and what it could not. */
export interface InBandFacts {
  readonly inBand: readonly InBandSighting[]
  readonly notCovered: readonly string[]
}

/** A package scan and its report, as if the image had been scanned alone, and what its canary said. */
export interface ProvedScan {
  readonly scan: VulnerabilityScan
  readonly text: string
  readonly facts: InBandFacts
}

/**
 * Scans the image with a layer of known-vulnerable packages on top, and takes them out again. Whatever of them did
 * not come back as it must is in the facts as not found, and a problem (`canary-not-found`,
 * `canary-severity-changed`). Names and places are new in every run. Where there are Java archives the Java database
 * is brought first; without it nothing is scanned (`java-database-…`).
 */
export async function scanWithCanary(
  work: PlatformWork,
  contents: ImageContents,
  problems: Problems,
): Promise<ProvedScan> {
  const { image, cacheDir } = work
  const seen = { packageDatabases: contents.packageDatabases ?? [], javaArchives: contents.javaArchives ?? 0 }
  if (seen.javaArchives > 0) await work.java()
  const plan = planCanary(seen, randomBytes(16).toString('hex'))
  const cwd = await freshDir(work.workDir, 'packages-layout')
  const derived = await deriveLayout(work.layout, image, { outDir: join(cwd, INPUT), layers: [plan.files] })
  const outDir = await freshDir(work.workDir, 'packages')
  const text = await scanPackages(work.scanners.trivy, { cwd, input: INPUT, cacheDir, outDir })
  const whole = parseTrivyReport(text, derived)
  const { added } = derived
  const truth = await scanPlan(work, plan, whole.os)
  const { readings, notCovered } = readInBand(plan, { scan: whole, truth, added }, image.platform)
  const problem = canaryProblem(readings, ` in the scan of ${image.platform} itself`)
  if (problem !== undefined) noteMissing(problems, problem)
  const imageId = image.configDigest
  return {
    scan: withoutCanaryRows(whole, { added, imageId }),
    text: withoutCanaryText(text, { derived, imageId, token: plan.token }),
    facts: { inBand: readings.map(sightingOf), notCovered },
  }
}

function sightingOf({ platform, ecosystem, id, purl, severity, found }: InBandSighting): InBandSighting {
  return { platform, ecosystem, id, purl, severity, found }
}

/** The scanner's answer on the same packages by another road. */
async function scanPlan(
  work: PlatformWork,
  plan: CanaryPlan,
  system: ScannedSystem | undefined,
): Promise<string> {
  const cwd = await freshDir(work.workDir, 'canary')
  const input = 'canary.json'
  await writeFile(join(cwd, input), planSbom(plan, system))
  const outDir = await freshDir(work.workDir, 'canary-report')
  return await scanSbom(work.scanners.trivy, { cwd, input, cacheDir: work.cacheDir, outDir })
}
