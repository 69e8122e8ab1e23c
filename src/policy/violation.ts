import { canonicalJson, sha256Hex } from '../evidence/canonical.js'
import type { DockerfileFacts } from '../evidence/evidence.js'
import type { ImageContents, SourceLocation } from '../evidence/image.js'
import type { Known } from '../evidence/known.js'
import { SEVERITIES } from '../evidence/scan.js'
import type { Severity } from '../evidence/scan.js'
import { purlKey } from './purl.js'
import type { RuleId } from './rule-ids.js'
import type { Violation } from './verdict.js'

/**
 * Names a violation across runs, versions and platforms: SHA-256 (hex) over rule, advisory (or what stands for
 * it), purl without version and qualifiers, and path.
 */
export function fingerprint(parts: {
  readonly rule: RuleId
  readonly advisory?: string
  readonly purl?: string
  readonly path?: string
}): string {
  const purl = parts.purl === undefined ? '' : purlKey(parts.purl)
  return sha256Hex(canonicalJson([parts.rule, parts.advisory ?? '', purl, parts.path ?? '']))
}

/** True when `left` is as bad as `right` or worse. `unknown` stands below all assigned severities. */
export function isAtLeast(left: Severity, right: Severity): boolean {
  return SEVERITIES.indexOf(left) <= SEVERITIES.indexOf(right)
}

/**
 * Whether a layer came with the base image or is the repository's own, and the Dockerfile line that answers for it:
 * the FROM of the base or the instruction. Unknown, without a line, where the layer pass could not be certain.
 */
export function originOfLayer(
  contents: Known<ImageContents>,
  layer: string | undefined,
): { readonly origin: Violation['origin']; readonly location?: SourceLocation } {
  if (contents.state !== 'present' || layer === undefined) return { origin: 'unknown' }
  const found = contents.value.layers.find(one => one.diffId === layer)
  if (found === undefined) return { origin: 'unknown' }
  const { instruction } = found
  // Records of versions that told base layers apart in no other way have an instruction for own ones alone.
  const origin = found.origin ?? (instruction === undefined ? 'unknown' : 'own')
  return { origin, ...(instruction === undefined ? {} : { location: instruction }) }
}

/** Where to point when something is absent from the image: the last FROM, when there is a Dockerfile. */
export function finalStage(dockerfile: Known<DockerfileFacts>): { readonly location?: SourceLocation } {
  return dockerfile.state === 'present' ? { location: dockerfile.value.finalStage } : {}
}

/**
 * Joins violations of one fingerprint: one violation naming all platforms, all things and aliases, with the
 * worst severity. The order is: worst first, then by thing.
 */
export function joinViolations(violations: readonly Violation[]): Violation[] {
  const joined = new Map<string, Violation>()
  for (const violation of violations) {
    const before = joined.get(violation.fingerprint)
    joined.set(violation.fingerprint, before === undefined ? violation : merged(before, violation))
  }
  return [...joined.values()].sort(
    (left, right) =>
      SEVERITIES.indexOf(left.severity) - SEVERITIES.indexOf(right.severity) ||
      compareText(left.thing, right.thing) ||
      compareText(left.fingerprint, right.fingerprint),
  )
}

function merged(left: Violation, right: Violation): Violation {
  const aliases = union(left.aliases ?? [], right.aliases ?? [])
  const things = union(left.thing.split(', '), right.thing.split(', '))
  return {
    ...right,
    ...left,
    thing: things.join(', '),
    platforms: union(left.platforms, right.platforms),
    severity: isAtLeast(left.severity, right.severity) ? left.severity : right.severity,
    ...(aliases.length === 0 ? {} : { aliases }),
  }
}

function union(left: readonly string[], right: readonly string[]): string[] {
  return [...new Set([...left, ...right])].sort(compareText)
}

function compareText(left: string, right: string): number {
  if (left === right) return 0
  return left < right ? -1 : 1
}
