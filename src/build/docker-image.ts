import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { GateError } from '../errors.js'
import { isDigest, type Digest } from '../evidence/digest.js'
import type { Commands } from '../tools/command.js'
import type { BuiltImage } from './built.js'
import { idMismatch, openDocker, quick, saveImage, type Docker } from './docker-client.js'

/**
 * Takes an image that the Docker engine has: asks for its id, saves it by that id and converts it while it streams
 * into an OCI layout. Nothing is pulled. Refuses a result whose configuration or manifest digest is not the id.
 * Errors: `engine-missing`, `image-absent` (config), `image-id-missing`, `image-id-mismatch` (integrity).
 */
export async function takeFromDocker(
  services: { readonly commands: Commands; readonly workDir: string },
  reference: string,
): Promise<BuiltImage> {
  const { docker } = await openDocker(services.commands)
  const imageId = await idOf(docker, reference)
  const layoutDir = join(services.workDir, 'layout')
  await mkdir(layoutDir, { recursive: true })
  const converted = await saveImage(docker, imageId, { outDir: layoutDir, imageId })
  if (converted.configDigest !== imageId && converted.manifestDigest !== imageId) {
    throw idMismatch(imageId, converted)
  }
  return { layoutDir, engine: null, imageId }
}

async function idOf(docker: Docker, reference: string): Promise<Digest> {
  const args = ['image', 'inspect', '--format', '{{.Id}}', reference]
  const printed = await quick(docker, args).catch((thrown: unknown) => {
    throw absent(reference, thrown)
  })
  const id = printed.trim()
  if (isDigest(id)) return id
  const message = `The engine reports no image id for '${reference}'. Try another engine version.`
  throw new GateError('evidence', { reason: 'image-id-missing', message })
}

function absent(reference: string, thrown: unknown): unknown {
  if (!(thrown instanceof GateError) || !/no such (?:image|object)/i.test(thrown.message)) return thrown
  const message = `The Docker engine has no image '${reference}'. Build or pull it first, or check the name.`
  return new GateError('config', { reason: 'image-absent', message, cause: thrown })
}
