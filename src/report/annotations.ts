import type { RunRecord } from '../record/record.js'
import { changesOf, type Change } from './changes.js'
import { headline, undecidedOf } from './headline.js'
import { visible } from './markdown.js'
import { plainChange } from './plain.js'
import { originOf } from './sections.js'

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
/** The runner cuts longer messages (actions/runner, `_maxIssueMessageLength` 4096). */
const MAX_MESSAGE = 4000
const MAX_LINE = 600
/** Most lines that are tried for one message. */
const LINES = 100

/** An annotation that is written out only when it is among those shown. */
interface Pending {
  readonly level: Annotation['level']
  readonly write: () => Annotation
}

/**
 * Annotations of a run: problems, undecided rules and enforced violations as errors, the rest as warnings; one per
 * place, grouped, at most ten of each level with the number of those left out. Texts are inert, with line breaks
 * of our own only.
 */
export function renderAnnotations(record: RunRecord): readonly Annotation[] {
  const all = [
    ...record.problems.map(problem => plain('error', `${problem.stage}: ${problem.reason}`, problem.message)),
    ...undecidedOf(record).map(item => plain('error', `Undecided: ${item.rule}`, item.why)),
    ...grouped(record, 'enforce', record.exitCode === 0 ? 'warning' : 'error'),
    ...grouped(record, 'warn', 'warning'),
    ...record.warnings.map(text => plain('warning', 'Portcullis', text)),
  ]
  return (['error', 'warning'] as const).flatMap(level =>
    limited(
      all.filter(pending => pending.level === level),
      { record, level },
    ),
  )
}

function plain(level: Annotation['level'], title: string, message: string): Pending {
  return {
    level,
    write: () => {
      const lines = message.split('\n').filter(line => line.trim() !== '')
      const shown = lines.slice(0, LINES).map(line => visible(line, MAX_LINE))
      return { level, title: visible(title, 200), message: joined(shown, lines.length) }
    },
  }
}

function grouped(
  record: RunRecord,
  mode: 'enforce' | 'warn',
  level: Annotation['level'],
): readonly Pending[] {
  const platforms = record.subject?.platforms.length ?? 1
  const places = new Map<string, Change[]>()
  for (const change of changesOf(record, mode)) {
    const { location } = change
    const place = location ? `${location.file}\n${location.line}` : change.rules.join(' ')
    const group = places.get(place)
    if (group === undefined) places.set(place, [change])
    else group.push(change)
  }
  return [...places.values()].map(group => {
    return { level, write: () => annotationOf(group, { level, platforms }) }
  })
}

function annotationOf(
  group: readonly Change[],
  given: { readonly level: Annotation['level']; readonly platforms: number },
): Annotation {
  const rules = [...new Set(group.flatMap(change => change.rules))]
  const lines = group.slice(0, LINES).map(change => {
    const { what, change: fix } = plainChange(change, MAX_LINE)
    const origin = originOf(change, given.platforms).join(', ')
    const where = origin === '' ? what : `${what} (${visible(origin, MAX_LINE)})`
    return fix === undefined ? where : `${where}. Change: ${fix}`
  })
  const location = group[0]?.location
  const known = location !== undefined && insideRepository(location.file)
  return {
    level: given.level,
    title: visible(rules.join(', '), 200),
    message: joined(lines, group.length),
    ...(known ? { file: location.file, line: location.line } : {}),
  }
}

/** Only a plain relative path of the repository may name the place of an annotation. */
function insideRepository(file: string): boolean {
  const plainText = file !== '' && file.length <= 1000 && visible(file) === file
  return plainText && !file.startsWith('/') && !file.split(/[/\\]/).includes('..')
}

/** Whole lines up to the length that the runner shows, then how many more of `total` there are. */
function joined(lines: readonly string[], total: number): string {
  let length = 0
  const end = lines.findIndex(line => (length += line.length + 1) > MAX_MESSAGE)
  const shown = end === -1 ? lines : lines.slice(0, end)
  const rest = total - shown.length
  return [...shown, ...(rest > 0 ? [`and ${rest} more in the job summary`] : [])].join('\n')
}

function limited(
  pending: readonly Pending[],
  given: { readonly record: RunRecord; readonly level: Annotation['level'] },
): readonly Annotation[] {
  if (pending.length <= PER_LEVEL) return pending.map(one => one.write())
  const rest = `and ${pending.length - PER_LEVEL + 1} more places in the job summary and portcullis.json`
  const last = plain(given.level, headline(given.record), rest)
  return [...pending.slice(0, PER_LEVEL - 1), last].map(one => one.write())
}
