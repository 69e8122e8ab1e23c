import type { Digest } from '../evidence/digest.js'

/** An image as an OCI layout in the private folder of this run. */
export interface BuiltImage {
  /** Absolute path of the layout. */
  readonly layoutDir: string
  /** Which engine built it; null for an image that was ready. */
  readonly engine: { readonly name: string; readonly version: string } | null
  /** The image id that the engine reports: digest of the configuration, or of the manifest with a containerd store. */
  readonly imageId: Digest | null
}
