import type { ImageUser } from '../../evidence/image.js'
import { defineRule } from '../rule.js'
import type { CheckResult, RuleContext } from '../rule.js'
import type { Violation } from '../verdict.js'
import { finalStage, fingerprint } from '../violation.js'

/** Highest uid that engines accept; beyond it some runtimes wrap around, to root too. */
const MAX_UID = 2_147_483_647

export const userNonroot = defineRule({
  id: 'user.nonroot',
  title: 'The image does not run as root',
  why: 'Root in the container is one kernel or mount mistake away from root on the host.',
  fix: 'End the Dockerfile with USER and a numeric user other than 0.',
  severity: 'high',
  phase: 'image',
  needs: ['subject', 'contents'],
  controls: [
    'CIS Docker 1.6.0 4.1',
    'OWASP Docker Top 10 D01',
    'Kubernetes Pod Security Standards restricted: runAsNonRoot',
    'NIST CSF 2.0 PR.PS-01',
  ],
  check(given, context): CheckResult {
    const violations = given.platforms.flatMap(one => {
      const config = given.subject.platforms.find(child => child.platform === one.platform)?.config
      const fault = rootFault(config?.user ?? '', one.contents.users)
      return fault === undefined ? [] : [userViolation(one.platform, fault, context)]
    })
    return { checked: given.platforms.length, violations }
  },
})

/**
 * Why a configured user (OCI image configuration, `User`) is root or cannot be told, or undefined when it is
 * neither. As engines do, an entry of /etc/passwd is found by name or by uid, so a user *named* `1000` may be root.
 */
export function rootFault(user: string, users: readonly ImageUser[]): string | undefined {
  const name = user.split(':')[0]?.trim() ?? ''
  if (name === '') return 'no USER is set, so it runs as root'
  const uid = /^[+-]?\d+$/.test(name) ? Number(name) : undefined
  const entries = users.filter(entry => entry.name === name || entry.uid === uid)
  if (uid === 0 || entries.some(entry => entry.uid === 0)) return `USER ${name} is root (uid 0)`
  if (uid !== undefined && (uid < 0 || uid > MAX_UID)) return `USER ${name} is no usable uid`
  if (uid === undefined && entries.length === 0) return `USER ${name} is not in /etc/passwd of the image`
  return undefined
}

function userViolation(platform: string, fault: string, context: RuleContext): Violation {
  const dockerfile = context.evidence.dockerfile
  const user = dockerfile.state === 'present' ? dockerfile.value.user : undefined
  const place = user === undefined ? finalStage(dockerfile) : { location: user.location }
  const change = user === undefined ? 'add USER 65532:65532 at the end of the last stage' : 'USER 65532:65532'
  return {
    rule: 'user.nonroot',
    thing: fault,
    platforms: [platform],
    severity: 'high',
    message: `The image does not run as a known user other than root: ${fault}`,
    fix: change,
    ...place,
    origin: user === undefined ? 'unknown' : 'own',
    fingerprint: fingerprint({ rule: 'user.nonroot' }),
  }
}
