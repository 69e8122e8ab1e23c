declare const PORTCULLIS_VERSION: string | undefined

/** Version of this program, `0.0.0-source` when it runs unbundled. */
export function programVersion(): string {
  return typeof PORTCULLIS_VERSION === 'string' ? PORTCULLIS_VERSION : '0.0.0-source'
}
