import { mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { parseImageName } from '../evidence/reference.js'
import type { Request } from '../request.js'
import type { Services } from '../services.js'
import type { Commands } from '../tools/command.js'
import { createCommands } from '../tools/commands.js'

/** What the login of a registry is decided by. */
export interface LoginGiven {
  readonly services: Pick<Services, 'environment' | 'workDir' | 'signal' | 'newCommands'>
  readonly request: Pick<Request, 'image' | 'registryUsername' | 'registryPassword'>
}

/** Processes that know a login; `close` ends them and takes the written login away. */
export interface RegistryCommands {
  readonly commands: Commands
  readonly close: () => Promise<void>
}

/**
 * Processes that speak to the registry `host`. With a user name and a password in the request they see a docker
 * configuration that holds these alone. Both belong to the host of the image to release: for any other host the login of the
 * machine is used, and they are not shown to it.
 */
export async function registryCommands(
  { services, request }: LoginGiven,
  host = parseImageName(request.image).host,
): Promise<RegistryCommands> {
  const { registryUsername, registryPassword } = request
  const own = parseImageName(request.image).host === host
  if (registryUsername === undefined || registryPassword === undefined || !own) {
    const commands = services.newCommands()
    return { commands, close: () => commands.stopAll() }
  }
  const dir = await dockerConfig(services.workDir, host, `${registryUsername}:${registryPassword}`)
  const environment = { ...services.environment, DOCKER_CONFIG: dir }
  const commands = createCommands({ environment, workDir: services.workDir, signal: services.signal })
  async function close(): Promise<void> {
    await commands.stopAll()
    await rm(dir, { recursive: true, force: true })
  }
  return { commands, close }
}

async function dockerConfig(workDir: string, host: string, login: string): Promise<string> {
  const dir = join(workDir, 'registry-login')
  await mkdir(dir, { mode: 0o700 })
  const server = host === 'docker.io' ? 'https://index.docker.io/v1/' : host
  const auth = Buffer.from(login).toString('base64')
  await writeFile(join(dir, 'config.json'), JSON.stringify({ auths: { [server]: { auth } } }), {
    mode: 0o600,
  })
  return dir
}
