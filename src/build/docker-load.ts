import { GateError } from '../errors.js'
import { isDigest, type Digest } from '../evidence/digest.js'
import type { PlatformImage } from '../evidence/subject.js'
import { dockerArchive } from '../oci/docker-save.js'
import type { OpenLayout } from '../oci/reader.js'
import type { Commands } from '../tools/command.js'
import { openDocker, quick, type Docker } from './docker-client.js'

/** What the engine holds now. */
export interface LoadedImage {
  readonly reference: string
  readonly platform: string
  /** What the engine calls it: the digest of the configuration, or of the manifest with the containerd store. */
  readonly imageId: Digest
}

const LOAD_MS = 60 * 60_000

/**
 * Puts one image of a layout into the Docker engine of this machine under `reference` (`NAME:TAG`), with the very bytes
 * of the layout. `platform` as `os/arch[/variant]`; that of the engine when absent. Errors: `engine-missing`,
 * `platform-absent` (config), `load-failed` (tool), `loaded-image-differs` (integrity).
 */
export async function loadIntoDocker(
  commands: Commands,
  layout: OpenLayout,
  wanted: { readonly reference: string; readonly platform?: string },
): Promise<LoadedImage> {
  const { docker } = await openDocker(commands)
  const platform = wanted.platform ?? (await platformOf(docker))
  const image = chosen(layout.subject.platforms, platform)
  await load(docker, layout, { image, reference: wanted.reference })
  const imageId = await idOf(docker, wanted.reference)
  if (imageId === image.configDigest || imageId === image.manifest.digest)
    return { reference: wanted.reference, platform: image.platform, imageId }
  const message = `The engine calls ${wanted.reference} ${imageId}, which is neither the configuration ${image.configDigest} nor the manifest ${image.manifest.digest} that it was given. Do not use it.`
  throw new GateError('integrity', { reason: 'loaded-image-differs', message })
}

async function platformOf(docker: Docker): Promise<string> {
  const format = '{{.Server.Os}}/{{.Server.Arch}}'
  return (await quick(docker, ['version', '--format', format])).trim()
}

/** The image for exactly this platform, else the only one for a variant of it. */
function chosen(platforms: readonly PlatformImage[], wanted: string): PlatformImage {
  const exact = platforms.filter(one => one.platform === wanted)
  const variants = platforms.filter(one => one.platform.startsWith(`${wanted}/`))
  const [image, ...others] = exact.length > 0 ? exact : variants
  if (image !== undefined && others.length === 0) return image
  const there = platforms.map(one => one.platform).join(', ')
  const message = `The image has ${image === undefined ? 'nothing' : 'more than one variant'} for ${wanted}. Name one with --platform; there are: ${there}.`
  throw new GateError('config', { reason: 'platform-absent', message })
}

async function load(
  { commands, program }: Docker,
  layout: OpenLayout,
  given: { readonly image: PlatformImage; readonly reference: string },
): Promise<void> {
  const archive = dockerArchive(layout, given.image, given.reference)
  const broken: unknown[] = []
  archive.once('error', thrown => broken.push(thrown))
  try {
    const args = ['load', '--quiet']
    await commands.run({ program, args, grant: 'engine', timeoutMs: LOAD_MS, stdin: archive })
  } catch (thrown) {
    const [why = thrown] = broken
    if (!(why instanceof GateError) || why.reason !== 'exit-code') throw why
    const message = `The Docker engine does not take the image: ${why.message}`
    throw new GateError('tool', { reason: 'load-failed', message, cause: why })
  } finally {
    archive.destroy()
  }
  if (broken.length > 0) throw broken[0]
}

async function idOf(docker: Docker, reference: string): Promise<Digest> {
  const id = (await quick(docker, ['image', 'inspect', '--format', '{{.Id}}', reference])).trim()
  if (isDigest(id)) return id
  const message = `The engine reports no image id for '${reference}'. Try another engine version.`
  throw new GateError('evidence', { reason: 'image-id-missing', message })
}
