import type { RunRecord } from '../record/record.js'
import type { RuleResult, Violation } from '../policy/verdict.js'

/** One violation of an enforced or warning rule, with the rule's mode. */
export interface Listed {
  readonly violation: Violation
  readonly mode: RuleResult['mode']
}

const RANK = { critical: 0, high: 1, unknown: 2, medium: 3, low: 4 } as const

/** Violations of one mode, most severe first, then by rule and thing, so that the order never changes. */
export function violationsOf(record: RunRecord, mode: 'enforce' | 'warn'): readonly Violation[] {
  const results = record.verdict?.results ?? []
  return results
    .filter(result => result.mode === mode)
    .flatMap(result => result.violations)
    .toSorted(
      (a, b) => RANK[a.severity] - RANK[b.severity] || compare(a.rule, b.rule) || compare(a.thing, b.thing),
    )
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}

/** Enforced rules without an answer, and why. */
export function undecidedOf(record: RunRecord): readonly { readonly rule: string; readonly why: string }[] {
  const results = record.verdict?.results ?? []
  return results
    .filter(result => result.mode === 'enforce' && result.outcome === 'unknown')
    .flatMap(result => result.unknown.map(why => ({ rule: result.rule, why })))
}

/** The one sentence that says how the run ended; plain text of our own and the image's validated name. */
export function headline(record: RunRecord): string {
  const image = record.request.image
  if (record.reason === 'cancelled') return `${image}: stopped before it was decided`
  if (record.exitCode === 2) return `${image}: the configuration needs a change`
  if (record.outcome === 'incomplete') return `${image}: could not decide; neither clean nor vulnerable`
  const count = violationsOf(record, 'enforce').length
  const things = count === 1 ? '1 thing to change' : `${count} things to change`
  if (record.outcome === 'fail' && record.exitCode === 0)
    return `${image}: would have failed (audit): ${things}`
  if (record.outcome === 'fail') return `${image}: ${things}`
  if (record.release.state === 'released') return `${image}: passed, signed, verified${taggedAs(record)}`
  return `${image}: passed`
}

function taggedAs(record: RunRecord): string {
  const tags = record.release.tags.map(tag => tag.tag)
  return tags.length === 0 ? '' : `, tagged ${tags.join(', ')}`
}

/** What became of the image outside this machine, in one sentence. */
export function publication(record: RunRecord): string {
  const { release } = record
  switch (release.state) {
    case 'not-wanted':
      return 'Nothing was pushed: this run was not asked to publish.'
    case 'refused':
      return 'Nothing was pushed.'
    case 'failed':
      return release.served === undefined
        ? 'The release failed; no tag was set.'
        : 'The release failed after the push by digest; no new tag was verified.'
    case 'pushed':
      return 'Pushed by digest, not tagged.'
    case 'released':
      return 'Pushed by digest, read back, signed, attested, verified, then tagged.'
  }
}
