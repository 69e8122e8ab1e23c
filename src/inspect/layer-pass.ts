import { join } from 'node:path'
import type { ImageContents } from '../evidence/image.js'
import { withOrigins } from '../evidence/layer-instructions.js'
import { readLayers } from '../oci/layers.js'
import { createSearchWriter, type SearchLayout } from '../oci/search-layout.js'
import { INPUT, type PlatformWork } from './platform-work.js'
import { freshDir } from './scanners.js'

/** What one pass over the layers of an image brings home. */
export interface PassedLayers {
  readonly contents: ImageContents
  /** What is to be searched for secrets: the layout `INPUT` below `dir`. */
  readonly search: SearchLayout & { readonly dir: string }
}

/**
 * One pass over the layers of the image, each layer with its origin and Dockerfile line where they are certain. The files
 * that are to be searched for secrets are laid out on the way.
 */
export async function passLayers(work: PlatformWork): Promise<PassedLayers> {
  const { layout, image, dockerfile } = work
  const dir = await freshDir(work.workDir, 'search')
  const places = { outDir: join(dir, INPUT), spoolPath: join(dir, 'layer') }
  const writer = await createSearchWriter(layout, image, places)
  try {
    const { contents } = await readLayers(layout, image, { visitor: writer.visitor })
    const search = { ...(await writer.finish()), dir }
    const bases = work.baseLayers === undefined ? {} : { baseLayers: work.baseLayers }
    const given = { history: image.config.history, builtHere: work.builtHere, ...bases }
    const known = dockerfile.state === 'present' ? { ...given, dockerfile: dockerfile.value } : given
    return { contents: withOrigins(contents, known), search }
  } finally {
    await writer.close()
  }
}
