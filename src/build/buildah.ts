import { readFile, writeFile } from 'node:fs/promises'
import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { GateError } from '../errors.js'
import { parseDockerfile } from '../evidence/dockerfile.js'
import { replaceImages } from '../evidence/pinned-dockerfile.js'
import { parseReference } from '../evidence/reference.js'
import { openLayout } from '../oci/reader.js'
import type { BuildRequest, BuildServices } from './build-request.js'
import { buildahArguments, cacheRepository, pushArguments, type BuildahCall } from './buildah-arguments.js'
import { baseAnnotations } from './buildah-base.js'
import { openStore, signaturePolicy, type BuildahStore, type BuildahWay } from './buildah-client.js'
import { buildahContexts } from './buildah-contexts.js'
import { dockerfileRefusal, unsupportedLines } from './buildah-refusals.js'
import { checkBases, checkResult, storedConfigs } from './buildah-result.js'
import type { BuiltImage } from './built.js'
import { runBuild } from './run-build.js'
import { secretInputs } from './secrets.js'

export { buildahAnswers, findBuildahWay, type BuildahWay } from './buildah-client.js'
export { buildahRefusals } from './buildah-arguments.js'

const PUSH_MS = 6 * 60 * 60_000
const TAG = 'localhost/portcullis-build:1'

/**
 * Builds with buildah, without a daemon, in a store of its own in the private folder that is removed afterwards, and
 * writes an OCI layout. Checked bases stand with their digest in the Dockerfile that buildah sees.
 * Errors: `dockerfile-unsupported` and `base-unsupported` (config) for what buildah would drop, `build-isolation`
 * (evidence) for chroot in a job that signs, `build-failed` with the step, `image-id-mismatch` and `platforms-differ`
 * (integrity) for a result that is not what buildah names.
 */
export async function buildWithBuildah(
  services: BuildServices,
  request: BuildRequest,
  way: BuildahWay,
): Promise<BuiltImage> {
  refuseOpenIsolation(way, services.signs)
  const text = await readFile(request.dockerfile, 'utf8')
  const buildArgs = argumentsOf(request)
  const lines = unsupportedLines(text, { version: way.version, buildArgs })
  if (lines.length > 0) throw dockerfileRefusal(request.dockerfile, lines, way.version)
  const store = await openStore(services, way, loopbackHosts(text, request, buildArgs))
  try {
    const imageId = await build(
      { services, request, way },
      store,
      baseAnnotations(text, { ...request, buildArgs }),
    )
    return await take({ services, request, way }, store, imageId)
  } finally {
    await store.remove()
  }
}

interface Build {
  readonly services: BuildServices
  readonly request: BuildRequest
  readonly way: BuildahWay
}

/** RUN steps under chroot see the processes and the network of the job: they could reach what signs. */
function refuseOpenIsolation({ isolation }: BuildahWay, signs: boolean | undefined): void {
  if (isolation.kind !== 'chroot' || signs === false) return
  const message =
    'buildah can only build with chroot isolation here, whose steps see the processes and the network of the job, and this job signs. Install runc (and run as root, or install uidmap), use another engine, or build in a job of its own and give the image by --subject oci-layout:DIR.'
  throw new GateError('evidence', { reason: 'build-isolation', message })
}

/** The id that buildah wrote, or null for an index. */
async function build(
  { services, request, way }: Build,
  store: BuildahStore,
  base: BuildahCall['baseAnnotations'],
): Promise<string | null> {
  const iidFile = join(store.dir, 'image-id')
  const secrets = await secretInputs(request.secrets, services.environment)
  const buildArgs = argumentsOf(request)
  const [subcommand = '', ...args] = buildahArguments(request, {
    dockerfile: await dockerfileCopy(request, store, buildArgs),
    ignoreFile: ignoreFile(request, store),
    tag: TAG,
    iidFile,
    runtimeRoot: join(store.dir, 'runtime'),
    isolation: way.isolation,
    secrets,
    buildContexts: await buildahContexts(request.buildContexts, store.dir),
    baseAnnotations: base,
  })
  const policy = signaturePolicy(store, services.environment)
  const call = store.call([subcommand, ...policy, ...args])
  await runBuild(services.commands, { ...call, cwd: store.dir }, secrets)
  return request.platforms.length > 1 ? null : (await readFile(iidFile, 'utf8')).trim()
}

