import { SIGNATURE_TYPE } from '../../evidence/statement.js'
import { defineRule } from '../rule.js'
import type { CheckResult } from '../rule.js'
import type { Violation } from '../verdict.js'
import { fingerprint } from '../violation.js'

export const signPresent = defineRule({
  id: 'sign.present',
  title: 'The released image carries a signature that was read back and verified',
  why: 'Only a signature over the digest tells a consumer that this gate let the image through.',
  fix: 'Release with sign: keyless or sign: key, or turn the rule off in the policy with a reason.',
  severity: 'critical',
  phase: 'released',
  needs: ['subject', 'released'],
  controls: [
    'CIS Docker 1.6.0 4.5',
    'CIS Docker 1.6.0 4.12',
    'NIST SP 800-218 1.1 PS.2.1',
    'OWASP CI/CD Top 10 2022 CICD-SEC-9',
  ],
  check(given): CheckResult {
    const { subject, released } = given
    const signatures = released.statements.filter(one => one.predicateType === SIGNATURE_TYPE)
    const covered = new Set(signatures.filter(one => one.signer !== '').flatMap(one => one.subjects))
    const wanted = [...new Set([subject.digest, ...subject.platforms.map(child => child.manifest.digest)])]
    const violations = wanted
      .filter(digest => !covered.has(digest))
      .map(digest => signViolation(digest, `No verified signature covers ${digest}`))
    if (released.digest !== subject.digest) {
      const message = `The registry serves ${released.digest}, judged was ${subject.digest}`
      violations.push(signViolation(subject.digest, message))
    }
    return { checked: wanted.length, violations }
  },
})

function signViolation(digest: string, message: string): Violation {
  return {
    rule: 'sign.present',
    thing: digest,
    platforms: [],
    severity: 'critical',
    message,
    fix: 'release with sign: keyless or sign: key',
    origin: 'unknown',
    fingerprint: fingerprint({ rule: 'sign.present' }),
  }
}
