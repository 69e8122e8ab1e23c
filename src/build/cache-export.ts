import { GateError } from '../errors.js'
import type { BuildRequest, BuildServices } from './build-request.js'
import { callBuildx, findBuildxWay, withBuilder } from './buildx.js'

/**
 * Writes the caches that were asked for, by a second call with the inputs of the build whose image is thrown away: it
 * finds every step in the cache of the builder. To be called after the verdict alone, because a cache in a registry is
 * readable by others. Errors: `engine-missing` when the builder is gone, and those of a build.
 */
export async function exportCache(services: BuildServices, request: BuildRequest): Promise<void> {
  const way = await findBuildxWay(services, request.builder)
  if (way.kind === 'none') {
    const message = `The cache was not written: ${way.why}.`
    throw new GateError('tool', { reason: 'engine-missing', message })
  }
  const own = { keepCache: false, hostNetwork: request.network === 'host' }
  await withBuilder(way, own, async (buildx, { builder }) => {
    await callBuildx(buildx, request, { builder, output: { kind: 'cache', to: request.cacheTo } })
  })
}
