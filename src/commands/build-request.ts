import { realpath } from 'node:fs/promises'
import { isAbsolute, relative, resolve, sep } from 'node:path'
import type { BuildRequest, BuildSecret, CheckedBase } from '../build/build-request.js'
import { sourceLabels } from '../build/labels.js'
import { GateError } from '../errors.js'
import type { RunContext } from '../github/context.js'
import { openLayout } from '../oci/reader.js'
import type { Request, SecretSource } from '../request.js'
import type { Environment } from '../services.js'
import { contextFolder, dockerfilePath } from './dockerfile.js'

/**
 * What is asked of a build engine: the inputs with their paths made absolute. Files and folders that are named inside
 * the workspace must lie there and not behind a link; for an event all of them must (`path-outside`, config).
 */
export async function buildRequest(
  request: Request,
  context: RunContext,
  given: { readonly environment: Environment; readonly bases: readonly CheckedBase[] },
): Promise<BuildRequest> {
  const { target, network, builder } = request
  const [buildContexts, secrets] = await Promise.all([
    placedContexts(request.buildContexts, context),
    Promise.all(request.secrets.map(secret => placedSecret(secret, context))),
  ])
  return {
    context: contextFolder(request, context),
    dockerfile: dockerfilePath(request, context),
    ...(target === undefined ? {} : { target }),
    buildArgs: request.buildArgs,
    platforms: request.platforms,
    labels: sourceLabels(sourceFacts(given.environment, context), request.labels),
    annotations: request.annotations,
    buildContexts: withDigests(buildContexts, given.bases),
    secrets,
    ssh: request.ssh.map(agent => placedAgent(agent, context.workspace)),
    cacheFrom: request.cacheFrom.map(cache => placedCache(cache, context.workspace)),
    cacheTo: request.cacheTo.map(cache => placedCache(cache, context.workspace)),
    ...(builder === undefined ? {} : { builder }),
    ...(network === undefined ? {} : { network }),
    noCache: request.noCache,
    pull: request.pull,
    bases: given.bases,
  }
}

/** Images as contexts, by the digest that was looked up before the build. */
function withDigests(
  contexts: Readonly<Record<string, string>>,
  bases: readonly CheckedBase[],
): Readonly<Record<string, string>> {
  const digests = new Map(bases.map(base => [`docker-image://${base.reference}`, base.digest]))
  const pinned = Object.entries(contexts).map(([name, value]) => {
    const digest = value.includes('@') ? undefined : digests.get(value)
    return [name, digest === undefined ? value : `${value}@${digest}`] as const
  })
  return Object.fromEntries(pinned)
}

async function placedContexts(
  contexts: Readonly<Record<string, string>>,
  context: RunContext,
): Promise<Readonly<Record<string, string>>> {
  const placed = Object.entries(contexts).map(async ([name, value]) => {
    const asked = { input: 'build-contexts', name, path: value }
    if (value.startsWith('oci-layout://')) {
      const [, path = '', digest = ''] = /^oci-layout:\/\/(.*?)(?:@(sha256:[0-9a-f]{64}))?$/.exec(value) ?? []
      const dir = await insidePath({ ...asked, path }, context)
      return [name, `oci-layout://${dir}@${digest === '' ? await digestOf(dir, name) : digest}`] as const
    }
    if (/^[A-Za-z][A-Za-z0-9+.-]*:\/\//.test(value)) return [name, value] as const
    return [name, await insidePath(asked, context)] as const
  })
  return Object.fromEntries(await Promise.all(placed))
}

/** The digest of the only image, or index of images, in a layout: engines want one, and it cannot move. */
async function digestOf(dir: string, name: string): Promise<string> {
  return (await openLayout(dir, { name })).subject.digest
}

async function placedSecret(secret: SecretSource, context: RunContext): Promise<BuildSecret> {
  if ('env' in secret) return secret
  const asked = { input: 'secrets', name: secret.id, path: secret.file }
  return { id: secret.id, file: await insidePath(asked, context) }
}

/** `ID=SOCKET` with the socket relative to the workspace; sockets lie where their agent put them. */
function placedAgent(agent: string, workspace: string): string {
  const at = agent.indexOf('=')
  return at < 0 ? agent : `${agent.slice(0, at)}=${resolve(workspace, agent.slice(at + 1))}`
}

/** `type=local` with its folder relative to the workspace; every other cache as it is. */
function placedCache(cache: string, workspace: string): string {
  const fields = cache.split(',')
  if (!fields.includes('type=local')) return cache
  return fields
    .map(field => {
      const folder = /^(?<key>src|dest)=(?<path>.+)$/.exec(field)?.groups
      return folder === undefined ? field : `${folder['key']}=${resolve(workspace, folder['path'] ?? '')}`
    })
    .join(',')
}

async function insidePath(
  asked: { readonly input: string; readonly name: string; readonly path: string },
  { workspace, trigger }: RunContext,
): Promise<string> {
  const path = resolve(workspace, asked.path)
  const named = !leadsOut(relative(workspace, path))
  if (!named && trigger.kind !== 'event') return path
  const real = await realpath(path).catch(() => path)
  if (!leadsOut(relative(await realpath(workspace), real))) return path
  const message = `${asked.input}: '${asked.name}' leads out of the workspace. Name something inside it that is no link.`
  throw new GateError('config', { reason: 'path-outside', message })
}

function leadsOut(path: string): boolean {
  return path === '..' || path.startsWith(`..${sep}`) || isAbsolute(path)
}

function sourceFacts(
  environment: Environment,
  context: RunContext,
): { readonly source?: string; readonly revision?: string } {
  const { repository, commit } = context.trigger
  const server = environment['GITHUB_SERVER_URL'] ?? ''
  return {
    ...(repository === undefined || server === '' ? {} : { source: `${server}/${repository}` }),
    ...(commit === undefined ? {} : { revision: commit }),
  }
}
