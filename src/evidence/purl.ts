import { PackageURL } from 'packageurl-js'

/** Parts of a package URL that say which package it is. `name` includes the namespace. */
export interface PurlParts {
  readonly type: string
  readonly name: string
  readonly version: string
}

/** Type, name and version of a package URL (https://github.com/package-url/purl-spec); undefined when unreadable. */
export function parsePurl(purl: string): PurlParts | undefined {
  try {
    const parsed = PackageURL.fromString(purl)
    const prefix = parsed.namespace ? `${parsed.namespace}/` : ''
    return { type: parsed.type, name: `${prefix}${parsed.name}`, version: parsed.version ?? '' }
  } catch {
    return undefined
  }
}

/** A package URL for a package whose tool gave none. */
export function genericPurl(name: string, version: string): string {
  return `pkg:generic/${encodeURIComponent(name)}${version === '' ? '' : `@${encodeURIComponent(version)}`}`
}

const EPOCH = /^\d+:/
const EPOCH_TYPES = new Set(['deb', 'rpm'])

/** Written by one tool and left out by the other: epochs of deb and rpm, the `v` of Go versions. */
function comparableVersion({ type, version }: PurlParts): string {
  if (EPOCH_TYPES.has(type)) return version.replace(EPOCH, '')
  return type === 'golang' ? version.replace(/^v(?=\d)/, '') : version
}

/**
 * The form in which two tools' package URLs can be compared: no qualifiers, nothing percent-encoded, and no epoch
 * for deb and rpm (one tool writes it into the version, the other into a qualifier), no `v` for Go. Unreadable ones stay as is.
 */
export function comparablePurl(purl: string): string {
  const parts = parsePurl(purl)
  if (parts === undefined) return purl
  const version = comparableVersion(parts)
  return `pkg:${parts.type}/${parts.name}${version === '' ? '' : `@${version}`}`
}
