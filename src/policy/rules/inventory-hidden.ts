import type { HiddenPackage } from '../../evidence/image.js'
import type { Present } from '../needs.js'
import { purlParts } from '../purl.js'
import { defineRule } from '../rule.js'
import type { CheckResult, RuleContext } from '../rule.js'
import type { Violation } from '../verdict.js'
import { fingerprint, originOfLayer } from '../violation.js'

type Platform = Present<'contents' | 'vulnerabilities'>['platforms'][number]

const EPOCH = /^\d+:/
const SYSTEM_TYPES: ReadonlySet<string> = new Set(['deb', 'apk'])

export const inventoryHidden = defineRule({
  id: 'inventory.hidden',
  title: 'No package without its record',
  why: 'A layer that deletes the record of a package, and not its files, takes it out of every scan and SBOM.',
  fix: 'Remove the package with its package manager, or keep its record.',
  severity: 'high',
  phase: 'image',
  needs: ['contents', 'vulnerabilities'],
  controls: [
    'CIS Docker 1.6.0 4.4',
    'NIST SP 800-218 1.1 PW.4.4',
    'NIST CSF 2.0 ID.AM-02',
    'OWASP CI/CD Top 10 2022 CICD-SEC-3',
  ],
  check(given, context): CheckResult {
    const unknown = given.platforms
      .filter(one => one.contents.hiddenPackages === undefined)
      .map(one => `${one.platform}: records that a layer took away were not looked for`)
    const files = given.platforms.reduce((sum, one) => sum + one.contents.files, 0)
    const violations = given.platforms.flatMap(one =>
      hidden(one).map(found => hiddenViolation(found, one.platform, context)),
    )
    if (files === 0 && violations.length === 0 && unknown.length === 0)
      return { notApplicable: 'the image has no files' }
    return { checked: Math.max(files, violations.length), violations, unknown }
  },
})

/** A package that the scan lists from the same record, or from the system's database, is not hidden. */
function hidden({ contents, vulnerabilities }: Platform): readonly HiddenPackage[] {
  const listed = new Set(
    vulnerabilities.packages.map(found =>
      identity(found.purl, SYSTEM_TYPES.has(found.type) ? '' : found.path),
    ),
  )
  return (contents.hiddenPackages ?? []).filter(one => {
    const system = SYSTEM_TYPES.has(purlParts(one.package).type)
    return !listed.has(identity(one.package, system ? '' : one.record))
  })
}

function identity(purl: string, path: string | undefined): string {
  const { type, name, version } = purlParts(purl)
  return `${type} ${name} ${version.replace(EPOCH, '')} ${path ?? ''}`
}

function hiddenViolation(one: HiddenPackage, platform: string, context: RuleContext): Violation {
  const contents = context.evidence.platforms.find(other => other.platform === platform)?.contents
  const { type, name, version } = purlParts(one.package)
  const database = type === ''
  const more = one.files > one.samples.length ? `, and ${String(one.files - one.samples.length)} more` : ''
  const message = database
    ? `A layer took away ${one.record}: which packages it recorded cannot be told`
    : `A layer took away the record of ${name} ${version} (${one.record}), and ${String(one.files)} of its files are still there: ${one.samples.join(', ')}${more}`
  return {
    rule: 'inventory.hidden',
    thing: database ? one.record : `${name} ${version}`,
    platforms: [platform],
    severity: 'high',
    message,
    fix: database ? `keep ${one.record}` : `remove ${name} with its package manager, or keep its record`,
    ...originOfLayer(contents ?? { state: 'not-configured' }, one.layer),
    imagePath: one.record,
    fingerprint: fingerprint({ rule: 'inventory.hidden', purl: one.package, path: one.record }),
  }
}
