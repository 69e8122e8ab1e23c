/** Media types of the OCI image specification and of Docker's registry schema 2, as far as we read them. */
export const INDEX_TYPE = 'application/vnd.oci.image.index.v1+json'

export const INDEX_TYPES: ReadonlySet<string> = new Set([
  INDEX_TYPE,
  'application/vnd.docker.distribution.manifest.list.v2+json',
])

export const MANIFEST_TYPES: ReadonlySet<string> = new Set([
  'application/vnd.oci.image.manifest.v1+json',
  'application/vnd.docker.distribution.manifest.v2+json',
])

export const CONFIG_TYPES: ReadonlySet<string> = new Set([
  'application/vnd.oci.image.config.v1+json',
  'application/vnd.docker.container.image.v1+json',
])

export const IN_TOTO_TYPE = 'application/vnd.in-toto+json'

const PLAIN_LAYERS: ReadonlySet<string> = new Set([
  'application/vnd.oci.image.layer.v1.tar',
  'application/vnd.docker.image.rootfs.diff.tar',
])
const GZIP_LAYERS: ReadonlySet<string> = new Set([
  'application/vnd.oci.image.layer.v1.tar+gzip',
  'application/vnd.docker.image.rootfs.diff.tar.gzip',
])
const FOREIGN_LAYER = /(?:\.nondistributable\.|\.foreign\.)/
const ZSTD_LAYER = 'application/vnd.oci.image.layer.v1.tar+zstd'

export type LayerKind = 'plain' | 'gzip' | 'zstd' | 'foreign' | 'unknown'

/** How a layer's bytes are packed, by its media type alone; `foreign` and `unknown` cannot be read. */
export function layerKind(mediaType: string): LayerKind {
  if (PLAIN_LAYERS.has(mediaType)) return 'plain'
  if (GZIP_LAYERS.has(mediaType)) return 'gzip'
  if (FOREIGN_LAYER.test(mediaType)) return 'foreign'
  return mediaType === ZSTD_LAYER ? 'zstd' : 'unknown'
}
