import type { DiffId, Digest } from './digest.js'
import type { PackageDatabase } from './os-releases.js'

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
  /** Whether the layer came with the base image or was made by the Dockerfile; absent when it is not certain. */
  readonly origin?: 'base' | 'own'
  /** The Dockerfile line that answers for this layer, when it is certain: what made it, or the FROM it came with. */
  readonly instruction?: SourceLocation
}

/** The operating system release that an image names (os-release(5)). */
export interface ReleaseFacts {
  readonly id: string
  /** VERSION_ID, '' when there is none. */
  readonly version: string
  readonly path: string
  /** The layer that last wrote the file. */
  readonly layer: DiffId
}

/** The package databases of the operating system, and which release the image says that its packages are of. */
export interface SystemFacts {
  /** Kinds that hold a record, or whose records cannot be read here (rpm). */
  readonly databases: readonly PackageDatabase[]
  readonly release?: ReleaseFacts
  /** Other releases that lower layers named while a package database was there, lowest first. */
  readonly earlier: readonly ReleaseFacts[]
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

/** Metadata of a package that is no plain file where scanners look for it: they may pass it by. */
export interface LinkedMetadata {
  /** Where it is looked for, without leading slash. */
  readonly path: string
  /** The plain file that it leads to. */
  readonly target: string
  readonly kind: 'hard-link' | 'symbolic-link' | 'linked-folder'
  readonly layer: DiffId
}

/** A package that a lower layer records, whose record a later layer took away and whose files are still there. */
export interface HiddenPackage {
  /** As in `owners`; the path of the database where its content cannot be told. */
  readonly package: string
  /** The file that recorded it. */
  readonly record: string
  /** The layer that took the record away. */
  readonly layer: DiffId
  /** How many of its files are still there, and the first of them. */
  readonly files: number
  readonly samples: readonly string[]
}

/** What the layer pass saw in the final file tree of one platform. */
export interface ImageContents {
  readonly layers: readonly LayerFacts[]
  readonly files: number
  readonly executables: number
  readonly users: readonly ImageUser[]
  readonly setuid: readonly string[]
  /** Absent in records of versions that did not look. */
  readonly system?: SystemFacts
  readonly unexplained: readonly UnexplainedFile[]
  /** Path (without leading slash) -> owning package (purl or name), for files some package owns. */
  readonly owners: Readonly<Record<string, string>>
  /** Metadata of packages behind links. Absent in records of earlier versions. */
  readonly linkedMetadata?: readonly LinkedMetadata[]
  /** Absent in records of earlier versions. */
  readonly hiddenPackages?: readonly HiddenPackage[]
  /**
   * Metadata of a language package -> the operating system package that brought it: the layer that first records the
   * owner is the one that wrote the file, as an installer leaves it. Absent in records of earlier versions.
   */
  readonly systemMetadata?: Readonly<Record<string, string>>
  /** Layers that wrote an rpm database. Absent in records of earlier versions. */
  readonly rpmLayers?: readonly DiffId[]
  /** Package databases of the operating system by the names that any layer gave them, whatever became of them. */
  readonly packageDatabases?: readonly string[]
  /** Java archives in all layers: the scanner needs the Java database as soon as it meets one. */
  readonly javaArchives?: number
}
