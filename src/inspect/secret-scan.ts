import type { SecretScan } from '../evidence/scan.js'
import { parseSecretReport } from '../evidence/trivy-report.js'
import { scanSecrets } from '../tools/trivy.js'
import { reportedImage } from './package-scan.js'
import { INPUT, type PlatformWork } from './platform-work.js'
import { freshDir } from './scanners.js'

/** Secrets in the files, history and environment of the flattened layout below `cwd`. */
export async function secretScan(work: PlatformWork, cwd: string): Promise<SecretScan> {
  const { cacheDir, image } = work
  const outDir = await freshDir(work.workDir, 'secrets')
  const text = await scanSecrets(work.scanners.trivy, { cwd, input: INPUT, cacheDir, outDir })
  return parseSecretReport(text, reportedImage(image))
}
