import { resolve } from 'node:path'
import type { BuildRequest } from '../build/build-request.js'
import type { BuiltImage } from '../build/built.js'
import { takeFromDocker } from '../build/docker-image.js'
import { buildImage } from '../build/engine.js'
import { copyLayout, unpackArchive } from '../build/prebuilt.js'
import { pullImage } from '../build/pulled.js'
import type { Digest } from '../evidence/digest.js'
import type { ImageReference } from '../evidence/reference.js'
import type { RunContext } from '../github/context.js'
import type { BaseRecord } from '../record/record.js'
import type { Program } from '../tools/command.js'
import { toolOf, type ToolSet } from '../tools/tool-set.js'
import { buildRequest } from './build-request.js'
import { registryCommands } from './registry-commands.js'
import type { Given, ResolvedBases } from './run.js'

/** The image as a layout; for one that was built here, what was asked of the engine and which bases it had. */
export interface SubjectImage extends BuiltImage {
  readonly asked?: BuildRequest
  readonly bases?: readonly BaseRecord[]
}

/** Stage 5, first half: brings the image into the private folder as an OCI layout. */
export async function buildSubject(
  given: Given,
  has: {
    readonly context: RunContext
    readonly tools: ToolSet
    readonly bases?: ResolvedBases
  },
): Promise<SubjectImage> {
  const { context, tools } = has
  const { subject } = given.request
  return subject.kind === 'build' ? await build(given, has) : await readyImage(given, context, tools)
}

async function readyImage(given: Given, context: RunContext, tools: ToolSet): Promise<BuiltImage> {
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
      throw new TypeError('a build is no ready image')
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

async function build(
  given: Given,
  has: {
    readonly context: RunContext
    readonly tools: ToolSet
    readonly bases?: ResolvedBases
  },
): Promise<SubjectImage> {
  const { request, services, commands, facts } = given
  const { environment, workDir } = services
  const signs = facts.plan?.publish === true && facts.plan.sign !== 'none'
  const { bases = { records: [], checked: [] } } = has
  const asked = await buildRequest(request, has.context, { environment, bases: bases.checked })
  const built = await buildImage({ commands, workDir, environment, signs }, request.engine, asked)
  return { ...built, asked, bases: bases.records }
}
