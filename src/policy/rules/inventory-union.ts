import type { InventoryComparison, NotMatched } from '../../evidence/sbom.js'
import type { Present } from '../needs.js'
import { purlParts } from '../purl.js'
import { defineRule } from '../rule.js'
import type { CheckResult, RuleContext } from '../rule.js'
import type { Tolerated, Violation } from '../verdict.js'
import { fingerprint, originOfLayer } from '../violation.js'

type Platform = Present<'inventory' | 'vulnerabilities'>['platforms'][number]

export const inventoryUnion = defineRule({
  id: 'inventory.union',
  title: 'What only one inventory lists is matched too',
  why: 'A package that the scanner passes by is matched with no advisory, and the scan looks clean.',
  fix: 'Give the package a version, or remove what is left of it.',
  severity: 'medium',
  phase: 'image',
  needs: ['inventory', 'vulnerabilities'],
  controls: [
    'CIS Docker 1.6.0 4.4',
    'NIST SP 800-218 1.1 PW.4.4',
    'NIST CSF 2.0 ID.AM-02',
    'NTIA Minimum Elements 2021',
  ],
  check(given, context): CheckResult {
    const unknown = given.platforms.flatMap(doubtsOf)
    const checked = given.platforms.reduce((sum, one) => sum + comparedIn(one.inventory), 0)
    if (checked === 0 && unknown.length === 0) return { notApplicable: 'the image has no packages' }
    const violations = given.platforms.flatMap(one =>
      rest(one, 'no-version').map(found => unionViolation(found, one.platform, context)),
    )
    return { checked, violations, tolerated: given.platforms.flatMap(toleratedIn), unknown }
  },
})

function comparedIn(inventory: InventoryComparison): number {
  return inventory.both + inventory.onlySyft.length + inventory.onlyTrivy.length
}

/** Only Syft lists them, and they were neither matched nor put aside for a reason. */
function doubtsOf({ platform, inventory, vulnerabilities }: Platform): readonly string[] {
  const { onlySyft, matched, notMatched, leftToSystem } = inventory
  if (matched === undefined || notMatched === undefined || leftToSystem === undefined)
    return onlySyft.length === 0 ? [] : [`${platform}: what only Syft lists was not matched`]
  const listed = new Set(vulnerabilities.packages.map(found => identity(found.purl)))
  const reasons = new Set([...notMatched, ...leftToSystem].map(found => identity(found.purl)))
  const lost = onlySyft.filter(purl => !listed.has(identity(purl)) && !reasons.has(identity(purl)))
  return lost.map(purl => `${platform}: ${purl} is listed by Syft alone and was not matched`)
}

function identity(purl: string): string {
  const { type, fullName, version } = purlParts(purl)
  const plain = version.replace(/^(?:\d+:|v(?=\d))/, '')
  return `${type} ${fullName} ${['UNKNOWN', '(devel)'].includes(plain) ? '' : plain}`.toLowerCase()
}

function rest({ inventory }: Platform, why: NotMatched['why']): readonly NotMatched[] {
  return (inventory.notMatched ?? []).filter(found => found.why === why)
}

function toleratedIn(one: Platform): readonly Tolerated[] {
  const without = rest(one, 'no-advisories').map(({ purl }): Tolerated => {
    return { thing: purl, why: 'no-advisories', severity: 'unknown' }
  })
  const left = (one.inventory.leftToSystem ?? []).map(({ purl, owner }): Tolerated => {
    return { thing: `${purl} (of ${owner})`, why: 'system-package', severity: 'unknown' }
  })
  return [...without, ...left]
}

function unionViolation(found: NotMatched, platform: string, context: RuleContext): Violation {
  const contents = context.evidence.platforms.find(one => one.platform === platform)?.contents
  const where = found.path === undefined ? '' : ` in ${found.path}`
  return {
    rule: 'inventory.union',
    thing: found.purl,
    platforms: [platform],
    severity: 'medium',
    message: `${found.purl}${where} has no version, so it is matched with no advisory`,
    ...originOfLayer(contents ?? { state: 'not-configured' }, undefined),
    ...(found.path === undefined ? {} : { imagePath: found.path }),
    fingerprint: fingerprint({
      ...{ rule: 'inventory.union', purl: found.purl },
      ...(found.path === undefined ? {} : { path: found.path }),
    }),
  }
}
