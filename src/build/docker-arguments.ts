import { sharedFlags } from './build-flags.js'
import type { BuildRequest } from './build-request.js'
import type { SecretInputs } from './secrets.js'

/** What the Docker client and engine on this machine can do. */
export interface DockerAbilities {
  readonly client: string
  readonly server: string
  /** How images are built: the client's own BuildKit, the buildx plugin, or the classic builder. */
  readonly builder: 'buildkit' | 'buildx' | 'classic'
}

/** Client versions from which `docker build` is the buildx plugin, or nothing but the classic builder. */
const FIRST_WITH_PLUGIN = 23

/**
 * Which builder works: clients before 23 carry BuildKit themselves, later ones need the buildx plugin
 * (https://docs.docker.com/build/builders/). A version that cannot be read means the classic builder.
 */
export function builderOf(client: string, hasPlugin: boolean): DockerAbilities['builder'] {
  if (hasPlugin) return 'buildx'
  const major = Number(/^(\d+)\./.exec(client)?.[1] ?? Number.NaN)
  return major >= 18 && major < FIRST_WITH_PLUGIN ? 'buildkit' : 'classic'
}

/** Inputs of the request that this engine would have to drop; the names are those of the inputs. */
export function dockerRefusals(
  request: BuildRequest,
  builder: DockerAbilities['builder'],
): readonly string[] {
  const classic = builder === 'classic'
  const rows: readonly (readonly [string, boolean])[] = [
    ['platforms (more than one)', request.platforms.length > 1],
    ['annotations', Object.keys(request.annotations).length > 0],
    ['builder', request.builder !== undefined],
    ['cache-to', request.cacheTo.length > 0],
    ['build-contexts', builder !== 'buildx' && Object.keys(request.buildContexts).length > 0],
    ['secrets', classic && request.secrets.length > 0],
    ['ssh', classic && request.ssh.length > 0],
    // The flag of these clients splits at commas and means images alone.
    ['cache-from (but by image)', builder !== 'buildx' && request.cacheFrom.some(text => /[,=]/.test(text))],
  ]
  return rows.filter(([, asked]) => asked).map(([name]) => name)
}

/**
 * Arguments of `docker build`. Attestations of the engine are switched off where the engine knows them: ours are
 * signed. The image gets one private tag, removed after it was saved.
 */
export function buildArguments(
  request: BuildRequest,
  abilities: DockerAbilities,
  files: {
    readonly iidFile: string
    readonly tag: string
    readonly dockerfile: string
    readonly secrets: SecretInputs
  },
): readonly string[] {
  const { dockerfile, secrets } = files
  return [
    ...(abilities.builder === 'buildx' ? ['buildx', 'build'] : ['build']),
    ...['--iidfile', files.iidFile, '--tag', files.tag],
    ...sharedFlags(request, { dockerfile, buildContexts: request.buildContexts, secrets }),
    ...(request.noCache ? ['--no-cache'] : []),
    ...(abilities.builder === 'buildx' ? ['--load', '--provenance=false', '--sbom=false'] : []),
    ...(abilities.builder === 'classic' ? [] : ['--progress', 'plain']),
    '--',
    request.context,
  ]
}

/** Variables of the build: which builder, and no attestations by default. */
export function buildVariables(abilities: DockerAbilities): Readonly<Record<string, string>> {
  const kit = abilities.builder === 'classic' ? '0' : '1'
  return { DOCKER_BUILDKIT: kit, BUILDX_NO_DEFAULT_ATTESTATIONS: '1' }
}
