/** What is asked of the engine, engine-neutral. Paths are absolute. */
export interface BuildRequest {
  readonly context: string
  readonly dockerfile: string
  readonly target?: string
  readonly buildArgs: readonly string[]
  readonly platform?: string
  readonly labels: Readonly<Record<string, string>>
  readonly network?: 'default' | 'none' | 'host'
  readonly noCache: boolean
  readonly pull: boolean
}

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

/**
 * Arguments of `docker build`. Attestations of the engine are switched off where the engine knows them: ours are
 * signed. The image gets one private tag, removed after it was saved.
 */
export function buildArguments(
  request: BuildRequest,
  abilities: DockerAbilities,
  files: { readonly iidFile: string; readonly tag: string },
): readonly string[] {
  const named = Object.entries(request.labels).flatMap(([name, value]) => ['--label', `${name}=${value}`])
  return [
    'build',
    ...['--file', request.dockerfile, '--iidfile', files.iidFile, '--tag', files.tag],
    ...(request.target === undefined ? [] : ['--target', request.target]),
    ...request.buildArgs.flatMap(argument => ['--build-arg', argument]),
    ...(request.platform === undefined ? [] : ['--platform', request.platform]),
    ...named,
    ...(request.network === undefined ? [] : ['--network', request.network]),
    ...(request.noCache ? ['--no-cache'] : []),
    ...(request.pull ? ['--pull'] : []),
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

/** The Dockerfile step that failed, read from what the builder printed; undefined when it does not say. */
export function failedStep(output: string): string | undefined {
  const place = [...output.matchAll(/^(?<place>\S{1,200}:\d+)\s*$\n-{4,}/gm)].at(-1)?.groups?.['place']
  const kit = [...output.matchAll(/^#\d+ (?<step>\[[^\]\n]{1,80}\] [^\n]{1,300})$/gm)].at(-1)?.groups?.[
    'step'
  ]
  const classic = [...output.matchAll(/^Step (?<step>\d+\/\d+ : [^\n]{1,300})$/gm)].at(-1)?.groups?.['step']
  const step = kit ?? classic
  return place === undefined ? step : [place, ...(step === undefined ? [] : [step])].join(' ')
}
