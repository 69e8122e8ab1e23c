import type { DiffId, Digest } from './digest.js'

/** A place in a source file of the repository; `line` counts from 1. */
export interface SourceLocation {
  readonly file: string
  readonly line: number
  readonly endLine?: number
}

/** What one layer is and where it came from. Sizes in bytes. */
export interface LayerFacts {
  readonly diffId: DiffId
  readonly digest: Digest
  readonly size: number
  readonly uncompressedSize: number
  readonly entries: number
  /** `created_by` of the history entry that made this layer, '' when the history does not say. */
  readonly createdBy: string
  /** The Dockerfile instruction that made this layer, when it is certain. */
  readonly instruction?: SourceLocation
}

/** One user of the image's /etc/passwd. */
export interface ImageUser {
  readonly name: string
  readonly uid: number
}

/** An executable file of the final tree that no package of the inventory owns. */
export interface UnexplainedFile {
  readonly path: string
  readonly size: number
  readonly setuid: boolean
  readonly layer: DiffId
}

/** What the layer pass saw in the final file tree of one platform. */
export interface ImageContents {
  readonly layers: readonly LayerFacts[]
  readonly files: number
  readonly executables: number
  readonly users: readonly ImageUser[]
  readonly setuid: readonly string[]
  readonly unexplained: readonly UnexplainedFile[]
  /** Path (without leading slash) -> owning package (purl or name), for files some package owns. */
  readonly owners: Readonly<Record<string, string>>
}
