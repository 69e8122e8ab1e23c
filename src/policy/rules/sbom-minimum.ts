import { lackingWords, percentOf } from '../../evidence/minimum-elements.js'
import type { MinimumElements } from '../../evidence/minimum-elements.js'
import type { SbomFormat } from '../../evidence/sbom.js'
import { defineRule } from '../rule.js'
import type { CheckResult } from '../rule.js'
import type { Violation } from '../verdict.js'
import { fingerprint } from '../violation.js'

export const sbomMinimum = defineRule({
  id: 'sbom.minimum',
  title: 'Each SBOM has the minimum elements',
  why: 'A package without supplier, version or identifier cannot be told from another when an advisory comes.',
  fix: 'Use packages whose metadata say who made them, or ask for less with sbom.minimum.',
  severity: 'low',
  phase: 'image',
  needs: ['sboms'],
  controls: ['NTIA Minimum Elements 2021', 'NIST SP 800-218 1.1 PS.3.2'],
  check(given, context): CheckResult {
    const wanted = context.policy.sbom.minimum
    let checked = 0
    const violations: Violation[] = []
    const unknown: string[] = []
    for (const { platform, sboms } of given.platforms) {
      const documents = sboms.documents.filter(document => document.format !== 'syft')
      if (documents.length === 0) unknown.push(`SBOMs of ${platform}: there is none to count`)
      for (const { format, minimum } of documents) {
        checked += 1
        if (minimum === undefined) unknown.push(`SBOM ${format} of ${platform}: was not counted`)
        else if (percentOf(minimum) < wanted)
          violations.push(violationOf({ platform, format, minimum, wanted }))
      }
    }
    return { checked, violations, unknown }
  },
})

function violationOf(found: {
  readonly platform: string
  readonly format: SbomFormat
  readonly minimum: MinimumElements
  readonly wanted: number
}): Violation {
  const { platform, format, minimum, wanted } = found
  const share = `${percentOf(minimum)} % of the minimum elements, not ${wanted} %`
  return {
    rule: 'sbom.minimum',
    thing: `${format} of ${platform}`,
    platforms: [platform],
    severity: 'low',
    message: `The SBOM ${format} of ${platform} has ${share}; it lacks ${lackingWords(minimum)}`,
    origin: 'unknown',
    fingerprint: fingerprint({ rule: 'sbom.minimum', advisory: `${format} ${platform}` }),
  }
}
