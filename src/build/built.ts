import type { Digest } from '../evidence/digest.js'

/** The engine that really built an image, and why it was the one. */
export interface BuildEngine {
  readonly name: string
  readonly version: string
  readonly why: string
  /** How an engine without a daemon kept the steps of the build apart from this job. */
  readonly isolation?: 'oci' | 'rootless' | 'chroot'
}

/** An image as an OCI layout in the private folder of this run. */
export interface BuiltImage {
  /** Absolute path of the layout. */
  readonly layoutDir: string
  /** Which engine built it; null for an image that was ready. */
  readonly engine: BuildEngine | null
  /**
   * The image id that the engine reports: digest of the configuration, or of the manifest with a containerd store;
   * null for an index of several images.
   */
  readonly imageId: Digest | null
}
