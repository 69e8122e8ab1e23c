import type { LayerDescriptor } from '../evidence/subject.js'
import type { EntrySink } from './tar-reader.js'

/** Where a path leads when the links of its folders are followed, and whether the layer just read wrote it. */
export interface FoundPath {
  readonly path: string
  readonly here: boolean
}

/** Takes part in the pass over the layers: is shown every regular file of every layer, also those hidden later. */
export interface LayerVisitor {
  /** `path` with the links of its folders followed, `size` in bytes; a sink gets the content. */
  readonly file: (path: string, size: number) => EntrySink | undefined
  /** Called when a layer was read to its end and is the one of its diff_id. */
  readonly endLayer: (layer: LayerDescriptor, find: (path: string) => FoundPath | undefined) => void
}

/** One sink that hands every piece to both. */
export function bothSinks(first: EntrySink, second: EntrySink | undefined): EntrySink {
  if (second === undefined) return first
  return {
    async write(piece) {
      await first.write(piece)
      await second.write(piece)
    },
    async end() {
      await first.end()
      await second.end()
    },
  }
}
