import type { DockerfileFacts } from '../../evidence/evidence.js'
import type { Known } from '../../evidence/known.js'
import type { ImageConfig } from '../../evidence/subject.js'
import { defineRule } from '../rule.js'
import type { CheckResult, RuleContext } from '../rule.js'
import type { Violation } from '../verdict.js'
import { finalStage, fingerprint } from '../violation.js'

export const baseOnbuild = defineRule({
  id: 'base.onbuild',
  title: 'No build triggers (ONBUILD)',
  why: 'A trigger runs in the build of whoever builds on the image, and stands in no Dockerfile of theirs.',
  fix: 'Write the instruction into the Dockerfile that needs it, or take a base image without triggers.',
  severity: 'medium',
  phase: 'image',
  needs: ['subject'],
  controls: ['CIS Docker 1.6.0 4.2', 'NIST SP 800-218 1.1 PW.4.1', 'OWASP CI/CD Top 10 2022 CICD-SEC-4'],
  check(given, context): CheckResult {
    const platforms = given.subject.platforms
    const violations = platforms.flatMap(({ platform, config }) => triggersOf(config, platform, context))
    return { checked: platforms.length, violations }
  },
})

function triggersOf(config: ImageConfig, platform: string, context: RuleContext): Violation[] {
  const { dockerfile } = context.evidence
  const written = writtenTriggers(dockerfile)
  const kept = (config.onBuild ?? []).map(spaced)
  const ran = config.history.flatMap(entry => inHistory(entry.createdBy))
  const violations: Violation[] = []
  for (const trigger of new Set([...written.keys(), ...kept])) {
    const location = written.get(trigger)
    const place =
      location === undefined
        ? { ...finalStage(dockerfile), origin: 'unknown' as const }
        : { location, origin: 'own' as const }
    const message = `ONBUILD ${shortened(trigger)} runs in every image that is built on this one`
    violations.push(violation(trigger, platform, { message, ...place }))
  }
  for (const trigger of new Set(ran)) {
    if (written.has(trigger) || kept.includes(trigger)) continue
    const message = `A base image was made with the trigger ONBUILD ${shortened(trigger)}, which ran in the build on top of it`
    violations.push(violation(trigger, platform, { message, ...baseOf(dockerfile), origin: 'base' }))
  }
  return violations
}

function violation(
  trigger: string,
  platform: string,
  told: Pick<Violation, 'message' | 'origin' | 'location'>,
): Violation {
  return {
    rule: 'base.onbuild',
    thing: `ONBUILD ${shortened(trigger)}`,
    platforms: [platform],
    severity: 'medium',
    fix: 'write it into the Dockerfile that needs it, or take a base image without triggers',
    fingerprint: fingerprint({ rule: 'base.onbuild', advisory: trigger }),
    ...told,
  }
}

type Place = NonNullable<Violation['location']>

function writtenTriggers(dockerfile: Known<DockerfileFacts>): ReadonlyMap<string, Place> {
  if (dockerfile.state !== 'present') return new Map()
  const { instructions, chain } = dockerfile.value
  return new Map(
    instructions
      .filter(one => one.keyword === 'ONBUILD' && (chain === undefined || chain.includes(one.stage)))
      .map(one => [spaced(one.arguments), one.location]),
  )
}

function baseOf(dockerfile: Known<DockerfileFacts>): { readonly location?: Place } {
  if (dockerfile.state !== 'present') return {}
  return { location: dockerfile.value.base ?? dockerfile.value.finalStage }
}

/** Docker's classic builder and buildah note each trigger that an image is given; images built on it keep the note. */
function inHistory(createdBy: string): readonly string[] {
  const match = /^(?:(?:\|[0-9]+ .*)?\/bin\/sh -c #\(nop\) +)?ONBUILD (.+)$/s.exec(createdBy.trim())
  return match?.[1] === undefined ? [] : [spaced(match[1])]
}

function spaced(text: string): string {
  return text.replace(/\s+/g, ' ').trim()
}

function shortened(text: string): string {
  return text.length > 200 ? `${text.slice(0, 199)}…` : text
}