/** Writes the layout and compares it with everything that buildah says about it. */
async function take(
  { services, request, way }: Build,
  store: BuildahStore,
  id: string | null,
): Promise<BuiltImage> {
  const layoutDir = join(services.workDir, 'layout')
  const digestFile = join(store.dir, 'digest')
  const args = pushArguments(request, { tag: TAG, layoutDir, digestFile })
  await services.commands.run({ ...store.call(args), grant: 'engine', timeoutMs: PUSH_MS })
  // buildah 1.28 cannot list images while a list of images is among them.
  if (request.platforms.length > 1) await store.quick(['manifest', 'rm', TAG])
  const { subject } = await openLayout(layoutDir, { name: 'built' })
  const digest = (await readFile(digestFile, 'utf8')).trim()
  const imageId = checkResult(subject, { digest, imageId: id, platforms: request.platforms })
  const results = subject.platforms.map(image => image.layers.map(layer => layer.diffId))
  checkBases(await storedConfigs(store, TAG), results)
  const version = way.version.join('.')
  const engine = { name: 'buildah', version, why: way.why, isolation: way.isolation.kind }
  return { layoutDir, engine, imageId }
}

/**
 * The Dockerfile that buildah sees: each checked base with its digest, and names of contexts written out, because
 * buildah 1.28 looks for them before it expands variables. Lines stay where they are.
 */
async function dockerfileCopy(
  request: BuildRequest,
  store: BuildahStore,
  buildArgs: Readonly<Record<string, string>>,
): Promise<string> {
  const open = request.bases.filter(base => !base.reference.includes('@'))
  const names = new Map([
    ...open.map(({ reference, digest }) => [reference, `${reference}@${digest}`] as const),
    ...Object.keys(request.buildContexts).map(name => [name, name] as const),
  ])
  const copy = join(store.dir, 'Dockerfile')
  await writeFile(copy, replaceImages(await readFile(request.dockerfile, 'utf8'), names, buildArgs))
  return copy
}

/** The file that BuildKit would take; without one an empty one, because buildah has a further name of its own. */
function ignoreFile({ dockerfile, context }: BuildRequest, store: BuildahStore): string {
  const candidates = [`${dockerfile}.dockerignore`, join(context, '.dockerignore')]
  return candidates.find(path => existsSync(path)) ?? join(store.dir, 'no-ignore')
}

/** Registries on this machine that images or caches come from. */
function loopbackHosts(
  text: string,
  request: BuildRequest,
  buildArgs: Readonly<Record<string, string>>,
): readonly string[] {
  const { target } = request
  const options = { buildArgs, ...(target === undefined ? {} : { target }) }
  const { bases } = parseDockerfile(text, dirname(request.dockerfile), options)
  const contexts = Object.values(request.buildContexts).map(place => place.replace(/^docker-image:\/\//, ''))
  const caches = request.cacheFrom.flatMap(cache => cacheRepository(cache) ?? [])
  const hosts = [...bases.map(base => base.reference), ...contexts, ...caches].flatMap(reference => {
    try {
      const { image } = parseReference(reference)
      return image.loopback ? [image.host] : []
    } catch {
      return []
    }
  })
  return [...new Set(hosts)]
}

function argumentsOf(request: BuildRequest): Readonly<Record<string, string>> {
  const pairs = request.buildArgs.map(argument => {
    const at = argument.indexOf('=')
    return at < 0 ? ([argument, ''] as const) : ([argument.slice(0, at), argument.slice(at + 1)] as const)
  })
  return Object.fromEntries(pairs)
}
