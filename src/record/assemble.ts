import { comparablePurl } from '../evidence/purl.js'
import { NOT_SEARCHED, SEVERITIES, type Severity } from '../evidence/scan.js'
import type { Evidence } from '../evidence/evidence.js'
import type { RuleResult, Verdict } from '../policy/verdict.js'
import type { Problem, ReleaseRecord, RunRecord, SbomScore, SecretSearch } from './record.js'

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
 * Combines verdict, problems and release into one ending. Incomplete outranks fail, which outranks pass: whatever
 * problem there is, the run is incomplete. A verdict alone never passes: it needs a subject, an enforced rule that
 * passed, no enforced rule that failed or is undecided, and a release that did not fail.
 */
export function endingOf(facts: EndingFacts): Ending {
  const { verdict, problems, release } = facts
  if (facts.signal) {
    return { outcome: 'incomplete', exitCode: facts.signal === 'SIGINT' ? 130 : 143, reason: 'cancelled' }
  }
  const first = problems[0]
  if (first && problems.every(problem => problem.code === 'config')) {
    return { outcome: 'incomplete', exitCode: 2, reason: first.reason }
  }
  if (first) return incomplete(first.reason)
  if (verdict === null) return incomplete('no-verdict')
  const undecided = enforced(verdict.results, 'unknown')
  if (verdict.outcome === 'incomplete' || undecided) return incomplete(undecided?.rule ?? 'no-rule-applied')
  if (release.state === 'failed') return incomplete('release-failed')
  const failed = enforced(verdict.results, 'fail')
  if (verdict.outcome === 'fail' || failed) {
    const blocks = verdict.blocks || verdict.mode === 'enforce'
    return { outcome: 'fail', exitCode: blocks ? 1 : 0, reason: failed?.rule ?? 'no-rule-applied' }
  }
  if (verdict.subject === null) return incomplete('no-subject')
  if (!enforced(verdict.results, 'pass')) return incomplete('no-rule-applied')
  if (release.state === 'refused') return incomplete('release-refused')
  return { outcome: 'pass', exitCode: 0, reason: 'clean' }
}

function incomplete(reason: string): Ending {
  return { outcome: 'incomplete', exitCode: 3, reason }
}

function enforced(results: readonly RuleResult[], outcome: RuleResult['outcome']): RuleResult | undefined {
  return results.find(result => result.mode === 'enforce' && result.outcome === outcome)
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

/**
 * Findings by severity, each advisory on each package and path counted once over all platforms, with the worst
 * severity it has on any of them.
 */
export function countFindings(evidence: Evidence | null): Readonly<Record<Severity, number>> {
  const seen = new Map<string, Severity>()
  for (const platform of evidence?.platforms ?? []) {
    if (platform.vulnerabilities.state !== 'present') continue
    for (const finding of platform.vulnerabilities.value.findings) {
      const key = JSON.stringify([finding.id, comparablePurl(finding.purl), finding.path ?? ''])
      seen.set(key, worse(seen.get(key) ?? finding.severity, finding.severity))
    }
  }
  const counts = { critical: 0, high: 0, medium: 0, low: 0, unknown: 0 }
  for (const severity of seen.values()) counts[severity] += 1
  return counts
}

function worse(left: Severity, right: Severity): Severity {
  return SEVERITIES.indexOf(left) <= SEVERITIES.indexOf(right) ? left : right
}

/** What was searched for secrets on all platforms; undefined where a search is missing or did not count. */
export function countSecretSearch(evidence: Evidence | null): SecretSearch | undefined {
  let searched = 0
  const left = new Map<SecretSearch['notSearched'][number]['reason'], number>()
  for (const { secrets } of evidence?.platforms ?? []) {
    if (secrets.state !== 'present' || secrets.value.searched === undefined) return undefined
    searched += secrets.value.searched
    for (const { reason, files } of secrets.value.notSearched ?? [])
      left.set(reason, (left.get(reason) ?? 0) + files)
  }
  if (!evidence?.platforms.length) return undefined
  const notSearched = NOT_SEARCHED.flatMap(reason => {
    const files = left.get(reason)
    return files === undefined ? [] : [{ reason, files }]
  })
  return { searched, notSearched }
}

/** Packages of all platforms, each purl without qualifiers counted once. */
export function countPackages(evidence: Evidence | null): number {
  const purls = new Set<string>()
  for (const platform of evidence?.platforms ?? []) {
    if (platform.vulnerabilities.state !== 'present') continue
    for (const item of platform.vulnerabilities.value.packages) purls.add(comparablePurl(item.purl))
  }
  return purls.size
}

/** How far each SBOM of each platform has the minimum elements, as far as that was counted. */
export function sbomScores(evidence: Evidence | null): readonly SbomScore[] {
  return (evidence?.platforms ?? []).flatMap(({ platform, sboms }) =>
    sboms.state !== 'present'
      ? []
      : sboms.value.documents.flatMap(({ format, minimum }) =>
          minimum === undefined ? [] : [{ platform, format, minimum }],
        ),
  )
}
