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
