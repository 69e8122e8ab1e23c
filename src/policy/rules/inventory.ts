import type { UnexplainedFile } from '../../evidence/image.js'
import { defineRule } from '../rule.js'
import type { CheckResult, RuleContext } from '../rule.js'
import type { Tolerated, Violation } from '../verdict.js'
import { fingerprint, originOfLayer } from '../violation.js'

export const inventoryUnexplained = defineRule({
  id: 'inventory.unexplained',
  title: 'Every executable belongs to a package',
  why: 'An executable that no package owns is in no SBOM and is matched with no advisory.',
  fix: 'Install it from a package, or remove it.',
  severity: 'medium',
  phase: 'image',
  needs: ['contents'],
  controls: [
    'CIS Docker 1.6.0 4.3',
    'CIS Docker 1.6.0 4.11',
    'NIST CSF 2.0 ID.AM-02',
    'NTIA Minimum Elements 2021',
  ],
  check(given, context): CheckResult {
    const executables = given.platforms.reduce((sum, one) => sum + one.contents.executables, 0)
    const all = given.platforms.flatMap(one => one.contents.unexplained)
    if (executables === 0 && all.length === 0) return { notApplicable: 'the image has no executables' }
    const violations: Violation[] = []
    const tolerated: Tolerated[] = []
    for (const { platform, contents } of given.platforms) {
      const within = contents.unexplained.length <= context.policy.inventory.unexplained.max
      for (const file of contents.unexplained) {
        if (!within || file.setuid) violations.push(unexplainedViolation(file, platform, context))
        else tolerated.push({ thing: file.path, why: 'within-budget', severity: 'medium' })
      }
    }
    return { checked: Math.max(executables, all.length), violations, tolerated }
  },
})

function unexplainedViolation(file: UnexplainedFile, platform: string, context: RuleContext): Violation {
  const contents = context.evidence.platforms.find(one => one.platform === platform)?.contents
  const kind = file.setuid ? 'setuid executable' : 'executable'
  return {
    rule: 'inventory.unexplained',
    thing: file.path,
    platforms: [platform],
    severity: file.setuid ? 'high' : 'medium',
    message: `The ${kind} ${file.path} (${String(file.size)} bytes) belongs to no package`,
    fix: `install ${file.path} from a package, or remove it`,
    ...originOfLayer(contents ?? { state: 'not-configured' }, file.layer),
    imagePath: file.path,
    fingerprint: fingerprint({ rule: 'inventory.unexplained', path: file.path }),
  }
}
