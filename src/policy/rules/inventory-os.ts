import type { ReleaseFacts, SystemFacts } from '../../evidence/image.js'
import { isKnownSystem, isSameRelease, knownRelease, LIST_DATE } from '../../evidence/os-releases.js'
import type { KnownSystem } from '../../evidence/os-releases.js'
import type { Present } from '../needs.js'
import { defineRule } from '../rule.js'
import type { CheckResult } from '../rule.js'

type Platform = Present<'contents' | 'vulnerabilities'>['platforms'][number]

const PACKAGE_TYPES: ReadonlyMap<string, string> = new Map([
  ['deb', 'dpkg'],
  ['apk', 'apk'],
  ['rpm', 'rpm'],
])

export const inventoryOs = defineRule({
  id: 'inventory.os',
  title: 'The operating system release is known',
  why: 'Packages of a system are matched by its release: with a wrong or unknown one the scanner matches nothing and ends well.',
  fix: 'Keep /etc/os-release as the base image has it, and build on a release that has advisories.',
  severity: 'high',
  phase: 'image',
  needs: ['contents', 'vulnerabilities'],
  controls: [
    'CIS Docker 1.6.0 4.3',
    'NIST SP 800-218 1.1 PW.4.4',
    'NIST CSF 2.0 ID.RA-01',
    'OWASP Docker Top 10 D08',
  ],
  check(given): CheckResult {
    const answers = given.platforms.map(one => ({ one, doubts: doubtsOf(one) }))
    const looked = answers.filter(({ doubts }) => doubts !== undefined)
    if (looked.length === 0)
      return { notApplicable: 'the image has no package database of an operating system' }
    const unknown = looked.flatMap(({ one, doubts }) =>
      (doubts ?? []).map(doubt => `${one.platform}: ${doubt}`),
    )
    return { checked: looked.length, violations: [], unknown }
  },
})

/** Why the packages of the system cannot be taken as matched; undefined where there are none. */
function doubtsOf({ contents, vulnerabilities: scan }: Platform): readonly string[] | undefined {
  const { system } = contents
  if (system === undefined) return ['the package databases of the image were not looked at']
  const listed = new Set(scan.packages.flatMap(found => PACKAGE_TYPES.get(found.type) ?? []))
  const databases = system.databases
  if (databases.length === 0) {
    const kinds = [...listed].join(' and ')
    return kinds === ''
      ? undefined
      : [`the scan lists ${kinds} packages, and the image has no database of them`]
  }
  // A second, empty rpm database is made by tools that only use its library.
  const used = databases.filter(kind => kind !== 'rpm' || databases.length === 1 || listed.has('rpm'))
  const known = releaseDoubts(system.release, used)
  if (typeof known === 'string') return [known]
  return [
    ...strangers(known, used),
    ...changes(system, contents.layers),
    ...(isScanned(known, scan.os) ? [] : [otherScan(known, scan.os)]),
  ]
}

function releaseDoubts(
  release: ReleaseFacts | undefined,
  databases: readonly string[],
): KnownSystem | string {
  const what = `the image has a package database (${databases.join(', ')})`
  if (release === undefined) {
    return `${what} but no os-release that can be read, so its packages were matched with nothing`
  }
  const { id, version, path } = release
  if (id === '') return `${what}, and ${path} names no system`
  const known = knownRelease(id, version)
  if (known !== undefined) return known
  if (!isKnownSystem(id)) return `${path} says "${id}", and the scanner has no advisories for that system`
  return `${path} says "${named(release)}", a release that the list of ${LIST_DATE} does not have; use a newer version of this program, or another base image`
}

/** Package databases of a kind that the system does not have: nothing matches what they hold. */
function strangers(known: KnownSystem, databases: readonly string[]): readonly string[] {
  return databases
    .filter(kind => kind !== known.database)
    .map(kind => `the image says it is ${known.id}, and has a package database of ${kind}`)
}

function changes(system: SystemFacts, layers: Platform['contents']['layers']): readonly string[] {
  const { release, earlier } = system
  const [first] = earlier
  if (release === undefined || first === undefined) return []
  if (layers.find(layer => layer.diffId === release.layer)?.origin === 'base') return []
  return [
    `a lower layer says that its packages are of "${named(first)}", and layer ${release.layer} says "${named(release)}" in ${release.path}; build on a base image of that release`,
  ]
}

function isScanned(known: KnownSystem, os: Platform['vulnerabilities']['os']): boolean {
  return os !== undefined && isSameRelease(known, os)
}

function otherScan(known: KnownSystem, os: Platform['vulnerabilities']['os']): string {
  const is = `${known.id} ${known.release}`.trim()
  if (os === undefined) return `the image says it is "${is}", and the scanner recognised no system`
  return `the image says it is "${is}", and the scanner took it for "${os.family} ${os.name}"`
}

function named({ id, version }: ReleaseFacts): string {
  return `${id} ${version}`.trim()
}
