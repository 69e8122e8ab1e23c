import list from '../../data/os-releases.json' with { type: 'json' }

/** A kind of package database of an operating system. */
export const PACKAGE_DATABASES = ['dpkg', 'apk', 'rpm'] as const
export type PackageDatabase = (typeof PACKAGE_DATABASES)[number]

/** An operating system whose packages the scanner has advisories for. */
export interface KnownSystem {
  /** ID of os-release. */
  readonly id: string
  /** What the scanner calls it. */
  readonly family: string
  readonly database: PackageDatabase
  /** Name of the release as the list has it, '' for a system that has no releases. */
  readonly release: string
  /** Last day of support, YYYY-MM-DD; '' when nobody has named one. */
  readonly endOfLife: string
}

/** Day of the shipped list (data/os-releases.json), YYYY-MM-DD. */
export const LIST_DATE: string = list.date

interface Listed {
  readonly id: string
  readonly family: string
  readonly database: string
  readonly by: string
  readonly releases: Readonly<Record<string, string | undefined>>
}

const SYSTEMS: readonly Listed[] = list.systems

/** True for an ID of os-release that the list has, whatever the release. */
export function isKnownSystem(id: string): boolean {
  return SYSTEMS.some(system => system.id === id)
}

/**
 * What the shipped list knows of the ID and VERSION_ID of an os-release (os-release(5)), undefined when the system or
 * its release is not in it: then nobody has said that the scanner has advisories for its packages.
 */
export function knownRelease(id: string, versionId: string): KnownSystem | undefined {
  const system = SYSTEMS.find(one => one.id === id)
  const database = PACKAGE_DATABASES.find(kind => kind === system?.database)
  if (system === undefined || database === undefined) return undefined
  const common = { id, family: system.family, database }
  if (system.by === 'rolling') return { ...common, release: '', endOfLife: '' }
  const release = releaseName(system.by, versionId)
  const endOfLife = Object.hasOwn(system.releases, release) ? system.releases[release] : undefined
  return endOfLife === undefined ? undefined : { ...common, release, endOfLife }
}

/**
 * Whether what the scanner recognised (its family and version) is this release. It reads versions from other files
 * than os-release (`12.11`, `3.20.3`, `2023.6.1 (Amazon Linux)`), so both are brought to the form of the list.
 */
export function isSameRelease(known: KnownSystem, scanned: { family: string; name: string }): boolean {
  const system = SYSTEMS.find(one => one.id === known.id)
  if (system === undefined || scanned.family !== known.family) return false
  if (system.by === 'rolling') return true
  return releaseName(system.by, scanned.name.trim().split(/\s/, 1)[0] ?? '') === known.release
}

function releaseName(by: string, version: string): string {
  if (by === 'exact') return version
  const numbers = /^([0-9]+)(?:\.([0-9]+))?(?:[.\s]|$)/.exec(version)
  const [, major = '', minor] = numbers ?? []
  return by === 'major' || minor === undefined ? major : `${major}.${minor}`
}
