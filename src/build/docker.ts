import { randomBytes } from 'node:crypto'
import { mkdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { GateError } from '../errors.js'
import { isDigest, type Digest } from '../evidence/digest.js'
import type { Commands } from '../tools/command.js'
import type { BuiltImage } from './built.js'
import { idMismatch, openDocker, quick, saveImage, type Docker } from './docker-client.js'
import {
  buildArguments,
  buildVariables,
  failedStep,
  type BuildRequest,
  type DockerAbilities,
} from './docker-arguments.js'

const BUILD_MS = 6 * 60 * 60_000
const TAIL_CHARACTERS = 64 * 1024
const MAX_PRINTED = 256 * 1024 * 1024

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

/**
 * Builds with the Docker engine, saves the image and converts it while it streams into an OCI layout.
 * Refuses a result whose configuration or manifest digest is not the image id that the engine reports.
 * Errors: `engine-missing`, `build-failed` with the step and the last lines, `image-id-mismatch` (integrity).
 */
export async function buildWithDocker(
  services: { readonly commands: Commands; readonly workDir: string },
  request: BuildRequest,
): Promise<BuiltImage> {
  const { docker, abilities } = await openDocker(services.commands)
  const tag = `portcullis-build:${randomBytes(12).toString('hex')}`
  const iidFile = join(services.workDir, 'image-id')
  const layoutDir = join(services.workDir, 'layout')
  await build(docker, abilities, buildArguments(request, abilities, { iidFile, tag }))
  try {
    const imageId = await reportedId(docker, tag, iidFile)
    await mkdir(layoutDir, { recursive: true })
    const converted = await saveImage(docker, tag, { outDir: layoutDir, imageId: imageId.inspected })
    if (converted.configDigest !== imageId.inspected && converted.manifestDigest !== imageId.inspected) {
      throw idMismatch(imageId.inspected, converted)
    }
    if (converted.configDigest !== imageId.printed && converted.manifestDigest !== imageId.printed) {
      throw idMismatch(imageId.printed, converted)
    }
    return { layoutDir, engine: { name: 'docker', version: abilities.server }, imageId: imageId.inspected }
  } finally {
    await remove(docker, tag)
  }
}

async function build(docker: Docker, abilities: DockerAbilities, args: readonly string[]): Promise<void> {
  const { commands, program } = docker
  const variables = buildVariables(abilities)
  const running = commands.stream({
    program,
    args,
    grant: 'engine',
    timeoutMs: BUILD_MS,
    maxOutputBytes: MAX_PRINTED,
    variables,
  })
  let tail = ''
  running.stdout.setEncoding('utf8')
  running.stdout.on('data', (text: string) => {
    tail = (tail + text).slice(-TAIL_CHARACTERS)
  })
  try {
    await running.done
  } catch (thrown) {
    throw buildFailed(thrown, tail)
  }
}

function buildFailed(thrown: unknown, printed: string): unknown {
  if (!(thrown instanceof GateError) || thrown.reason !== 'exit-code') return thrown
  const step = failedStep(`${printed}\n${thrown.message}`)
  const where = step === undefined ? '' : ` at ${step}`
  const message = `The build failed${where}. ${thrown.message}`
  return new GateError('tool', { reason: 'build-failed', message, cause: thrown })
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
