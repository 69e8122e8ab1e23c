import type { Evidence } from '../evidence/evidence.js'
import type { Severity } from '../evidence/scan.js'
import type { Need, Present } from './needs.js'
import type { ResolvedPolicy } from './resolve.js'
import type { RuleId } from './rule-ids.js'
import { unwrap } from './unwrap.js'
import type { Phase, Tolerated, Violation } from './verdict.js'

/** What a check may read beside what it needs. Evidence here is still `Known`: it may only make words better. */
export interface RuleContext {
  readonly policy: ResolvedPolicy
  readonly now: Date
  readonly evidence: Evidence
}

/** What a check found. `checked: 0` says that nothing was looked at, which is never a pass. */
export interface Checked {
  readonly checked: number
  readonly violations: readonly Violation[]
  readonly tolerated?: readonly Tolerated[]
  readonly unknown?: readonly string[]
  readonly warnings?: readonly string[]
}

export type CheckResult = Checked | { readonly notApplicable: string }

/** What an engine gets when it puts a rule to the evidence. */
export type RuleAnswer = CheckResult | { readonly unmet: readonly string[] }

/** The card of a rule: the table of docs/rules.md is made of it. */
export interface RuleCard {
  readonly id: RuleId
  readonly title: string
  readonly why: string
  readonly fix: string
  readonly severity: Severity
  readonly phase: Phase
  /** Ids of the controls that the rule gives evidence for, with the version of their benchmark. */
  readonly controls: readonly string[]
}

/** A rule as it is written: its check only ever sees evidence that is there. */
export interface RuleDefinition<K extends Need> extends RuleCard {
  readonly needs: readonly K[]
  readonly check: (given: Present<K>, context: RuleContext) => CheckResult
}

/** A rule as the engine sees it, whatever evidence it needs. */
export interface Rule extends RuleCard {
  readonly needs: readonly Need[]
  readonly judge: (context: RuleContext) => RuleAnswer
}

/** Hides which evidence a rule needs behind the unwrapping of it. */
export function defineRule<K extends Need>(definition: RuleDefinition<K>): Rule {
  const { check, ...card } = definition
  return {
    ...card,
    judge(context) {
      const given = unwrap(context.evidence, definition.needs)
      if (given.state === 'present') return check(given.value, context)
      return given.state === 'not-applicable' ? { notApplicable: given.why } : { unmet: given.why }
    },
  }
}
