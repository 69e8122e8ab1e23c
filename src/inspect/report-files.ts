import { createHash } from 'node:crypto'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { describeError, GateError, systemErrorCode } from '../errors.js'
import type { ReportFile } from '../record/record.js'
import { writeWhole } from '../tools/report-folder.js'

/** `linux/arm64/v8` as a part of a file name: `linux-arm64-v8`. */
export function platformSlug(platform: string): string {
  return platform.replace(/[^A-Za-z0-9._-]+/g, '-')
}

/** Writes one report file and says what was written. A file that cannot be written is GateError `report-not-written`. */
export async function writeReportFile(
  reportDir: string,
  file: { readonly path: string; readonly kind: string; readonly text: string },
): Promise<ReportFile> {
  const bytes = Buffer.from(file.text, 'utf8')
  try {
    await mkdir(reportDir, { recursive: true })
    await writeWhole(join(reportDir, file.path), bytes)
  } catch (cause) {
    const full = systemErrorCode(cause) === 'ENOSPC'
    throw new GateError('tool', {
      reason: full ? 'disk-full' : 'report-not-written',
      message: `${file.path} could not be written to the report folder: ${describeError(cause)}`,
      cause,
    })
  }
  const sha256 = createHash('sha256').update(bytes).digest('hex')
  return { path: file.path, kind: file.kind, sha256, size: bytes.length }
}
