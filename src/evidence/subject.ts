import type { DiffId, Digest } from './digest.js'

/** An OCI content descriptor, as far as it identifies bytes. Size in bytes. */
export interface Descriptor {
  readonly mediaType: string
  readonly digest: Digest
  readonly size: number
}

/** One layer as the manifest names it (compressed) and as the config names it (`diffId`). */
export interface LayerDescriptor extends Descriptor {
  readonly diffId: DiffId
}

/** One entry of the image configuration's history (OCI image spec). */
export interface HistoryEntry {
  readonly createdBy: string
  readonly emptyLayer: boolean
  readonly comment?: string
}

/** The facts of the image configuration that rules read. `user` is '' when unset, which means root. */
export interface ImageConfig {
  readonly user: string
  readonly env: readonly string[]
  readonly entrypoint: readonly string[]
  readonly cmd: readonly string[]
  readonly labels: Readonly<Record<string, string>>
  readonly exposedPorts: readonly string[]
  /** Instructions that run in every image built on this one (`OnBuild` of Docker's configuration), if any. */
  readonly onBuild?: readonly string[]
  readonly history: readonly HistoryEntry[]
  readonly created?: string
}

/** One runnable child of the subject. `platform` is `os/arch` or `os/arch/variant`. */
export interface PlatformImage {
  readonly platform: string
  readonly manifest: Descriptor
  /** Digest of the configuration blob: the image id that engines and Trivy report. */
  readonly configDigest: Digest
  readonly configSize: number
  readonly layers: readonly LayerDescriptor[]
  readonly config: ImageConfig
}

/** The image that is judged: its name without tag, the digest of index or manifest, its children. */
export interface ImageSubject {
  readonly name: string
  readonly digest: Digest
  readonly mediaType: string
  readonly size: number
  readonly platforms: readonly PlatformImage[]
}
