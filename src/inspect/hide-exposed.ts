import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { PlatformEvidence } from '../evidence/evidence.js'
import { hideSecrets } from '../evidence/exposed.js'
import { mapKnown } from '../evidence/known.js'
import type { ReportFile } from '../record/record.js'
import { writeReportFile } from './report-files.js'

/** What the inspection brought home, as far as it may repeat a secret of the image configuration. */
export interface Repeating {
  readonly platforms: readonly PlatformEvidence[]
  readonly files: readonly ReportFile[]
}

/**
 * Writes every report file again in which one of these secrets stands, with `***` in its place: scanners copy the
 * configuration of an image into their reports. Hashes and sizes follow; what lists no secret stays as it is.
 */
export async function hideExposed(
  reportDir: string,
  found: Repeating,
  exposed: readonly string[],
): Promise<Repeating> {
  if (exposed.length === 0) return found
  const files = await Promise.all(
    found.files.map(async file => {
      const text = await readFile(join(reportDir, file.path), 'utf8')
      const hidden = hideSecrets(text, exposed)
      return hidden === text ? file : await writeReportFile(reportDir, { ...file, text: hidden })
    }),
  )
  const written = new Map(files.map(file => [file.path, file]))
  const platforms = found.platforms.map(platform => ({
    ...platform,
    sboms: mapKnown(platform.sboms, sboms => ({
      ...sboms,
      documents: sboms.documents.map(document => {
        const { sha256, size } = written.get(document.file) ?? document
        return { ...document, sha256, size }
      }),
    })),
  }))
  return { platforms, files }
}
