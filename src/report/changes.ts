import type { SourceLocation } from '../evidence/image.js'
import type { Severity } from '../evidence/scan.js'
import type { RuleMode, Verdict, Violation } from '../policy/verdict.js'
import type { RunRecord } from '../record/record.js'

/** One advisory of a package that has to change. */
export interface Advisory {
  readonly id: string
  readonly severity: Severity
  readonly exploited: boolean
  readonly fixable: boolean
}

/** What one edit mends: all advisories of one package at one place, or one violation of another kind. */
export interface Change {
  readonly severity: Severity
  readonly rules: readonly string[]
  /** Name and version of the package, for findings of packages. */
  readonly package?: string
  /** Worst first; empty for other kinds. */
  readonly advisories: readonly Advisory[]
  readonly message: string
  readonly fix?: string
  readonly location?: SourceLocation
  readonly imagePaths: readonly string[]
  readonly origin: Violation['origin']
  readonly platforms: readonly string[]
}

/** Reading order: what nobody assigned a severity to stands before medium, since it may be anything. */
const RANK = { critical: 0, high: 1, unknown: 2, medium: 3, low: 4 } as const
/** How much of a text is looked at to order it, in UTF-16 code units. */
const COMPARED = 500
const EXPLOITED = 'vulnerability.kev'

/** Violations of the rules of one mode, in the order of the record. */
export function violationsOf(record: RunRecord, mode: RuleMode): readonly Violation[] {
  return (record.verdict?.results ?? [])
    .filter(result => result.mode === mode)
    .flatMap(result => result.violations)
}

/** How many changes the violations of one mode come to. */
export function countChanges(record: RunRecord, mode: RuleMode): number {
  return changesOf(record, mode).length
}

/** Changes of verdicts that were asked for before: every report of a run asks for the same. */
const KNOWN = new WeakMap<Verdict, Map<RuleMode, readonly Change[]>>()

/** The violations of one mode as the changes that mend them, worst first; the order never varies. */
export function changesOf(record: RunRecord, mode: RuleMode): readonly Change[] {
  const { verdict } = record
  if (verdict === null) return []
  const known = KNOWN.get(verdict) ?? new Map<RuleMode, readonly Change[]>()
  const changes = known.get(mode) ?? groupedChanges(record, mode)
  KNOWN.set(verdict, known.set(mode, changes))
  return changes
}

function groupedChanges(record: RunRecord, mode: RuleMode): readonly Change[] {
  const groups = new Map<string, Violation[]>()
  for (const [at, violation] of violationsOf(record, mode).entries()) {
    const key = keyOf(violation, at)
    const group = groups.get(key)
    if (group === undefined) groups.set(key, [violation])
    else group.push(violation)
  }
  return [...groups.values()].map(changeOf).sort(byWeight)
}

/** A package at one place of the repository is one change; everything else is a change of its own. */
function keyOf(violation: Violation, at: number): string {
  const { purl, advisory, location } = violation
  if (purl === undefined || advisory === undefined) return `${at}`
  return `${purl.split('?')[0] ?? purl}\n${location?.file ?? ''}\n${location?.line ?? ''}`
}

function changeOf(group: readonly Violation[]): Change {
  const sorted = group.toSorted((a, b) => RANK[a.severity] - RANK[b.severity] || compare(a.rule, b.rule))
  const [first] = sorted
  const advisories = advisoriesOf(sorted)
  const fix = highestFix(sorted)
  return {
    severity: first?.severity ?? 'unknown',
    rules: unique(sorted.map(violation => violation.rule)),
    ...(first?.advisory === undefined || first.purl === undefined ? {} : { package: packageOf(first) }),
    advisories,
    message: first?.message ?? '',
    ...(fix === undefined ? {} : { fix }),
    ...(first?.location === undefined ? {} : { location: first.location }),
    imagePaths: unique(sorted.flatMap(violation => violation.imagePath ?? [])),
    origin: first?.origin ?? 'unknown',
    platforms: unique(sorted.flatMap(violation => violation.platforms)),
  }
}

/** `requests 2.19.0`, out of `requests 2.19.0 (CVE-2018-18074)`. */
function packageOf(violation: Violation): string {
  return violation.thing.replaceAll(` (${violation.advisory ?? ''})`, '')
}

function advisoriesOf(sorted: readonly Violation[]): readonly Advisory[] {
  const found = new Map<string, Advisory>()
  for (const { advisory, severity, rule, fix } of sorted) {
    if (advisory === undefined) continue
    const before = found.get(advisory)
    found.set(advisory, {
      id: advisory,
      severity: before?.severity ?? severity,
      exploited: before?.exploited === true || rule === EXPLOITED,
      fixable: before?.fixable === true || fix !== undefined,
    })
  }
  return [...found.values()].sort(
    (a, b) =>
      Number(b.exploited) - Number(a.exploited) ||
      RANK[a.severity] - RANK[b.severity] ||
      a.id.length - b.id.length ||
      compare(a.id, b.id),
  )
}

/** Of several fixes of one package the one with the highest version: it mends the others too. */
function highestFix(group: readonly Violation[]): string | undefined {
  return unique(group.flatMap(violation => violation.fix ?? []))
    .sort(compareNumbered)
    .at(-1)
}

function byWeight(a: Change, b: Change): number {
  return (
    RANK[a.severity] - RANK[b.severity] ||
    Number(b.rules.includes(EXPLOITED)) - Number(a.rules.includes(EXPLOITED)) ||
    compare(a.rules[0] ?? '', b.rules[0] ?? '') ||
    compare(a.package ?? a.message, b.package ?? b.message)
  )
}

function unique<T>(items: readonly T[]): T[] {
  return [...new Set(items)]
}

/** Compares texts with the numbers in them as numbers, and `~` before everything, as Debian's versions do. */
function compareNumbered(left: string, right: string): number {
  const lefts = left.slice(0, COMPARED).match(/\d+|\D/gu) ?? []
  const rights = right.slice(0, COMPARED).match(/\d+|\D/gu) ?? []
  for (let at = 0; at < Math.max(lefts.length, rights.length); at += 1) {
    const order = comparePart(lefts[at] ?? '', rights[at] ?? '')
    if (order !== 0) return order
  }
  return 0
}

function comparePart(left: string, right: string): number {
  if (left === right) return 0
  if (left === '~' || right === '~') return left === '~' ? -1 : 1
  const numbers = /^\d/.test(left) && /^\d/.test(right)
  return numbers ? Number(left) - Number(right) : compare(left, right)
}

function compare(left: string, right: string): number {
  if (left === right) return 0
  return left < right ? -1 : 1
}
