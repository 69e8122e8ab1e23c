import type { Finding } from '../../evidence/scan.js'
import { purlParts } from '../purl.js'

/** The fixed version to go to: the lowest that is above the installed one, else the first one named. */
export function targetVersion(installed: string, fixedIn: readonly string[]): string | undefined {
  const above = fixedIn.filter(version => compareVersions(version, installed) > 0)
  const candidates = above.length > 0 ? above : fixedIn
  return candidates.toSorted(compareVersions)[0]
}

/** The change that lifts a package over a finding, in the words of its ecosystem; undefined without a fix. */
export function upgradeLine(finding: Finding): string | undefined {
  const target = targetVersion(finding.version, finding.fixedIn)
  if (target === undefined) return undefined
  const { type, fullName, name } = purlParts(finding.purl)
  switch (type) {
    case 'pypi':
      return `${name}>=${target}`
    case 'npm':
      return `npm install ${fullName}@${target}`
    case 'gem':
      return `gem '${name}', '>= ${target}'`
    case 'golang':
      return `go get ${fullName}@${target.startsWith('v') ? target : `v${target}`}`
    case 'cargo':
      return `cargo update -p ${name} --precise ${target}`
    case 'deb':
      return `apt-get install --only-upgrade ${name} (${target} or later), or a newer base image`
    case 'apk':
      return `apk add --upgrade '${name}>=${target}', or a newer base image`
    case 'rpm':
      return `dnf upgrade ${name} (${target} or later), or a newer base image`
    default:
      return `${finding.package} ${target} or later`
  }
}

/** Orders versions by their runs of digits and of other characters. Good enough to choose what to show. */
function compareVersions(left: string, right: string): number {
  const lefts = left.match(/\d+|[^\d.]+/g) ?? []
  const rights = right.match(/\d+|[^\d.]+/g) ?? []
  for (let index = 0; index < Math.max(lefts.length, rights.length); index += 1) {
    const one = lefts[index] ?? ''
    const other = rights[index] ?? ''
    const numbers = Number(one) - Number(other)
    if (!Number.isNaN(numbers) && numbers !== 0) return numbers
    if (Number.isNaN(numbers) && one !== other) return one < other ? -1 : 1
  }
  return 0
}
