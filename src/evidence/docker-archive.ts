import { z } from 'zod'
import { GateError } from '../errors.js'
import { parseStrictJson } from './strict-json.js'

/** The one image of a `docker save` archive: paths inside the archive. */
export interface SavedImage {
  readonly config: string
  readonly layers: readonly string[]
}

const path = z.string().min(1).max(1024)
const shape = z.array(z.looseObject({ Config: path, Layers: z.array(path).max(1000).nullable() })).max(1000)
const KEYS: ReadonlySet<string> = new Set(['Config', 'RepoTags', 'Layers', 'Parent', 'LayerSources'])

/**
 * Reads `manifest.json` of a `docker save` archive (Docker image specification 1.2). Refuses an archive of none or
 * several images: which of them is meant would be a guess.
 */
export function parseSavedManifest(bytes: Uint8Array): SavedImage {
  const what = 'manifest.json of the saved image'
  const document = parseStrictJson(bytes, {
    what,
    knownKeys: KEYS,
    freeMaps: new Set(['LayerSources']),
  })
  const result = shape.safeParse(document)
  if (!result.success) {
    throw new GateError('evidence', {
      reason: 'archive-shape',
      message: `${what} does not have the known shape`,
    })
  }
  const [image, ...others] = result.data
  if (image === undefined || others.length > 0) {
    throw new GateError('evidence', {
      reason: 'archive-many-images',
      message: `${what} names ${result.data.length} images; save exactly one`,
    })
  }
  return { config: image.Config, layers: image.Layers ?? [] }
}
