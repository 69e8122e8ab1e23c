import type { ImageContents } from '../evidence/image.js'
import { withInstructions } from '../evidence/layer-instructions.js'
import { readLayers } from '../oci/layers.js'
import type { PlatformWork } from './platform-work.js'

/** One pass over the layers of the image, each layer with its Dockerfile instruction where that is certain. */
export async function passLayers(work: PlatformWork): Promise<ImageContents> {
  const { contents } = await readLayers(work.layout, work.image)
  if (work.dockerfile.state !== 'present') return contents
  return withInstructions(contents, work.image.config.history, work.dockerfile.value)
}
