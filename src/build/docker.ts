import { randomBytes } from 'node:crypto'
import { mkdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { GateError } from '../errors.js'
import { isDigest, type Digest } from '../evidence/digest.js'
import type { Commands } from '../tools/command.js'
import type { BuildRequest, BuildServices } from './build-request.js'
import type { BuiltImage } from './built.js'
import { buildArguments, buildVariables, type DockerAbilities } from './docker-arguments.js'
import { idMismatch, openDocker, quick, saveImage, type Docker } from './docker-client.js'
import { dockerfileWithDigests } from './dockerfile-copy.js'
import { runBuild } from './run-build.js'
import { secretInputs } from './secrets.js'

/** True when a Docker engine answers on this machine. */
export async function engineAnswers(commands: Commands): Promise<boolean> {
  try {
    await openDocker(commands)
    return true
  } catch (thrown) {
    if (thrown instanceof GateError && thrown.reason === 'engine-missing') return false
    throw thrown
  }
}

/** The Docker engine that answers here. */
export interface DockerWay {
  readonly docker: Docker
  readonly abilities: DockerAbilities
  readonly why: string
}

/** The Docker engine of this machine, or why there is none. */
export async function findDockerWay(
  commands: Commands,
): Promise<DockerWay | { readonly kind: 'none'; readonly why: string }> {
  try {
    const { docker, abilities } = await openDocker(commands)
    return { docker, abilities, why: `the Docker engine ${abilities.server} answers` }
  } catch (thrown) {
    if (!(thrown instanceof GateError) || thrown.reason !== 'engine-missing') throw thrown
    return { kind: 'none', why: thrown.message.split('. ')[0] ?? thrown.message }
  }
}

/**
 * Builds with the Docker engine, saves the image and converts it while it streams into an OCI layout. Checked bases
 * stand with their digest in the Dockerfile that the engine sees. Refuses a result whose configuration or manifest
 * digest is not the image id that the engine reports.
 * Errors: `build-failed` with the step and the last lines, `image-id-mismatch` (integrity).
 */
export async function buildWithDocker(
  services: BuildServices,
  request: BuildRequest,
  { docker, abilities, why }: DockerWay,
): Promise<BuiltImage> {
  const { commands, workDir, environment } = services
  const tag = `portcullis-build:${randomBytes(12).toString('hex')}`
  const iidFile = join(workDir, 'image-id')
  const layoutDir = join(workDir, 'layout')
  const secrets = await secretInputs(request.secrets, environment)
  const dockerfile = await dockerfileWithDigests(request, workDir)
  const args = buildArguments(request, abilities, { iidFile, tag, dockerfile, secrets })
  const call = { program: docker.program, args, variables: buildVariables(abilities) }
  await runBuild(commands, call, secrets)
  try {
    const imageId = await reportedId(docker, tag, iidFile)
    await mkdir(layoutDir, { recursive: true })
    const converted = await saveImage(docker, tag, { outDir: layoutDir, imageId: imageId.inspected })
    for (const id of [imageId.inspected, imageId.printed]) {
      if (converted.configDigest !== id && converted.manifestDigest !== id) throw idMismatch(id, converted)
    }
    const engine = { name: 'docker', version: abilities.server, why }
    return { layoutDir, engine, imageId: imageId.inspected }
  } finally {
    await remove(docker, tag)
  }
}

/** The id that the engine reports for the tag, and the one the build printed. */
async function reportedId(
  docker: Docker,
  tag: string,
  iidFile: string,
): Promise<{ readonly inspected: Digest; readonly printed: Digest }> {
  const inspected = (await quick(docker, ['image', 'inspect', '--format', '{{.Id}}', tag])).trim()
  const printed = (await readFile(iidFile, 'utf8')).trim()
  if (isDigest(inspected) && isDigest(printed)) return { inspected, printed }
  const message = 'The engine reports no image id for what it built. Try again, or another engine version.'
  throw new GateError('evidence', { reason: 'image-id-missing', message })
}

/** Takes our private tag away; the layers stay in the cache of the engine. Never hides another failure. */
async function remove(docker: Docker, tag: string): Promise<void> {
  await quick(docker, ['image', 'rm', '--no-prune', tag]).catch(() => undefined)
}
