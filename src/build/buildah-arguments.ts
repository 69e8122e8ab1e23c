import { pairs } from './build-flags.js'
import type { BuildRequest } from './build-request.js'
import { isBefore, TRANSPORT, type BuildahVersion } from './buildah-refusals.js'
import type { SecretInputs } from './secrets.js'

/** How RUN steps are kept apart from the machine (buildah-build(1), `--isolation`). */
export type BuildahIsolation =
  { readonly kind: 'oci' | 'rootless'; readonly runtime: string } | { readonly kind: 'chroot' }

/** Where one build reads from and writes to. Absolute paths. */
export interface BuildahCall {
  readonly dockerfile: string
  readonly ignoreFile: string
  /** Name of the image, or of the list of images, in the store of this build. */
  readonly tag: string
  /** Where the id of the image is written; an index has none. */
  readonly iidFile: string
  readonly runtimeRoot: string
  readonly isolation: BuildahIsolation
  readonly secrets: SecretInputs
  readonly buildContexts: Readonly<Record<string, string>>
  /** What the manifest says of the base; see `baseAnnotations`. */
  readonly baseAnnotations: Readonly<Record<string, string>>
}

/** The first version whose cache tells platforms apart; before, the second platform gets the image of the first. */
const CACHE_KNOWS_PLATFORM = '1.41.0'
const CONTEXT_URL = /^(?:https?:\/\/|git:\/\/|ssh:\/\/|git@|github\.com\/)/
const CACHE_KEY = /^(?:type|ref|mode|src|dest)=/

/** Inputs of the request that this engine would have to drop; the names are those of the inputs. */
export function buildahRefusals(
  request: BuildRequest,
  given: { readonly version: BuildahVersion; readonly isolation: BuildahIsolation },
): readonly string[] {
  const chroot = given.isolation.kind === 'chroot'
  const mixed = request.platforms.length > 1 && isBefore(given.version, CACHE_KNOWS_PLATFORM)
  const contexts = Object.entries(request.buildContexts)
  const rows: readonly (readonly [string, boolean])[] = [
    ['builder', request.builder !== undefined],
    ['cache-to', request.cacheTo.length > 0],
    ['cache-from with several platforms', mixed && request.cacheFrom.length > 0],
    ...request.cacheFrom.map(cache => [`cache-from ${cache}`, cacheRepository(cache) === undefined] as const),
    ...contexts.map(([name, place]) => [`build-contexts ${name}=${place}`, isForeign(place)] as const),
    ...Object.keys(request.annotations).map(
      key => [`annotations ${key}`, annotationKey(key) === undefined] as const,
    ),
    ['network none with chroot isolation', chroot && request.network === 'none'],
  ]
  return rows.filter(([, asked]) => asked).map(([name]) => name)
}

/** Arguments of `buildah build`, without the global ones. The context is last, behind `--`. */
export function buildahArguments(request: BuildRequest, call: BuildahCall): readonly string[] {
  const many = request.platforms.length > 1
  const epoch = sourceDateEpoch(request)
  const caches = request.cacheFrom.flatMap(cache => cacheRepository(cache) ?? [])
  return [
    'build',
    ...['--file', call.dockerfile, '--ignorefile', call.ignoreFile, '--format', 'oci', '--layers'],
    ...['--identity-label=false', '--http-proxy=false', '--force-rm'],
    ...isolationFlags(call.isolation, call.runtimeRoot),
    ...(many ? ['--manifest', call.tag] : ['--iidfile', call.iidFile, '--tag', call.tag]),
    ...(request.platforms.length === 0 ? [] : ['--platform', request.platforms.join(',')]),
    ...(request.target === undefined ? [] : ['--target', request.target]),
    ...request.buildArgs.flatMap(argument => ['--build-arg', argument]),
    ...pairs('--label', request.labels),
    ...pairs('--annotation', { ...call.baseAnnotations, ...annotationsOf(request) }),
    ...pairs('--build-context', call.buildContexts),
    ...call.secrets.args,
    ...request.ssh.flatMap(agent => ['--ssh', agent]),
    ...(request.noCache || caches.length === 0
      ? ['--no-cache']
      : caches.flatMap(from => ['--cache-from', from])),
    ...networkFlags(request, call.isolation),
    ...(request.pull ? ['--pull-always'] : ['--pull']),
    ...(epoch === undefined ? [] : ['--timestamp', epoch]),
    ...['--', request.context],
  ]
}

/** Arguments that write the image, or the list of images with all that it names, as an OCI layout. */
export function pushArguments(
  request: Pick<BuildRequest, 'platforms'>,
  files: { readonly tag: string; readonly layoutDir: string; readonly digestFile: string },
): readonly string[] {
  const list = request.platforms.length > 1 ? ['manifest', 'push', '--all'] : ['push']
  return [...list, '--quiet', '--digestfile', files.digestFile, files.tag, `oci:${files.layoutDir}`]
}

/** `type=registry,ref=REPO` or `REPO`; buildah's cache is a repository without tag. Undefined for every other kind. */
export function cacheRepository(cache: string): string | undefined {
  if (!CACHE_KEY.test(cache)) return withoutTag(cache)
  const fields = new Map(
    cache.split(',').map(field => [field.slice(0, field.indexOf('=')), field.slice(field.indexOf('=') + 1)]),
  )
  const ref = fields.get('ref')
  return fields.get('type') === 'registry' && fields.size === 2 && ref !== undefined
    ? withoutTag(ref)
    : undefined
}

/** A URL, or the name of an image that buildah would read as a place on this machine. */
function isForeign(place: string): boolean {
  const image = /^docker-image:\/\/(.*)$/s.exec(place)?.[1]
  return CONTEXT_URL.test(place) || (image !== undefined && TRANSPORT.test(image))
}

function withoutTag(reference: string): string | undefined {
  const last = reference.slice(reference.lastIndexOf('/') + 1)
  return /[:@,=]/.test(last) || reference === '' ? undefined : reference
}

/** BuildKit's `manifest:KEY` is what a plain key means; places that this engine cannot write to are undefined. */
function annotationKey(key: string): string | undefined {
  const place = /^(manifest|index|manifest-descriptor|index-descriptor)(\[[^\]]*\])?:(.+)$/.exec(key)
  if (place === null) return key
  return place[1] === 'manifest' && place[2] === undefined ? place[3] : undefined
}

function annotationsOf(request: BuildRequest): Readonly<Record<string, string>> {
  return Object.fromEntries(
    Object.entries(request.annotations).map(([key, value]) => [annotationKey(key) ?? key, value]),
  )
}

function isolationFlags(isolation: BuildahIsolation, runtimeRoot: string): readonly string[] {
  if (isolation.kind === 'chroot') return ['--isolation', 'chroot']
  return [
    ...['--isolation', isolation.kind, '--runtime', isolation.runtime],
    ...['--runtime-flag', `root=${runtimeRoot}`],
  ]
}

function networkFlags(request: BuildRequest, isolation: BuildahIsolation): readonly string[] {
  if (request.network === undefined || request.network === 'default') return []
  return isolation.kind === 'chroot' ? [] : ['--network', request.network]
}

/** The build argument that BuildKit takes times from; times are changed for nothing else. */
function sourceDateEpoch({ buildArgs }: BuildRequest): string | undefined {
  return buildArgs
    .map(argument => /^SOURCE_DATE_EPOCH=([0-9]{1,11})$/.exec(argument)?.[1])
    .findLast(epoch => epoch !== undefined)
}
