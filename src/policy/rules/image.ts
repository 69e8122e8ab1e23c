import { defineRule } from '../rule.js'
import type { CheckResult } from '../rule.js'
import type { Violation } from '../verdict.js'
import { finalStage, fingerprint } from '../violation.js'

export const imagePin = defineRule({
  id: 'image.pin',
  title: 'Every base image is pinned by digest',
  why: 'A tag can be moved to another image between two builds, and nobody sees it.',
  fix: 'Write FROM name:tag@sha256:… with the digest of today.',
  severity: 'medium',
  phase: 'source',
  needs: ['dockerfile'],
  controls: [
    'CIS Docker 1.6.0 4.2',
    'NIST SP 800-218 1.1 PW.4.1',
    'NIST CSF 2.0 GV.SC-05',
    'OWASP Docker Top 10 D08',
    'OWASP CI/CD Top 10 2022 CICD-SEC-3',
  ],
  check(given): CheckResult {
    const bases = given.dockerfile.bases
    if (bases.length === 0) return { notApplicable: 'the Dockerfile names no base image' }
    const violations = bases
      .filter(base => !base.pinned)
      .map((base): Violation => {
        return {
          rule: 'image.pin',
          thing: base.reference,
          platforms: [],
          severity: 'medium',
          message: `The base image ${base.reference} is not pinned by digest`,
          fix: `FROM ${base.reference.replace(/@.*$/, '')}@${base.digest ?? 'sha256:<its digest>'}${base.stage === undefined ? '' : ` AS ${base.stage}`}`,
          location: base.location,
          origin: 'own',
          fingerprint: fingerprint({ rule: 'image.pin', advisory: base.reference, path: base.location.file }),
        }
      })
    return { checked: bases.length, violations }
  },
})

export const labelRequired = defineRule({
  id: 'label.required',
  title: 'The required labels are set',
  why: 'They lead from a running image back to its source and revision.',
  fix: 'Set the label in the Dockerfile or by the input labels.',
  severity: 'low',
  phase: 'image',
  needs: ['subject'],
  controls: ['NIST SP 800-218 1.1 PS.3.2', 'NIST CSF 2.0 ID.AM-02'],
  check(given, context): CheckResult {
    const labels = context.policy.image.requiredLabels
    if (labels.length === 0) return { notApplicable: 'the policy requires no labels' }
    const platforms = given.subject.platforms
    const violations = platforms.flatMap(child =>
      labels
        .filter(
          label => !Object.hasOwn(child.config.labels, label) || child.config.labels[label]?.trim() === '',
        )
        .map((label): Violation => {
          return {
            rule: 'label.required',
            thing: label,
            platforms: [child.platform],
            severity: 'low',
            message: `The label ${label} is not set`,
            fix: `LABEL ${label}="…", or the input labels`,
            ...finalStage(context.evidence.dockerfile),
            origin: 'unknown',
            fingerprint: fingerprint({ rule: 'label.required', advisory: label }),
          }
        }),
    )
    return { checked: platforms.length * labels.length, violations }
  },
})
