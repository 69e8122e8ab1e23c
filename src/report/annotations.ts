import type { RunRecord } from '../record/record.js'
import type { Violation } from '../policy/verdict.js'
import { headline, undecidedOf, violationsOf } from './headline.js'
import { visible } from './markdown.js'

/** One annotation of the job: on a line of the repository when the place is known. */
export interface Annotation {
  readonly level: 'error' | 'warning' | 'notice'
  readonly title: string
  readonly message: string
  readonly file?: string
  readonly line?: number
}

/** The runner keeps ten of each level per step (actions/runner, `_maxCountPerIssueType`). */
const PER_LEVEL = 10

/**
 * Annotations of a run: problems and enforced violations as errors, the rest as warnings; one per place,
 * grouped, at most ten a level with the number of those left out. Texts are one line each, inert.
 */
export function renderAnnotations(record: RunRecord): readonly Annotation[] {
  const errors = [
    ...record.problems.map(problem => plain('error', `${problem.stage}: ${problem.reason}`, problem.message)),
    ...undecidedOf(record).map(item => plain('error', `Undecided: ${item.rule}`, item.why)),
    ...grouped(violationsOf(record, 'enforce'), record.exitCode === 0 ? 'warning' : 'error'),
  ]
  const warnings = [
    ...grouped(violationsOf(record, 'warn'), 'warning'),
    ...record.warnings.map(text => plain('warning', 'Portcullis', text)),
  ]
  return [...limited(errors, record), ...limited(warnings, record)]
}

function plain(level: Annotation['level'], title: string, message: string): Annotation {
  return { level, title: visible(title), message: lines(message) }
}

function lines(text: string): string {
  return text.split('\n').map(visible).join('\n')
}

function grouped(violations: readonly Violation[], level: Annotation['level']): readonly Annotation[] {
  const places = new Map<string, Violation[]>()
  for (const violation of violations) {
    const { location } = violation
    const place = location ? `${location.file}:${location.line}` : violation.rule
    places.set(place, [...(places.get(place) ?? []), violation])
  }
  return [...places.values()].map(group => annotationOf(group, level))
}

function annotationOf(group: readonly Violation[], level: Annotation['level']): Annotation {
  const rules = [...new Set(group.map(violation => violation.rule))]
  const shown = group.slice(0, 15).map(violation => {
    const fix = violation.fix === undefined ? '' : ` Change: ${visible(violation.fix)}`
    return `${visible(violation.message)}${fix}`
  })
  const more = group.length > shown.length ? [`and ${group.length - shown.length} more in the report`] : []
  const location = group[0]?.location
  return {
    level,
    title: rules.join(', '),
    message: [...shown, ...more].join('\n'),
    ...(location ? { file: location.file, line: location.line } : {}),
  }
}

function limited(annotations: readonly Annotation[], record: RunRecord): readonly Annotation[] {
  if (annotations.length <= PER_LEVEL) return annotations
  const level = annotations[0]?.level ?? 'error'
  const rest = `and ${annotations.length - PER_LEVEL + 1} more places in the job summary and portcullis.json`
  return [...annotations.slice(0, PER_LEVEL - 1), plain(level, headline(record), rest)]
}
