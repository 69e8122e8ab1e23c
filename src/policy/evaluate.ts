import type { Evidence } from '../evidence/evidence.js'
import { applyExceptions, exceptionUses } from './exceptions.js'
import type { ResolvedPolicy } from './resolve.js'
import type { Checked, Rule, RuleContext } from './rule.js'
import { RULES } from './rules/index.js'
import type { ExceptionUse, Outcome, Phase, RuleResult, Suppressed, Verdict, Violation } from './verdict.js'
import { joinViolations } from './violation.js'

export interface JudgeInput {
  readonly policy: ResolvedPolicy
  readonly evidence: Evidence
  /** Rules of other phases are left out of the verdict. */
  readonly phases: readonly Phase[]
  readonly now: Date
}

/** The only rule that exceptions of the policy reach: never KEV, secrets, tools or missing evidence. */
const EXCEPTABLE = 'vulnerability.severity'

interface Judged {
  readonly result: RuleResult
  readonly warnings: readonly string[]
  /** Uses of each exception by its index; null when this rule knows none. */
  readonly used: ReadonlyMap<number, number> | null
}

/**
 * Judges the evidence of an image by a policy at a time. Pure: the same input gives the same verdict. An enforced
 * rule that cannot be answered makes it `incomplete`, which outranks `fail`, which outranks `pass`. Without a
 * subject, or without one enforced rule that applies, nothing passes. Mode `audit` keeps `fail` but does not
 * block; `incomplete` always blocks. A verdict over phase `source` alone is never `pass` where no enforced rule
 * of that phase applies: ask `enforcedOutcome` whether to go on.
 */
export function judge(input: JudgeInput): Verdict {
  const { policy, evidence, phases, now } = input
  const rules = RULES.filter(rule => phases.includes(rule.phase))
  const judged = rules.map(rule => judgeRule(rule, { policy, evidence, now }))
  const results = judged.map(one => one.result)
  const subject = evidence.subject.state === 'present' ? evidence.subject.value : null
  const lacks = lackOf(results, input)
  const outcome = lacks.length > 0 ? 'incomplete' : (enforcedOutcome(results) ?? 'pass')
  const exceptions = usesOf(judged, input)
  return {
    outcome,
    mode: policy.mode,
    blocks: outcome === 'incomplete' || (outcome === 'fail' && policy.mode === 'enforce'),
    results,
    exceptions,
    warnings: [...lacks, ...judged.flatMap(one => one.warnings), ...warningsOf(outcome, exceptions, policy)],
    subject: subject === null ? null : { name: subject.name, digest: subject.digest },
    policy: { digest: policy.digest, origin: policy.origin, profiles: policy.profiles },
    decidedAt: now.toISOString(),
  }
}

/** What stops: `incomplete` before `fail` among the enforced rules, null when none of them stops. */
export function enforcedOutcome(results: readonly RuleResult[]): Exclude<Outcome, 'pass'> | null {
  const outcomes = new Set(results.filter(one => one.mode === 'enforce').map(one => one.outcome))
  if (outcomes.has('unknown')) return 'incomplete'
  return outcomes.has('fail') ? 'fail' : null
}

/** Why a verdict could not be a pass even though no rule stops it. */
function lackOf(results: readonly RuleResult[], input: JudgeInput): string[] {
  const { evidence, phases } = input
  const lacks: string[] = []
  const subject = evidence.subject
  if (phases.some(phase => phase !== 'source')) {
    if (subject.state !== 'present') lacks.push('There is no image to judge.')
    else if (subject.value.platforms.length === 0) lacks.push('The image has no platform to judge.')
  }
  const answered = results.some(
    one =>
      one.mode === 'enforce' &&
      (one.outcome === 'pass' || one.outcome === 'fail' || one.outcome === 'unknown'),
  )
  if (!answered) lacks.push('No enforced rule applies, so nothing was decided.')
  return lacks
}

function judgeRule(rule: Rule, context: RuleContext): Judged {
  const mode = context.policy.rules[rule.id].mode
  const card = {
    rule: rule.id,
    title: rule.title,
    phase: rule.phase,
    mode,
    severity: rule.severity,
    controls: rule.controls,
  }
  const nothing = { ...card, checked: 0, violations: [], suppressed: [], tolerated: [], unknown: [] }
  if (mode === 'off') return { result: { ...nothing, outcome: 'off' }, warnings: [], used: null }
  const answer = rule.judge(context)
  if ('unmet' in answer) {
    return { result: { ...nothing, outcome: 'unknown', unknown: answer.unmet }, warnings: [], used: null }
  }
  if ('notApplicable' in answer) {
    const result: RuleResult = { ...nothing, outcome: 'not-applicable', notApplicable: answer.notApplicable }
    return { result, warnings: [], used: rule.id === EXCEPTABLE ? new Map() : null }
  }
  return judgeChecked(answer, card, context)
}

function judgeChecked(
  answer: Checked,
  card: Pick<RuleResult, 'rule' | 'title' | 'phase' | 'mode' | 'severity' | 'controls'>,
  context: RuleContext,
): Judged {
  const unknown = [...(answer.unknown ?? [])]
  if (answer.checked === 0) unknown.push('the rule looked at nothing')
  const excepts = card.rule === EXCEPTABLE
  const sifted = excepts
    ? applyExceptions(answer.violations, context.policy.exceptions, context.now)
    : { violations: answer.violations, suppressed: [], used: null }
  const violations = joinViolations(sifted.violations)
  const result: RuleResult = {
    ...card,
    outcome: outcomeOf(unknown, violations),
    checked: answer.checked,
    violations,
    suppressed: joinSuppressed(sifted.suppressed),
    tolerated: answer.tolerated ?? [],
    unknown,
  }
  return { result, warnings: answer.warnings ?? [], used: unknown.length > 0 ? null : sifted.used }
}

function outcomeOf(
  unknown: readonly string[],
  violations: readonly Violation[],
): 'unknown' | 'fail' | 'pass' {
  if (unknown.length > 0) return 'unknown'
  return violations.length > 0 ? 'fail' : 'pass'
}

/** Joins what is suppressed as violations are joined, apart for each exception that permits it. */
function joinSuppressed(suppressed: readonly Suppressed[]): Suppressed[] {
  const groups = new Map<string, Suppressed[]>()
  for (const one of suppressed) {
    const { id, owner, expires, reason } = one.exception
    const key = JSON.stringify([id, owner, expires, reason])
    const group = groups.get(key)
    if (group === undefined) groups.set(key, [one])
    else group.push(one)
  }
  return [...groups.values()].flatMap(group => {
    const exception = group[0]?.exception
    if (exception === undefined) return []
    return joinViolations(group.map(one => one.violation)).map(violation => ({ violation, exception }))
  })
}

function usesOf(judged: readonly Judged[], input: JudgeInput): ExceptionUse[] {
  const one = judged.find(each => each.result.rule === EXCEPTABLE)
  return one === undefined ? [] : exceptionUses(input.policy.exceptions, one.used, input.now)
}

function warningsOf(outcome: Outcome, exceptions: readonly ExceptionUse[], policy: ResolvedPolicy): string[] {
  const warnings = exceptions
    .filter(use => use.state !== 'used')
    .map(use => `Exception ${use.id} of ${use.owner}: ${use.detail}.`)
  if (policy.mode === 'audit' && outcome === 'fail') {
    warnings.push('The policy is in mode audit: this would have failed, and it does not block.')
  }
  return warnings
}
