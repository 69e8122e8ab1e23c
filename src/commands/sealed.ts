import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { lstat } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { GateError } from '../errors.js'
import { canonicalJson, sha256Hex } from '../evidence/canonical.js'
import type { Evidence } from '../evidence/evidence.js'
import { hashBlobs } from '../oci/blobs.js'
import { openLayout, type OpenLayout } from '../oci/reader.js'
import { parseEvidence } from '../record/evidence-document.js'
import { parseRecord } from '../record/parse.js'
import type { ReportFile, RunRecord } from '../record/record.js'
import { SEAL, SEALED_IMAGE } from './seal.js'
import { readSourceFile } from './source-file.js'

/** A sealed folder whose parts agree with one another. What is in it came from another job: it is hostile. */
export interface Sealed {
  /** Absolute. */
  readonly dir: string
  readonly record: RunRecord
  readonly evidence: Evidence
  readonly layout: OpenLayout
}

/** What was asked for: `DIR`, or `DIR@sha256:HEX` with the SHA-256 of the record. */
export interface SealedPlace {
  readonly dir: string
  readonly recordSha256?: string
}

const MAX_BYTES = 256 * 1024 * 1024

/** Reads `DIR` or `DIR@sha256:HEX`; a report folder stands for the folder `sealed` in it. */
export async function sealedPlace(text: string): Promise<SealedPlace> {
  const pinned = /^(?<dir>.+)@sha256:(?<hex>[0-9a-f]{64})$/s.exec(text)?.groups
  const given = resolve(pinned?.['dir'] ?? text)
  const inside = await lstat(join(given, SEAL)).catch(() => null)
  const dir = inside?.isDirectory() === true ? join(given, SEAL) : given
  return { dir, ...(pinned?.['hex'] !== undefined && { recordSha256: pinned['hex'] }) }
}

/** The record of a sealed folder. Refuses one that is not of a run that passed without publishing. */
export async function readSealedRecord(place: SealedPlace): Promise<RunRecord> {
  const text = await textOf(place.dir, 'portcullis.json')
  if (place.recordSha256 !== undefined && sha256Hex(text) !== place.recordSha256)
    throw changed('record', `portcullis.json has SHA-256 ${sha256Hex(text)}, not ${place.recordSha256}`)
  const record = parseRecord(text)
  if (record.command === 'gate' && record.outcome === 'pass' && record.evidence !== null) return record
  const message = `The record in ${place.dir} is not of a gate that passed (${record.outcome}: ${record.reason}). Only what passed is released.`
  throw new GateError('config', { reason: 'not-sealed', message })
}

/**
 * Opens a sealed folder: every blob of the image, the evidence and every file of the record are hashed and compared
 * with what the record says. Errors (integrity): `sealed-evidence-changed`, `sealed-image-changed`,
 * `sealed-file-changed`, and those of the layout reader.
 */
export async function openSealed(place: SealedPlace, record: RunRecord): Promise<Sealed> {
  const { dir } = place
  const evidence = await readEvidence(dir, record)
  const layout = await openLayout(join(dir, SEALED_IMAGE), { name: record.subject?.name ?? '' })
  await hashBlobs(layout)
  const judged = evidence.subject.state === 'present' ? evidence.subject.value : null
  for (const said of [judged, record.subject]) {
    if (canonicalJson(layout.subject) !== canonicalJson(said))
      throw changed('image', `the layout holds ${layout.subject.digest}, which is not what was judged`)
  }
  for (const file of record.files) await requireUnchanged(dir, file)
  return { dir, record, evidence, layout }
}

async function readEvidence(dir: string, record: RunRecord): Promise<Evidence> {
  const text = await textOf(dir, 'evidence.json')
  if (sha256Hex(text) === record.evidence?.sha256) return parseEvidence(text)
  throw changed('evidence', 'evidence.json is not the one of the record')
}

async function requireUnchanged(dir: string, file: ReportFile): Promise<void> {
  if (file.path.includes('/')) throw changed('file', `${file.path} is not beside the record`)
  const path = join(dir, file.path)
  const found = await lstat(path).catch(() => null)
  if (found?.isFile() !== true || found.size !== file.size)
    throw changed('file', `${file.path} is missing or of another size`)
  const hash = createHash('sha256')
  await pipeline(createReadStream(path), hash)
  if (hash.digest('hex') !== file.sha256) throw changed('file', `${file.path} holds other bytes`)
}

async function textOf(dir: string, name: string): Promise<string> {
  const source = await readSourceFile(join(dir, name), { maxBytes: MAX_BYTES, within: [dir] })
  if (source.state === 'read') return source.text
  const why = source.state === 'absent' ? 'is not there' : source.why
  const message = `${name} in ${dir} ${why}. Give the report folder of 'portcullis gate --publish never', whole.`
  throw new GateError('config', { reason: 'not-sealed', message })
}

function changed(what: 'record' | 'evidence' | 'image' | 'file', why: string): GateError {
  const message = `What was sealed has changed: ${why}. Nothing of it is released; run the gate again.`
  return new GateError('integrity', { reason: `sealed-${what}-changed`, message })
}
