import type { Severity } from '../evidence/scan.js'
import type { Evidence } from '../evidence/evidence.js'
import type { RuleResult, Verdict } from '../policy/verdict.js'
import type { Problem, ReleaseRecord, RunRecord } from './record.js'

/** How a run ended: the outcome, the exit code of the program and one stable word why. */
export interface Ending {
  readonly outcome: RunRecord['outcome']
  readonly exitCode: RunRecord['exitCode']
  readonly reason: string
}

/** What decides the ending. `signal` is set when the run was stopped from outside. */
export interface EndingFacts {
  readonly verdict: Verdict | null
  readonly problems: readonly Problem[]
  readonly release: ReleaseRecord
  readonly signal?: 'SIGINT' | 'SIGTERM'
}

/**
 * Combines verdict, problems and release into one ending.
 * Anything that is not a complete verdict is incomplete; without a verdict nothing can pass.
 */
export function endingOf(facts: EndingFacts): Ending {
  const { verdict, problems, release } = facts
  if (facts.signal) {
    return { outcome: 'incomplete', exitCode: facts.signal === 'SIGINT' ? 130 : 143, reason: 'cancelled' }
  }
  const config = problems.find(problem => problem.code === 'config')
  if (config) return { outcome: 'incomplete', exitCode: 2, reason: config.reason }
  const first = problems[0]
  if (first) return { outcome: 'incomplete', exitCode: 3, reason: first.reason }
  if (verdict === null) return { outcome: 'incomplete', exitCode: 3, reason: 'no-verdict' }
  if (verdict.outcome === 'incomplete') {
    return { outcome: 'incomplete', exitCode: 3, reason: firstRule(verdict.results, 'unknown') }
  }
  if (verdict.outcome === 'fail') {
    return { outcome: 'fail', exitCode: verdict.blocks ? 1 : 0, reason: firstRule(verdict.results, 'fail') }
  }
  if (release.state === 'failed') return { outcome: 'incomplete', exitCode: 3, reason: 'release-failed' }
  return { outcome: 'pass', exitCode: 0, reason: 'clean' }
}

function firstRule(results: readonly RuleResult[], outcome: 'fail' | 'unknown'): string {
  const found = results.find(result => result.mode === 'enforce' && result.outcome === outcome)
  return found?.rule ?? 'no-rule-applied'
}

/**
 * The verdict after the rules of phase `released` were judged too.
 * An enforced released rule that fails or is unknown changes the outcome; nothing is ever softened.
 */
export function withReleasedResults(verdict: Verdict, released: readonly RuleResult[]): Verdict {
  const results = [...verdict.results.filter(result => result.phase !== 'released'), ...released]
  const enforced = released.filter(result => result.mode === 'enforce').map(result => result.outcome)
  if (verdict.outcome === 'incomplete' || enforced.includes('unknown')) {
    return { ...verdict, results, outcome: 'incomplete', blocks: true }
  }
  if (!enforced.includes('fail')) return { ...verdict, results }
  return { ...verdict, results, outcome: 'fail', blocks: verdict.blocks || verdict.mode === 'enforce' }
}

/** Findings by severity, each advisory on each package counted once over all platforms. */
export function countFindings(evidence: Evidence | null): Readonly<Record<Severity, number>> {
  const seen = new Map<string, Severity>()
  for (const platform of evidence?.platforms ?? []) {
    if (platform.vulnerabilities.state !== 'present') continue
    for (const finding of platform.vulnerabilities.value.findings) {
      seen.set(`${finding.id}\0${finding.purl}\0${finding.path ?? ''}`, finding.severity)
    }
  }
  const counts = { critical: 0, high: 0, medium: 0, low: 0, unknown: 0 }
  for (const severity of seen.values()) counts[severity] += 1
  return counts
}

/** Packages of all platforms, each purl counted once. */
export function countPackages(evidence: Evidence | null): number {
  const purls = new Set<string>()
  for (const platform of evidence?.platforms ?? []) {
    if (platform.vulnerabilities.state !== 'present') continue
    for (const item of platform.vulnerabilities.value.packages) purls.add(item.purl)
  }
  return purls.size
}
