import type { VulnerabilityScan } from './scan.js'

const OS_TYPES = new Set(['apk', 'deb', 'rpm'])

/**
 * The name under which the vulnerability database (trivy-db, schema 2) keeps advisories for the operating system
 * release of a scan: `debian 12`, `alpine 3.20`, `ubuntu 24.04`. Undefined without operating system packages, and for
 * distributions whose releases the database names in other ways: nothing can be said about those.
 */
export function advisoriesOfRelease(scan: VulnerabilityScan): string | undefined {
  if (scan.os === undefined || !scan.packages.some(found => OS_TYPES.has(found.type))) return undefined
  const { family, name } = scan.os
  const [major = '', minor] = name.split('.')
  switch (family) {
    case 'debian':
      return `debian ${major}`
    case 'alpine':
      return `alpine ${minor === undefined ? major : `${major}.${minor}`}`
    case 'ubuntu':
      return `ubuntu ${name}`
    default:
      return undefined
  }
}

/** ID and VERSION_ID of an os-release file. */
export interface ReleaseNames {
  readonly id: string
  readonly version: string
}

const NAME = /^[A-Za-z0-9._+~/-]{0,64}$/

/**
 * Reads an os-release file (os-release(5)); the last of two assignments counts, as in a shell. Both names are '' where
 * the file does not say, or says what no system is called.
 */
export function parseOsRelease(text: string): ReleaseNames {
  const values = new Map<string, string>()
  for (const line of text.split('\n')) {
    const match = /^\s*(ID|VERSION_ID)=(.*)$/.exec(line)
    if (match?.[1] !== undefined) values.set(match[1], unquoted((match[2] ?? '').trim()))
  }
  const named = (key: string): string => {
    const value = values.get(key) ?? ''
    return NAME.test(value) ? value : ''
  }
  return { id: named('ID'), version: named('VERSION_ID') }
}

function unquoted(value: string): string {
  const quoted = /^(["'])(.*)\1$/.exec(value)
  return quoted === null ? value : (quoted[2] ?? '')
}
