import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { GateError } from '../errors.js'
import { systemProgram } from '../tools/confinement.js'
import { SYSTEM_PATH } from '../tools/grants.js'
import { programOnPath } from '../tools/on-path.js'
import { neutralise } from '../tools/output.js'
import type { BuildServices } from './build-request.js'
import { inspectBuilder, type Buildx } from './buildx-client.js'

/** Longest path of a socket on Linux (unix(7)), one byte is the end mark. */
const MAX_SOCKET = 107
const READY_TRIES = 100
const PAUSE_MS = 100
const QUICK_MS = 60_000
const BUILDER = 'portcullis'
const NAMESPACES = ['--mount', '--propagation', 'private', '--pid', '--fork', '--kill-child', '--mount-proc']

/** Whether a BuildKit of our own can be started here: its program, or why not. */
export function ownBuildkit(
  services: Pick<BuildServices, 'environment' | 'workDir'>,
): { readonly program: string } | { readonly why: string } {
  const program = programOnPath('buildkitd', services.environment)
  if (program === undefined) return { why: 'buildkitd is not on PATH' }
  if (process.getuid?.() !== 0) return { why: 'a BuildKit of our own needs root' }
  if (systemProgram('runc') === undefined) return { why: 'runc is not installed' }
  if (socketOf(services).length > MAX_SOCKET) return { why: 'the private folder has too long a path' }
  return { program }
}

/** A daemon of our own while it runs, and the private configuration of buildx that knows it. */
export interface OwnBuildkit {
  readonly builder: string
  readonly version: string
  readonly variables: Readonly<Record<string, string>>
  /** Ends the daemon and all it started; its cache stays on the disk when `keep` is set, for one more call. */
  readonly stop: (keep: boolean) => Promise<void>
}

/**
 * Starts a rootful BuildKit on a socket in the private folder, in mount and process namespaces of its own where the
 * machine has them, so that nothing it started or mounted outlives it. Error: `buildkit-not-started` (tool).
 */
export async function startBuildkit(
  buildx: Buildx,
  { program, hostNetwork }: { readonly program: string; readonly hostNetwork: boolean },
): Promise<OwnBuildkit> {
  const { services } = buildx
  const { commands } = services
  const folder = folderOf(services)
  await mkdir(folder, { recursive: true, mode: 0o700 })
  const address = `unix://${socketOf(services)}`
  const daemon = [
    ...['--addr', address, '--root', join(folder, 'root'), '--containerd-worker=false'],
    ...(hostNetwork ? ['--allow-insecure-entitlement', 'network.host'] : []),
  ]
  const unshare = systemProgram('unshare')
  const service = await commands.serve({
    program: { name: 'buildkitd', path: unshare ?? program },
    args: unshare === undefined ? daemon : [...NAMESPACES, program, ...daemon],
    grant: 'engine',
    variables: { PATH: SYSTEM_PATH },
    timeoutMs: 0,
  })
  const variables = { BUILDX_CONFIG: join(folder, 'buildx') }
  async function stop(keep: boolean): Promise<void> {
    await service.stop()
    const gone = keep ? [join(folder, 'buildx')] : [folder]
    for (const path of gone) await rm(path, { recursive: true, force: true, maxRetries: 3 })
  }
  try {
    await createBuilder(buildx, address, variables)
    const version = await ready({ ...buildx, variables }, service.output)
    return { builder: BUILDER, version, variables, stop }
  } catch (thrown) {
    await stop(false)
    throw thrown
  }
}

async function createBuilder(
  { services, program, prefix }: Buildx,
  address: string,
  variables: Readonly<Record<string, string>>,
): Promise<void> {
  const args = [...prefix, 'create', '--name', BUILDER, '--driver', 'remote', address]
  await services.commands.run({ program, args, grant: 'engine', timeoutMs: QUICK_MS, variables })
}

async function ready(buildx: Buildx, output: () => string): Promise<string> {
  for (let tries = 0; tries < READY_TRIES; tries += 1) {
    const answer = await inspectBuilder(buildx, BUILDER)
    if (answer.state === 'usable' && answer.builder.buildkit !== undefined) return answer.builder.buildkit
    await sleep(PAUSE_MS)
  }
  const last = neutralise(output()).trim().split('\n').slice(-5).join('\n')
  const message = `The BuildKit of this run did not start. Name another engine, or a builder. Its last lines:\n${last}`
  throw new GateError('tool', { reason: 'buildkit-not-started', message })
}

function folderOf({ workDir }: Pick<BuildServices, 'workDir'>): string {
  return join(workDir, 'buildkit')
}

function socketOf(services: Pick<BuildServices, 'workDir'>): string {
  return join(folderOf(services), 'sock')
}
