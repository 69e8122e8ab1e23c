import { defineRule } from '../rule.js'
import type { CheckResult } from '../rule.js'
import { collectScans } from './scanned.js'
import { findingViolation } from './vulnerability.js'

/** A list older than this many days is said in the verdict. It never changes the outcome. */
const OLD_AFTER_DAYS = 30
const DAY = 86_400_000

export const vulnerabilityKev = defineRule({
  id: 'vulnerability.kev',
  title: 'No known exploited vulnerability',
  why: 'CISA lists it because it is being exploited now: no threshold, grace or exception applies.',
  fix: 'Raise the package to the version that is named, or remove it.',
  severity: 'critical',
  phase: 'image',
  needs: ['vulnerabilities', 'contents', 'kev'],
  controls: ['CIS Docker 1.6.0 4.4', 'NIST SP 800-218 1.1 RV.1.1', 'NIST CSF 2.0 ID.RA-01', 'CISA BOD 22-01'],
  check(given, context): CheckResult {
    const entries = new Map(Object.entries(given.kev.entries).map(([id, added]) => [id.toUpperCase(), added]))
    const scanned = collectScans(given, context)
    const warnings = ageWarnings(given.kev.date, context.now)
    const unknown = [...scanned.unknown]
    if (entries.size === 0) unknown.push('list of known exploited vulnerabilities: is empty')
    if (scanned.packages === 0 && unknown.length === 0) return { notApplicable: scanned.empty }
    const violations = scanned.findings.flatMap(finding => {
      const id = [finding.id, ...finding.aliases].find(one => entries.has(one.toUpperCase()))
      if (id === undefined) return []
      const note = `, known to be exploited since ${entries.get(id.toUpperCase()) ?? 'an unknown day'}`
      return [findingViolation('vulnerability.kev', finding, context, note)]
    })
    return { checked: scanned.packages, violations, unknown, warnings }
  },
})

function ageWarnings(date: string, now: Date): string[] {
  const days = Math.floor((now.getTime() - Date.parse(date)) / DAY)
  if (days <= OLD_AFTER_DAYS) return []
  const age = Number.isNaN(days) ? 'has no readable date' : `is of ${date}, ${String(days)} days old`
  return [`The list of known exploited vulnerabilities ${age}; newer entries are not known to this verdict.`]
}
