import { z } from 'zod'
import { describeError, GateError } from '../errors.js'
import type { Digest } from '../evidence/digest.js'
import type { ImageSubject } from '../evidence/subject.js'
import type { BuildahStore } from './buildah-client.js'

const MAX_IMAGES = 2000

const IMAGES = z
  .array(z.object({ id: z.string().max(100), names: z.array(z.string()).nullish() }))
  .max(MAX_IMAGES)
const INSPECTED = z.object({ Config: z.string().max(4 * 1024 * 1024) })
const CONFIG = z.object({
  config: z
    .object({
      Healthcheck: z.object({ Test: z.array(z.string()).nullish() }).nullish(),
      Shell: z.array(z.string()).nullish(),
      OnBuild: z.array(z.string()).nullish(),
    })
    .nullish(),
  rootfs: z.object({ diff_ids: z.array(z.string()) }),
})

/** Configuration of one image in the store, as its bytes say; the parts that images in OCI format lose. */
export type StoredConfig = z.infer<typeof CONFIG>

/**
 * The layout is what buildah says it is. Refuses (integrity) `image-id-mismatch` when a digest that buildah printed is
 * not in it, and `platforms-differ` when it does not hold exactly the platforms that were asked for.
 */
export function checkResult(
  subject: ImageSubject,
  said: { readonly digest: string; readonly imageId: string | null; readonly platforms: readonly string[] },
): Digest | null {
  const [only] = subject.platforms
  if (subject.digest !== said.digest) throw mismatch(said.digest, subject.digest)
  const built = subject.platforms.map(image => image.platform)
  if (said.platforms.length > 0 && !samePlatforms(said.platforms, built)) {
    const message = `buildah was asked for ${said.platforms.join(', ')} and built ${built.join(', ')}. Build the platforms one by one, or use another engine.`
    throw new GateError('integrity', { reason: 'platforms-differ', message })
  }
  if (said.imageId === null) return null
  if (only !== undefined && only.configDigest === said.imageId) return only.configDigest
  throw mismatch(said.imageId, only?.configDigest ?? 'none')
}

/**
 * What this image lost that its bases say: a health check, a shell, triggers. The shell and the triggers of any image
 * that was used count, because RUN steps would have met them. Refuses `base-unsupported` (config).
 */
export function checkBases(bases: readonly StoredConfig[], results: readonly (readonly string[])[]): void {
  const lost = new Set<string>()
  for (const { config, rootfs } of bases) {
    if ((config?.Shell ?? []).length > 0) lost.add('SHELL')
    if ((config?.OnBuild ?? []).length > 0) lost.add('ONBUILD')
    const test = config?.Healthcheck?.Test ?? []
    const below = results.some(result => rootfs.diff_ids.every((id, at) => result[at] === id))
    if (test.length > 0 && test[0] !== 'NONE' && below) lost.add('HEALTHCHECK')
  }
  if (lost.size === 0) return
  const message = `A base image has ${[...lost].sort().join(', ')}, which buildah leaves out of images in OCI format. Use another engine (--engine buildx or docker).`
  throw new GateError('config', { reason: 'base-unsupported', message })
}

/** The configurations of the images that a build met, without intermediate ones and what it made itself (`tag`). */
export async function storedConfigs(store: BuildahStore, tag: string): Promise<readonly StoredConfig[]> {
  const images = IMAGES.parse(parse(await store.quick(['images', '--json'])))
  const found: StoredConfig[] = []
  const met = images.filter(image => !(image.names ?? []).includes(tag))
  for (const id of new Set(met.map(image => image.id))) {
    const { Config } = INSPECTED.parse(parse(await store.quick(['inspect', '--type', 'image', id])))
    found.push(CONFIG.parse(parse(Config)))
  }
  return found
}

function samePlatforms(asked: readonly string[], built: readonly string[]): boolean {
  const plain = (platform: string): string => platform.replace(/^(linux\/arm64)\/v8$/, '$1')
  return JSON.stringify([...asked].map(plain).sort()) === JSON.stringify([...built].map(plain).sort())
}

function mismatch(said: string, found: string): GateError {
  const message = `buildah names ${said}, but the layout it wrote is ${found}.`
  return new GateError('integrity', { reason: 'image-id-mismatch', message })
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (cause) {
    const message = `buildah does not describe its images: ${describeError(cause)}`
    throw new GateError('evidence', { reason: 'image-id-missing', message, cause })
  }
}
