import { mkdir, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { describeError, GateError } from '../errors.js'
import { openLayout } from '../oci/reader.js'
import type { BuildRequest, BuildServices } from './build-request.js'
import { ownBuildkit, startBuildkit } from './buildkit.js'
import type { BuiltImage } from './built.js'
import { BUILDX_VARIABLES, buildxArguments, type BuildxCall } from './buildx-arguments.js'
import { findBuildx, inspectBuilder, type Buildx } from './buildx-client.js'
import { compareBases, parseMetadata, type BuildxMetadata } from './buildx-metadata.js'
import { runBuild } from './run-build.js'
import { secretInputs } from './secrets.js'

/** How buildx can build here: with a builder that is there, or with a BuildKit that is started for it. */
export type BuildxWay =
  | {
      readonly kind: 'builder'
      readonly buildx: Buildx
      readonly builder: string
      readonly why: string
      readonly buildkit?: string
    }
  | { readonly kind: 'own'; readonly buildx: Buildx; readonly daemon: string; readonly why: string }

/** The way that buildx can build here, or why there is none. A builder asked for by name is never replaced. */
export async function findBuildxWay(
  services: BuildServices,
  builder?: string,
): Promise<BuildxWay | { readonly kind: 'none'; readonly why: string }> {
  const buildx = await findBuildx(services)
  if (buildx === undefined) return { kind: 'none', why: 'buildx is neither on PATH nor a plugin of docker' }
  const answer = await inspectBuilder(buildx, builder)
  if (answer.state === 'usable') {
    const { name, driver, buildkit } = answer.builder
    const why = `${builder === undefined ? 'the selected builder' : 'the builder asked for,'} '${name}' (driver ${driver}), exports OCI layouts`
    return {
      kind: 'builder',
      buildx,
      builder: name,
      why,
      ...(buildkit === undefined ? {} : { buildkit }),
    }
  }
  if (builder !== undefined) return { kind: 'none', why: answer.why }
  const own = ownBuildkit(services)
  if ('why' in own) return { kind: 'none', why: `${answer.why}; ${own.why}` }
  const why = `a BuildKit of this run's own, because ${answer.why}`
  return { kind: 'own', buildx, daemon: own.program, why }
}

/**
 * Builds with buildx straight into an OCI layout, without attestations of the engine. Refuses a layout that is not
 * the image that buildx names (`image-id-mismatch`) and bases that are not the checked ones (`base-changed`),
 * both integrity. Further errors: `build-failed` with the step, `buildkit-not-started`, `metadata-unreadable`.
 */
export async function buildWithBuildx(
  services: BuildServices,
  request: BuildRequest,
  way: BuildxWay,
): Promise<BuiltImage> {
  const keepCache = request.cacheTo.length > 0
  const hostNetwork = request.network === 'host'
  return await withBuilder(way, { keepCache, hostNetwork }, async (buildx, { builder, buildkit }) => {
    const layoutDir = join(services.workDir, 'layout')
    const metadataFile = join(services.workDir, 'buildx-metadata.json')
    await mkdir(layoutDir)
    const output = { kind: 'layout', dir: layoutDir, metadataFile } as const
    await callBuildx(buildx, request, { builder, output })
    const metadata = parseMetadata(await readMetadata(metadataFile))
    if (metadata.images !== undefined) compareBases(request.bases, metadata.images)
    const inside = buildkit === undefined ? '' : `, BuildKit ${buildkit.replace(/^v/, '')}`
    return {
      layoutDir,
      engine: { name: 'buildx', version: `${buildx.version}${inside}`, why: way.why },
      imageId: await imageIdOf(layoutDir, metadata),
    }
  })
}

/** One call of buildx with the secrets of the request. */
export async function callBuildx(
  buildx: Buildx,
  request: BuildRequest,
  call: Omit<BuildxCall, 'secrets'>,
): Promise<void> {
  const { services, program, prefix } = buildx
  const secrets = await secretInputs(request.secrets, services.environment)
  const args = [...prefix, ...buildxArguments(request, { ...call, secrets })]
  const variables = { ...BUILDX_VARIABLES, ...buildx.variables }
  await runBuild(services.commands, { program, args, variables }, secrets)
}

/** Does work with the builder; a BuildKit of our own runs only meanwhile, its cache stays where it is asked for. */
export async function withBuilder<T>(
  way: BuildxWay,
  own: { readonly keepCache: boolean; readonly hostNetwork: boolean },
  work: (
    buildx: Buildx,
    builder: { readonly builder: string; readonly buildkit: string | undefined },
  ) => Promise<T>,
): Promise<T> {
  const { buildx } = way
  if (way.kind === 'builder') return await work(buildx, { builder: way.builder, buildkit: way.buildkit })
  const { keepCache, hostNetwork } = own
  const buildkit = await startBuildkit(buildx, { program: way.daemon, hostNetwork })
  let built = false
  try {
    const { builder, variables, version } = buildkit
    const result = await work({ ...buildx, variables }, { builder, buildkit: version })
    built = true
    return result
  } finally {
    await buildkit.stop(keepCache && built)
  }
}

async function readMetadata(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8')
  } catch (cause) {
    const message = `buildx wrote no metadata about what it built: ${describeError(cause)}. Use a newer buildx.`
    throw new GateError('evidence', { reason: 'metadata-unreadable', message, cause })
  } finally {
    await rm(file, { force: true })
  }
}

async function imageIdOf(layoutDir: string, { digest }: BuildxMetadata): Promise<BuiltImage['imageId']> {
  const { subject } = await openLayout(layoutDir, { name: 'built' })
  const [only, ...more] = subject.platforms
  if (subject.digest === digest) return more.length > 0 ? null : (only?.configDigest ?? null)
  const message = `buildx names ${digest}, but the layout it wrote is ${subject.digest}.`
  throw new GateError('integrity', { reason: 'image-id-mismatch', message })
}
