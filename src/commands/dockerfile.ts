import { realpath } from 'node:fs/promises'
import { isAbsolute, join, relative, resolve, sep } from 'node:path'
import { describeError, GateError } from '../errors.js'
import { parseDockerfile } from '../evidence/dockerfile.js'
import type { DockerfileFacts } from '../evidence/evidence.js'
import { notConfigured, present, type Known } from '../evidence/known.js'
import type { RunContext } from '../github/context.js'
import type { Request } from '../request.js'
import { readSourceFile } from './source-file.js'

const MAX_BYTES = 1024 * 1024

/**
 * Reads the Dockerfile that the image is, or was, built from. A ready image needs none; a build without one is a
 * configuration error. Locations are relative to the workspace, as annotations want them.
 */
export async function readDockerfile(request: Request, context: RunContext): Promise<Known<DockerfileFacts>> {
  const path = dockerfilePath(request, context)
  if (request.subject.kind === 'build') await refuseContextOutside(request, context)
  const within = [context.workspace, contextFolder(request, context)]
  const source = await readSourceFile(path, { maxBytes: MAX_BYTES, within })
  if (source.state === 'absent' && request.subject.kind !== 'build') return notConfigured()
  if (source.state !== 'read') {
    const why = source.state === 'absent' ? 'is not there' : source.why
    const message = `'${request.file}' in the context '${request.context}' ${why}. Give --file or --context.`
    const reason = source.state === 'absent' ? 'dockerfile-missing' : 'dockerfile-unreadable'
    throw new GateError('config', { reason, message })
  }
  try {
    const name = relative(context.workspace, path)
    const { target, buildArgs } = request
    const options = {
      buildArgs: Object.fromEntries(buildArgs.map(text => splitAtEquals(text))),
      ...(target === undefined ? {} : { target }),
    }
    return present(parseDockerfile(source.text, name, options))
  } catch (thrown) {
    if (thrown instanceof GateError) throw thrown
    const message = `'${request.file}' cannot be read: ${describeError(thrown)}`
    throw new GateError('config', { reason: 'dockerfile-unreadable', message })
  }
}

/**
 * A build sends its whole context to the engine. One that is named inside the workspace must lie there and not behind
 * a link, which could lead to a home folder and into the image; for an event every context must.
 */
async function refuseContextOutside(request: Request, context: RunContext): Promise<void> {
  const { workspace, trigger } = context
  const folder = contextFolder(request, context)
  const named = !leadsOut(relative(workspace, folder))
  if (!named && trigger.kind !== 'event') return
  const real = await realpath(folder).catch(() => folder)
  if (!leadsOut(relative(await realpath(workspace), real))) return
  const message = `context: '${request.context}' leads out of the workspace. Name a folder inside it that is no link.`
  throw new GateError('config', { reason: 'context-outside', message })
}

function leadsOut(path: string): boolean {
  return path === '..' || path.startsWith(`..${sep}`) || isAbsolute(path)
}

/** Absolute path of the Dockerfile. */
export function dockerfilePath(request: Request, context: RunContext): string {
  return join(contextFolder(request, context), request.file)
}

/** Absolute path of the build context. */
export function contextFolder(request: Request, context: RunContext): string {
  return resolve(context.workspace, request.context)
}

function splitAtEquals(text: string): readonly [string, string] {
  const at = text.indexOf('=')
  return [text.slice(0, at), text.slice(at + 1)]
}
