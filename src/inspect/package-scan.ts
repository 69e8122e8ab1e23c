import { join } from 'node:path'
import { GateError } from '../errors.js'
import type { ImageContents } from '../evidence/image.js'
import type { Known } from '../evidence/known.js'
import { advisoriesOfRelease } from '../evidence/os-release.js'
import type { VulnerabilityScan } from '../evidence/scan.js'
import type { PlatformImage } from '../evidence/subject.js'
import { parseTrivyReport, type ReportedImage } from '../evidence/trivy-report.js'
import type { ReportFile } from '../record/record.js'
import { scanPackages } from '../tools/trivy.js'
import type { Problems } from './attempt.js'
import { DATABASE_FILE, databaseMentions } from './database-file.js'
import { type ProvedScan, scanWithCanary } from './in-band-canary.js'
import { INPUT, type PlatformWork } from './platform-work.js'
import { platformSlug, writeReportFile } from './report-files.js'
import { freshDir } from './scanners.js'

/** What a report on this image must say of itself. */
export function reportedImage(image: PlatformImage): ReportedImage {
  const diffIds = image.layers.map(layer => layer.diffId)
  return { imageId: image.configDigest, diffIds, platform: image.platform }
}

export type PackageScan = Pick<ProvedScan, 'scan' | 'facts'>

/** What a package scan needs beside the platform's own work. */
export interface PackageScanGiven {
  /** Folder with the flattened layout: scanned as it is when nothing is known of the layers. */
  readonly cwd: string
  readonly contents: Known<ImageContents>
  readonly problems: Problems
  /** The report is noted here. */
  readonly files: ReportFile[]
}

/**
 * Packages and their vulnerabilities, proved by the canary layer (none of which is left in the scan or in the report
 * file). Where the layers could not be read nothing can be laid on top: the image alone is scanned, unproved.
 */
export async function packageScan(work: PlatformWork, given: PackageScanGiven): Promise<PackageScan> {
  const { cacheDir, image } = work
  const { contents, problems } = given
  const { scan, text, facts } =
    contents.state === 'present'
      ? await scanWithCanary(work, contents.value, problems)
      : await scanAlone(work, given.cwd)
  await checkRelease(scan, cacheDir)
  const path = `vulnerabilities.${platformSlug(image.platform)}.trivy.json`
  given.files.push(await writeReportFile(work.reportDir, { path, kind: 'vulnerabilities-trivy', text }))
  return { scan, facts }
}

async function scanAlone(work: PlatformWork, cwd: string): Promise<ProvedScan> {
  const { cacheDir, image } = work
  const outDir = await freshDir(work.workDir, 'packages')
  const text = await scanPackages(work.scanners.trivy, { cwd, input: INPUT, cacheDir, outDir })
  const scan = parseTrivyReport(text, reportedImage(image))
  return { scan, text, facts: { inBand: [], notCovered: [] } }
}

/**
 * Refuses a scan whose operating system release the database does not know: the scanner then matches no package of
 * the system and ends well.
 */
async function checkRelease(scan: VulnerabilityScan, cacheDir: string): Promise<void> {
  const release = advisoriesOfRelease(scan)
  if (release === undefined || (await databaseMentions(join(cacheDir, 'db', DATABASE_FILE), release))) return
  throw new GateError('evidence', {
    reason: 'os-release-unknown',
    message: `The image says it is "${release}", and the vulnerability database has no advisories for that release. Its system packages were not matched, so nothing is concluded; check etc/os-release.`,
  })
}
