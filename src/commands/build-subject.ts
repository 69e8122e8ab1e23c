import { resolve } from 'node:path'
import type { BuiltImage } from '../build/built.js'
import { buildWithDocker } from '../build/docker.js'
import { takeFromDocker } from '../build/docker-image.js'
import { sourceLabels } from '../build/labels.js'
import { copyLayout, unpackArchive } from '../build/prebuilt.js'
import { pullImage } from '../build/pulled.js'
import type { Digest } from '../evidence/digest.js'
import type { ImageReference } from '../evidence/reference.js'
import type { RunContext } from '../github/context.js'
import type { Program } from '../tools/command.js'
import { toolOf, type ToolSet } from '../tools/tool-set.js'
import { contextFolder, dockerfilePath } from './dockerfile.js'
import { registryCommands } from './registry-commands.js'
import type { Given } from './run.js'

/** Stage 5, first half: brings the image into the private folder as an OCI layout. */
export async function buildSubject(
  given: Given,
  { context, tools }: { readonly context: RunContext; readonly tools: ToolSet },
): Promise<BuiltImage> {
  const { request, services, commands } = given
  const { subject } = request
  const { workDir } = services
  switch (subject.kind) {
    case 'oci-layout':
      return await copyLayout(resolve(context.workspace, subject.dir), workDir)
    case 'archive':
      return await unpackArchive(resolve(context.workspace, subject.file), workDir)
    case 'docker':
      return await takeFromDocker({ commands, workDir }, subject.reference)
    case 'registry':
      return await pulled(given, subject, toolOf(tools, 'crane').program)
    case 'build':
      return await build(given, context)
  }
}

/** From its registry, by processes that know its login; the login is gone before anything is scanned. */
async function pulled(
  given: Given,
  from: { readonly image: ImageReference; readonly digest: Digest },
  program: Program,
): Promise<BuiltImage> {
  const { commands, close } = await registryCommands(given, from.image.host)
  try {
    return await pullImage({ crane: { commands, program }, workDir: given.services.workDir }, from)
  } finally {
    await close()
  }
}

async function build(given: Given, context: RunContext): Promise<BuiltImage> {
  const { request, services, commands } = given
  const { target, platform, network } = request
  return await buildWithDocker(
    { commands, workDir: services.workDir },
    {
      context: contextFolder(request, context),
      dockerfile: dockerfilePath(request, context),
      ...(target === undefined ? {} : { target }),
      buildArgs: request.buildArgs,
      ...(platform === undefined ? {} : { platform }),
      labels: sourceLabels(sourceFacts(given, context), request.labels),
      ...(network === undefined ? {} : { network }),
      noCache: request.noCache,
      pull: request.pull,
    },
  )
}

function sourceFacts(
  given: Given,
  context: RunContext,
): { readonly source?: string; readonly revision?: string } {
  const { repository, commit } = context.trigger
  const server = given.services.environment['GITHUB_SERVER_URL'] ?? ''
  return {
    ...(repository === undefined || server === '' ? {} : { source: `${server}/${repository}` }),
    ...(commit === undefined ? {} : { revision: commit }),
  }
}
