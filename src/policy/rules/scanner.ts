import type { ImageSubject } from '../../evidence/subject.js'
import type { CanaryFacts, ToolName } from '../../evidence/tooling.js'
import { defineRule } from '../rule.js'
import type { CheckResult } from '../rule.js'
import type { Violation } from '../verdict.js'
import { fingerprint } from '../violation.js'

const HOUR = 3_600_000
const FUTURE_TOLERANCE = 5 * 60_000
/** Tools without which no evidence of an image exists. */
const NEEDED_TOOLS: readonly ToolName[] = ['trivy', 'syft']

export const scannerCanary = defineRule({
  id: 'scanner.canary',
  title: 'The scanner finds what it must find',
  why: 'A scanner that finds nothing looks like a clean image; known-vulnerable packages tell them apart.',
  fix: 'Renew the vulnerability database and the tools; then look at the scanner output in the report.',
  severity: 'critical',
  phase: 'image',
  needs: ['canary', 'subject'],
  controls: ['CIS Docker 1.6.0 4.4', 'NIST SP 800-218 1.1 PO.3.2', 'NIST SP 800-218 1.1 RV.1.1'],
  check(given): CheckResult {
    const { expected, inBand, notCovered } = given.canary
    const lost = expected.filter(one => !one.found)
    const lostInBand = (inBand ?? []).filter(one => !one.found)
    const unknown = [
      ...lost.map(one => `the scanner did not find ${one.id} (${one.severity}) in ${one.purl}`),
      ...lostInBand.map(
        one => `the scan of ${one.platform} did not find ${one.id} (${one.severity}) in ${one.purl}`,
      ),
      ...unproved(given.subject, inBand).map(name => `the scan of ${name} was not proved by a canary`),
    ]
    const warnings = (notCovered ?? []).map(text => `Not proved by a canary in the image: ${text}.`)
    return { checked: expected.length + (inBand?.length ?? 0), violations: [], unknown, warnings }
  },
})

/** Platforms without a package that was found in their own scan; evidence of older versions has none at all. */
function unproved(subject: ImageSubject, inBand: CanaryFacts['inBand']): readonly string[] {
  if (inBand === undefined) return []
  const names = subject.platforms.map(child => child.platform)
  return names.filter(name => !inBand.some(one => one.platform === name))
}

export const databaseAge = defineRule({
  id: 'database.age',
  title: 'The vulnerability database is fresh',
  why: 'An old database does not know the advisories that matter today.',
  fix: 'Fetch a newer database (input database), or say in the policy why an older one will do.',
  severity: 'high',
  phase: 'image',
  needs: ['database'],
  controls: ['CIS Docker 1.6.0 4.4', 'NIST SP 800-218 1.1 RV.1.1', 'NIST CSF 2.0 ID.RA-01'],
  check(given, context): CheckResult {
    const { database } = given
    const limit = context.policy.database.maxAgeHours
    const unknown = [
      ...ageProblems('vulnerability database', database.updatedAt, { limit, now: context.now }),
      ...(database.java
        ? ageProblems('Java database', database.java.updatedAt, { limit, now: context.now })
        : []),
    ]
    return { checked: database.java ? 2 : 1, violations: [], unknown }
  },
})

function ageProblems(
  what: string,
  updatedAt: string,
  given: { readonly limit: number; readonly now: Date },
): readonly string[] {
  const updated = Date.parse(updatedAt)
  if (Number.isNaN(updated)) return [`${what}: does not say of when it is`]
  const age = given.now.getTime() - updated
  if (age < -FUTURE_TOLERANCE) {
    const said = `${updatedAt}, after now (${given.now.toISOString()})`
    return [`${what}: is dated ${said}; one of the two clocks is wrong`]
  }
  if (age <= given.limit * HOUR) return []
  return [`${what}: is ${Math.floor(age / HOUR)} h old (${updatedAt}), limit ${given.limit} h`]
}

export const toolVerified = defineRule({
  id: 'tool.verified',
  title: 'Every tool is the one that is pinned',
  why: 'A replaced scanner or signer can say anything.',
  fix: 'Use tools: release, or a source whose program has a pinned SHA-256.',
  severity: 'critical',
  phase: 'image',
  needs: ['tools'],
  controls: [
    'NIST SP 800-218 1.1 PO.3.2',
    'NIST CSF 2.0 GV.SC-05',
    'OWASP CI/CD Top 10 2022 CICD-SEC-3',
    'OWASP CI/CD Top 10 2022 CICD-SEC-9',
  ],
  check(given): CheckResult {
    const violations = given.tools
      .filter(tool => !tool.verified)
      .map((tool): Violation => {
        return {
          rule: 'tool.verified',
          thing: `${tool.name} ${tool.version}`,
          platforms: [],
          severity: 'critical',
          message: `${tool.name} ${tool.version} from ${tool.source} (SHA-256 ${tool.sha256}) is not pinned`,
          fix: 'use tools: release, or tools: source with the pinned Go version',
          origin: 'unknown',
          fingerprint: fingerprint({ rule: 'tool.verified', advisory: tool.name }),
        }
      })
    const names = new Set(given.tools.map(tool => tool.name))
    const unknown = NEEDED_TOOLS.filter(name => !names.has(name)).map(name => `list of tools: lacks ${name}`)
    return { checked: given.tools.length, violations, unknown }
  },
})
