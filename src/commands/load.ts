import { lstat } from 'node:fs/promises'
import { join } from 'node:path'
import { loadIntoDocker } from '../build/docker-load.js'
import { GateError } from '../errors.js'
import { parseReference } from '../evidence/reference.js'
import { hashBlobs } from '../oci/blobs.js'
import { openLayout, type OpenLayout } from '../oci/reader.js'
import type { Environment } from '../services.js'
import { openSealed, readSealedRecord, sealedPlace } from './sealed.js'
import { withSession } from './session.js'

/** What `portcullis load` is asked; '' stands for a flag that was not given. */
export interface LoadFlags {
  readonly folder: string
  readonly tag: string
  readonly platform: string
}

/** The tag of an image that no `--tag` names: it was sealed, and is not released. */
export const SEALED_TAG = 'sealed'

const LIMIT_MS = 90 * 60_000

/**
 * Puts the image of a sealed folder, or of an OCI layout, into the Docker engine of this machine, for smoke tests
 * before it is released. Everything is hashed first. Resolves with 0; whatever keeps it from that is thrown.
 */
export async function loadImage(environment: Environment, flags: LoadFlags): Promise<number> {
  const asked = flags.tag === '' ? undefined : wantedReference(flags.tag)
  return await withSession({ environment, target: process.stderr, timeoutMs: LIMIT_MS }, async services => {
    const layout = await openImage(flags.folder)
    const reference = asked ?? sealedReference(layout)
    const { platform } = flags
    const wanted = { reference, ...(platform === '' ? {} : { platform }) }
    const loaded = await loadIntoDocker(services.newCommands(), layout, wanted)
    process.stdout.write(`${loaded.reference}\n`)
    services.progress.note(`loaded ${loaded.platform} as ${loaded.imageId}, tagged ${loaded.reference}`)
    return 0
  })
}

async function openImage(folder: string): Promise<OpenLayout> {
  const place = await sealedPlace(folder)
  const isLayout = (await lstat(join(place.dir, 'oci-layout')).catch(() => null))?.isFile() === true
  if (!isLayout) return (await openSealed(place, await readSealedRecord(place))).layout
  const layout = await openLayout(place.dir, { name: '' })
  await hashBlobs(layout)
  return layout
}

function sealedReference({ subject }: OpenLayout): string {
  if (subject.name !== '') return `${subject.name}:${SEALED_TAG}`
  throw refused('a layout has no name of its own. Give --tag NAME:TAG.')
}

function wantedReference(text: string): string {
  const { image, tag, digest } = parseReference(text)
  if (tag !== undefined && digest === undefined) return `${image.name}:${tag}`
  throw refused(`--tag: expected NAME:TAG, got '${text}'.`)
}

function refused(message: string): GateError {
  return new GateError('config', { reason: 'inputs-invalid', message })
}
