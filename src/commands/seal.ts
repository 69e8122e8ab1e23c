import { randomBytes } from 'node:crypto'
import { lstat, mkdir, rename, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { GateError } from '../errors.js'
import { copyReachable } from '../oci/copy.js'
import { placeFile } from '../oci/flatten.js'
import type { OpenLayout } from '../oci/reader.js'
import type { ReportFile } from '../record/record.js'

/** Folder of the report folder that `portcullis release` takes; and the layout inside it. */
export const SEAL = 'sealed'
export const SEALED_IMAGE = 'image'

/** What is sealed: the image as it was judged, and everything that was said of it. */
export interface SealContent {
  readonly layout: OpenLayout
  readonly record: string
  readonly evidence: string
  /** Below the report folder, as the record lists them. */
  readonly files: readonly ReportFile[]
}

/**
 * Writes the folder `sealed` of a report folder: layout, record, evidence and the files of the record. It is there
 * whole or not at all. Large files are hard links where the disk allows it.
 */
export async function writeSeal(reportDir: string, content: SealContent): Promise<void> {
  const part = join(reportDir, `.${SEAL}-${randomBytes(8).toString('hex')}.part`)
  try {
    await mkdir(part)
    await copyReachable(content.layout, join(part, SEALED_IMAGE))
    await writeFile(join(part, 'portcullis.json'), content.record)
    await writeFile(join(part, 'evidence.json'), content.evidence)
    for (const { path } of content.files) {
      await mkdir(dirname(join(part, path)), { recursive: true })
      await placeFile(join(reportDir, path), join(part, path))
    }
    await rename(part, join(reportDir, SEAL))
  } catch (thrown) {
    await rm(part, { recursive: true, force: true }).catch(() => undefined)
    throw thrown
  }
}

/** Removes what an earlier run sealed: it must never stand beside another run's record. Removes nothing foreign. */
export async function removeSeal(reportDir: string): Promise<void> {
  const dir = join(reportDir, SEAL)
  const found = await lstat(dir).catch(() => null)
  if (found === null) return
  const ours = found.isDirectory() && (await lstat(join(dir, 'portcullis.json')).catch(() => null))?.isFile()
  if (ours !== true) {
    const message = `output: '${dir}' is there and not from an earlier run. Remove it, or give another folder.`
    throw new GateError('config', { reason: 'output-occupied', message })
  }
  await rm(dir, { recursive: true, force: true })
}
