import { GateError } from '../errors.js'
import type { BuildRequest, BuildServices } from './build-request.js'
import { buildahRefusals, buildWithBuildah, findBuildahWay } from './buildah.js'
import { buildWithBuildx, findBuildxWay } from './buildx.js'
import type { BuiltImage } from './built.js'
import { dockerRefusals } from './docker-arguments.js'
import { buildWithDocker, findDockerWay } from './docker.js'

export type EngineName = 'buildx' | 'docker' | 'buildah'

/** What is found of one engine: a way to build, with the inputs that it would have to drop, or why there is none. */
export type EngineAnswer =
  | {
      readonly kind: 'way'
      readonly refusals: readonly string[]
      readonly why: string
      readonly build: () => Promise<BuiltImage>
    }
  | { readonly kind: 'none'; readonly why: string }

export type EngineFinder = (services: BuildServices, request: BuildRequest) => Promise<EngineAnswer>
export type Engines = Readonly<Record<EngineName, EngineFinder>>

/** The order of `auto`. */
const ORDER: readonly EngineName[] = ['buildx', 'docker', 'buildah']

const ENGINES: Engines = {
  buildx: async (services, request) => {
    const way = await findBuildxWay(services, request.builder)
    if (way.kind === 'none') return way
    const build = (): Promise<BuiltImage> => buildWithBuildx(services, request, way)
    return { kind: 'way', refusals: [], why: way.why, build }
  },
  docker: async (services, request) => {
    const way = await findDockerWay(services.commands)
    if ('kind' in way) return way
    const refusals = dockerRefusals(request, way.abilities.builder)
    return { kind: 'way', refusals, why: way.why, build: () => buildWithDocker(services, request, way) }
  },
  buildah: async (services, request) => {
    const way = await findBuildahWay(services.commands)
    if ('kind' in way) return way
    const refusals = buildahRefusals(request, way)
    return { kind: 'way', refusals, why: way.why, build: () => buildWithBuildah(services, request, way) }
  },
}

/**
 * Builds with the engine asked for, or, with `auto`, with the first of buildx, docker and buildah that is there and can
 * do all that is asked. The result says which it was and why. An engine asked for by name is never replaced.
 * Errors: `engine-missing` (tool) with the reason of each engine; `engine-cannot` (config) with the inputs that the
 * engine would have to drop; and those of the engine.
 */
export async function buildImage(
  services: BuildServices,
  engine: 'auto' | EngineName,
  request: BuildRequest,
  engines: Engines = ENGINES,
): Promise<BuiltImage> {
  if (engine !== 'auto') {
    const answer = await engines[engine](services, request)
    if (answer.kind === 'none') throw missing(`engine ${engine}: ${answer.why}.`)
    if (answer.refusals.length > 0) throw cannot([`engine ${engine} cannot do ${answer.refusals.join(', ')}`])
    return because(await answer.build(), `asked for; ${answer.why}`)
  }
  const passedOver: string[] = []
  const refused: string[] = []
  for (const name of ORDER) {
    const answer = await engines[name](services, request)
    if (answer.kind === 'way' && answer.refusals.length === 0) {
      const others = passedOver.length === 0 ? '' : ` (${passedOver.join('; ')})`
      return because(await answer.build(), `${answer.why}${others}`)
    }
    const why = answer.kind === 'none' ? answer.why : `cannot do ${answer.refusals.join(', ')}`
    passedOver.push(`not ${name}: ${why}`)
    if (answer.kind === 'way') refused.push(`${name} ${why}`)
  }
  throw refused.length > 0
    ? cannot([...refused, ...passedOver.filter(text => !refused.some(one => text.includes(one)))])
    : missing(`no build engine answers: ${passedOver.join('; ')}.`)
}

function because(built: BuiltImage, why: string): BuiltImage {
  return built.engine === null ? built : { ...built, engine: { ...built.engine, why } }
}

function cannot(texts: readonly string[]): GateError {
  const message = `${texts.join('; ')}. Leave these inputs out, or use an engine that can (buildx can do all of them); nothing is dropped in silence.`
  return new GateError('config', { reason: 'engine-cannot', message })
}

function missing(why: string): GateError {
  const message = `${why} Start one (and check DOCKER_HOST), or give a ready image: --subject oci-layout:DIR.`
  return new GateError('tool', { reason: 'engine-missing', message })
}
