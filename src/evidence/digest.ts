/** A SHA-256 content digest as OCI writes it: `sha256:` and 64 lower-case hex digits. */
export type Digest = `sha256:${string}`
/** Digest of an uncompressed layer (OCI image spec, `rootfs.diff_ids`). */
export type DiffId = Digest

const DIGEST = /^sha256:[0-9a-f]{64}$/

/** True only for a complete, lower-case SHA-256 digest; other algorithms are refused. */
export function isDigest(text: unknown): text is Digest {
  return typeof text === 'string' && DIGEST.test(text)
}

/** The 64 hex digits of a digest. */
export function digestHex(digest: Digest): string {
  return digest.slice('sha256:'.length)
}
