import { join } from 'node:path'
import { GateError } from '../errors.js'
import { advisoriesOfRelease } from '../evidence/os-release.js'
import type { VulnerabilityScan } from '../evidence/scan.js'
import type { PlatformImage } from '../evidence/subject.js'
import { parseTrivyReport, type ReportedImage } from '../evidence/trivy-report.js'
import type { ReportFile } from '../record/record.js'
import { scanPackages } from '../tools/trivy.js'
import { DATABASE_FILE, databaseMentions } from './database-file.js'
import { INPUT, type PlatformWork } from './platform-work.js'
import { platformSlug, writeReportFile } from './report-files.js'
import { freshDir } from './scanners.js'

/** What a report on this image must say of itself. */
export function reportedImage(image: PlatformImage): ReportedImage {
  const diffIds = image.layers.map(layer => layer.diffId)
  return { imageId: image.configDigest, diffIds, platform: image.platform }
}

/** Packages and their vulnerabilities of the flattened layout below `cwd`; the report is written and noted in `files`. */
export async function packageScan(
  work: PlatformWork,
  cwd: string,
  files: ReportFile[],
): Promise<VulnerabilityScan> {
  const { cacheDir, image } = work
  const outDir = await freshDir(work.workDir, 'packages')
  const text = await scanPackages(work.scanners.trivy, { cwd, input: INPUT, cacheDir, outDir })
  const scan = parseTrivyReport(text, reportedImage(image))
  await checkRelease(scan, cacheDir)
  const path = `vulnerabilities.${platformSlug(image.platform)}.trivy.json`
  files.push(await writeReportFile(work.reportDir, { path, kind: 'vulnerabilities-trivy', text }))
  return scan
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
