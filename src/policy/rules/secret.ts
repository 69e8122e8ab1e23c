import type { ImageContents } from '../../evidence/image.js'
import type { SecretFinding, SecretScan } from '../../evidence/scan.js'
import { defineRule } from '../rule.js'
import type { CheckResult, RuleContext } from '../rule.js'
import type { Tolerated, Violation } from '../verdict.js'
import { fingerprint, originOfLayer } from '../violation.js'

export const secretFound = defineRule({
  id: 'secret.found',
  title: 'No secret in the image',
  why: 'Whoever can pull the image can read every layer of it, also files that a later layer removes.',
  fix: 'Revoke the secret, remove it from the build, hand it in with RUN --mount=type=secret.',
  severity: 'critical',
  phase: 'image',
  needs: ['secrets', 'contents'],
  controls: [
    'CIS Docker 1.6.0 4.10',
    'OWASP Docker Top 10 D06',
    'OWASP CI/CD Top 10 2022 CICD-SEC-6',
    'NIST SP 800-218 1.1 PS.1.1',
  ],
  check(given, context): CheckResult {
    let files = 0
    const violations: Violation[] = []
    const tolerated: Tolerated[] = []
    for (const one of given.platforms) {
      files += one.contents.files
      for (const finding of one.secrets.findings) {
        const owner = ownerOf(one, finding)
        if (owner === undefined) violations.push(secretViolation(finding, one.platform, context))
        else {
          const thing = `${finding.title} in ${finding.path} (of ${owner})`
          tolerated.push({ thing, why: 'package-owned', severity: finding.severity })
        }
      }
    }
    if (files === 0 && violations.length === 0) return { notApplicable: 'the image has no files' }
    return { checked: Math.max(files, violations.length), violations, tolerated }
  },
})

/**
 * The package whose file it is. The search names it layer by layer, and only for files that are not known to be
 * other ones than the package's; records of older releases know the owners of the final tree alone.
 */
function ownerOf(
  one: { readonly contents: Pick<ImageContents, 'owners'>; readonly secrets: SecretScan },
  finding: SecretFinding,
): string | undefined {
  if (one.secrets.searched !== undefined) return finding.owner
  const { owners } = one.contents
  return Object.hasOwn(owners, finding.path) ? owners[finding.path] : undefined
}

function secretViolation(finding: SecretFinding, platform: string, context: RuleContext): Violation {
  const contents = context.evidence.platforms.find(one => one.platform === platform)?.contents
  const line = finding.line === undefined ? '' : `, line ${String(finding.line)}`
  return {
    rule: 'secret.found',
    thing: `${finding.title} in ${finding.path}`,
    platforms: [platform],
    severity: finding.severity,
    message: `${finding.path}${line} holds what looks like a secret: ${finding.title} (${finding.category})`,
    fix: `revoke it, remove ${finding.path} from the build, use RUN --mount=type=secret`,
    ...originOfLayer(contents ?? { state: 'not-configured' }, finding.layer),
    imagePath: finding.path,
    fingerprint: fingerprint({ rule: 'secret.found', advisory: finding.rule, path: finding.path }),
  }
}
