import { join, resolve } from 'node:path'
import pc from 'picocolors'
import { GateError } from '../errors.js'
import { readInputs } from '../inputs.js'
import type { Environment } from '../services.js'
import { gate } from './gate.js'
import { SEALED_IMAGE } from './seal.js'
import { readSealedRecord, sealedPlace } from './sealed.js'
import { sealedRoad } from './sealed-road.js'
import { withSession } from './session.js'
import { terminalSurface } from './terminal-surface.js'

/** Releases a sealed folder for a person at a terminal; resolves with the exit code. */
export async function releaseAtTerminal(given: {
  readonly environment: Environment
  readonly folder: string
  readonly option: (name: string) => string
}): Promise<number> {
  const { environment, folder, option } = given
  const place = await sealedPlace(folder)
  const sealed = await readSealedRecord(place)
  const derived: Readonly<Record<string, string>> = {
    subject: `oci-layout:${join(place.dir, SEALED_IMAGE)}`,
    publish: 'always',
  }
  const inherited: Readonly<Record<string, string>> = {
    image: sealed.request.image,
    tags: sealed.request.tags.join('\n'),
  }
  const read = (name: string): string => derived[name] ?? (option(name) || (inherited[name] ?? ''))
  const request = readInputs(read, { sigil: '--' })
  if (resolve(request.output) === place.dir) {
    const message = `output: '${request.output}' is the sealed folder itself. Give another one: a release never changes what was sealed.`
    throw new GateError('config', { reason: 'output-is-sealed', message })
  }
  const record = await withSession(
    { environment, target: process.stderr, timeoutMs: request.timeoutMs },
    services =>
      gate({
        services,
        request,
        command: 'release',
        kind: 'terminal',
        surfaces: terminalSurface(process.stdout, pc.isColorSupported),
        road: sealedRoad(place, sealed),
      }),
  )
  return record.exitCode
}
