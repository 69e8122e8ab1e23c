import { rm } from 'node:fs/promises'
import type { SecretScan } from '../evidence/scan.js'
import { parseSecretReport } from '../evidence/secret-report.js'
import { scanSecrets } from '../tools/trivy.js'
import type { PassedLayers } from './layer-pass.js'
import { INPUT, type PlatformWork } from './platform-work.js'
import { freshDir } from './scanners.js'

/** The scan for the record, and the secrets in the image configuration that no report may repeat. */
export interface SearchedSecrets {
  readonly scan: SecretScan
  readonly exposed: readonly string[]
}

/**
 * Secrets in the files of all layers and in the configuration, searched by the scanner in a layout of our own. That
 * layout and the scanner's raw report are removed again.
 */
export async function secretScan(
  work: PlatformWork,
  search: PassedLayers['search'],
): Promise<SearchedSecrets> {
  const { cacheDir, image, scanners } = work
  const outDir = await freshDir(work.workDir, 'secrets')
  try {
    const text = await scanSecrets(scanners.trivy, { cwd: search.dir, input: INPUT, cacheDir, outDir })
    const { imageId, diffIds, index, searched, notSearched } = search
    const { findings, exposed } = parseSecretReport(
      text,
      { imageId, diffIds, platform: image.platform },
      index,
    )
    return { scan: { imageId: image.configDigest, findings, searched, notSearched }, exposed }
  } finally {
    await Promise.all([search.dir, outDir].map(dir => rm(dir, { recursive: true, force: true })))
  }
}
