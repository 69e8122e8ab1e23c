import { z } from 'zod'
import { GateError } from '../errors.js'
import type { Digest } from '../evidence/digest.js'
import { importDockerArchive } from '../oci/docker-archive.js'
import type { Commands, Program } from '../tools/command.js'
import { systemProgram } from '../tools/confinement.js'
import { builderOf, type DockerAbilities } from './docker-arguments.js'

const QUICK_MS = 30_000
const SAVE_MS = 6 * 60 * 60_000

const VERSIONS = z.object({
  Client: z.object({ Version: z.string().max(100) }),
  Server: z.object({ Version: z.string().max(100) }),
})

/** The Docker client. */
export interface Docker {
  readonly commands: Commands
  readonly program: Program
}

/** The Docker client and engine of this machine and what they can do; `engine-missing` when none answers. */
export async function openDocker(
  commands: Commands,
): Promise<{ readonly docker: Docker; readonly abilities: DockerAbilities }> {
  const path = systemProgram('docker')
  if (path === undefined) throw engineMissing('no docker program is installed')
  const docker: Docker = { commands, program: { name: 'docker', path } }
  const [versions, plugin] = await Promise.all([
    quick(docker, ['version', '--format', '{{json .}}']).catch((thrown: unknown) => {
      throw notAnswering(thrown)
    }),
    quick(docker, ['buildx', 'version']).then(
      () => true,
      () => false,
    ),
  ])
  const parsed = VERSIONS.safeParse(parseJson(versions))
  if (!parsed.success) throw engineMissing('the docker client names no engine')
  const { Client: client, Server: server } = parsed.data
  const builder = builderOf(client.Version, plugin)
  return { docker, abilities: { client: client.Version, server: server.Version, builder } }
}

/** Saves one image of the engine, by name or id, and converts it while it streams into an OCI layout. */
export async function saveImage(
  docker: Docker,
  image: string,
  into: { readonly outDir: string; readonly imageId: Digest },
): Promise<{ readonly configDigest: Digest; readonly manifestDigest: Digest }> {
  const { commands, program } = docker
  const running = commands.stream({ program, args: ['save', image], grant: 'engine', timeoutMs: SAVE_MS })
  const converting = importDockerArchive(running.stdout, { ...into, gzipLevel: 1 })
  const [saved, converted] = await Promise.allSettled([running.done, converting])
  if (saved.status === 'rejected') throw saved.reason
  if (converted.status === 'rejected') throw converted.reason
  return converted.value
}

/** What a short command of the client prints. */
export async function quick(docker: Docker, args: readonly string[]): Promise<string> {
  const { commands, program } = docker
  return (await commands.run({ program, args, grant: 'engine', timeoutMs: QUICK_MS })).stdout
}

function notAnswering(thrown: unknown): unknown {
  if (!(thrown instanceof GateError) || !['exit-code', 'timed-out'].includes(thrown.reason)) return thrown
  return engineMissing('no Docker engine answers', thrown)
}

function engineMissing(why: string, cause?: unknown): GateError {
  const message = `${why}. Start one (and check DOCKER_HOST), or give a ready image: --subject oci-layout:DIR.`
  return new GateError('tool', { reason: 'engine-missing', message, cause })
}

/** The image that was saved is not the one that the engine names. */
export function idMismatch(
  id: Digest,
  converted: { readonly configDigest: Digest; readonly manifestDigest: Digest },
): GateError {
  const message = `The engine names ${id}, but what it saved is ${converted.configDigest} (manifest ${converted.manifestDigest}).`
  return new GateError('integrity', { reason: 'image-id-mismatch', message })
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
