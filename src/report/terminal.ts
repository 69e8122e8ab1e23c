import type { RunRecord } from '../record/record.js'
import { changesOf, type Change } from './changes.js'
import { custody } from './custody.js'
import { counted, headline, publication, undecidedOf } from './headline.js'
import { visible } from './markdown.js'
import { plainChange } from './plain.js'
import { harmlessWords, inventoryWords, lineOf, missingFix, originOf, sameLocally } from './sections.js'

/** Paints parts of the terminal report; the plain one changes nothing. */
export interface Paint {
  readonly bold: (text: string) => string
  readonly dim: (text: string) => string
  readonly red: (text: string) => string
  readonly green: (text: string) => string
  readonly yellow: (text: string) => string
}

export const PLAIN: Paint = {
  bold: text => text,
  dim: text => text,
  red: text => text,
  green: text => text,
  yellow: text => text,
}

const ROWS = 25
const WARNINGS = 5
const LINES = 40
const NOTES = 10
const MAX_LINE = 400
const COLUMN = 40

/**
 * The report for a terminal: verdict first, then what to change, what does not block, then the chain of custody.
 * No foreign text can move the cursor, colour, or start a workflow command; only `paint` writes such characters.
 */
export function renderTerminal(record: RunRecord, paint: Paint = PLAIN): string {
  const lines = [
    verdictLine(record, paint),
    ...problems(record, paint),
    ...undecided(record, paint),
    ...changes(record, paint),
    ...warnings(record, paint),
    ...harmless(record),
    '',
    ...inventoryWords(record).map(words => `  ${words}`),
    `  ${visible(publication(record), MAX_LINE)}`,
    ...chain(record, paint),
    ...commands(record),
    '',
  ]
  return lines.join('\n')
}

function verdictLine(record: RunRecord, paint: Paint): string {
  const text = paint.bold(`${verdictWord(record)}  ${visible(headline(record), MAX_LINE)}`)
  if (record.outcome === 'pass') return paint.green(text)
  return record.outcome === 'fail' ? paint.red(text) : paint.yellow(text)
}

function verdictWord(record: RunRecord): string {
  if (record.exitCode === 2) return 'CONFIG'
  if (record.outcome === 'fail' && record.exitCode === 0) return 'AUDIT'
  return record.outcome.toUpperCase()
}

function problems(record: RunRecord, paint: Paint): readonly string[] {
  const shown = record.problems.slice(0, ROWS).flatMap(problem => {
    const lines = problem.message.split('\n')
    return [
      '',
      paint.yellow(`  ${problem.stage}: ${visible(problem.reason)}`),
      ...lines.slice(0, LINES).map(line => `    ${visible(line, MAX_LINE)}`),
      ...(lines.length > LINES ? [`    and ${lines.length - LINES} more lines in portcullis.json`] : []),
    ]
  })
  return [...shown, ...more(record.problems.length, ROWS)]
}

function undecided(record: RunRecord, paint: Paint): readonly string[] {
  const items = undecidedOf(record)
  const shown = items
    .slice(0, ROWS)
    .flatMap(item => [
      '',
      paint.yellow(`  undecided: ${visible(item.rule)}`),
      `    ${visible(item.why, MAX_LINE)}`,
    ])
  return [...shown, ...more(items.length, ROWS)]
}

function changes(record: RunRecord, paint: Paint): readonly string[] {
  const found = changesOf(record, 'enforce')
  const title = found.length > 0 && record.outcome === 'incomplete' ? ['', '  Also to change:'] : []
  const shown = found
    .slice(0, ROWS)
    .flatMap((change, at) => ['', ...item(record, change, { mark: `${at + 1}.`, paint })])
  return [...title, ...shown, ...more(found.length, ROWS)]
}

function item(
  record: RunRecord,
  change: Change,
  given: { readonly mark: string; readonly paint: Paint },
): readonly string[] {
  const { mark, paint } = given
  const { what, change: fix } = plainChange(change, MAX_LINE)
  const where = whereOf(record, change)
  const instead = fix === undefined ? missingFix(change) : paint.bold(fix)
  const indent = ' '.repeat(mark.length + 3)
  return [
    `  ${mark} ${what} ${paint.dim(`[${visible(change.rules.join(', '), MAX_LINE)}]`)}`,
    ...(where.length > 0 ? [`${indent}from    ${visible(where.join(', '), MAX_LINE)}`] : []),
    ...(instead === '' ? [] : [`${indent}change  ${instead}`]),
  ]
}

function whereOf(record: RunRecord, change: Change): readonly string[] {
  const line = lineOf(change)
  const [path] = change.imagePaths
  const more = change.imagePaths.length - 1
  return [
    ...(line === undefined ? [] : [line]),
    ...(path === undefined ? [] : [`in ${path}${more > 0 ? ` and ${more} more files` : ''}`]),
    ...originOf(change, record.subject?.platforms.length ?? 1),
  ]
}

function warnings(record: RunRecord, paint: Paint): readonly string[] {
  const found = changesOf(record, 'warn')
  if (found.length === 0) return []
  return [
    '',
    paint.yellow(`  ${counted(found.length, 'warning', 'warnings')}, not blocking:`),
    ...found.slice(0, WARNINGS).flatMap(change => item(record, change, { mark: '-', paint })),
    ...more(found.length, WARNINGS),
  ]
}

function harmless(record: RunRecord): readonly string[] {
  const words = harmlessWords(record)
  return [
    ...(words.length > 0 || record.warnings.length > 0 ? [''] : []),
    ...(words.length > 0 ? [`  Does not block: ${visible(words.join(', '))}.`] : []),
    ...record.warnings.slice(0, NOTES).map(text => `  Note: ${visible(text, MAX_LINE)}`),
    ...more(record.warnings.length, NOTES),
  ]
}

function more(count: number, shown: number): readonly string[] {
  return count > shown ? [`  and ${count - shown} more in portcullis.json`] : []
}

function chain(record: RunRecord, paint: Paint): readonly string[] {
  const links = custody(record).map(([what, value]) => [visible(what, COLUMN), value] as const)
  const width = Math.max(0, ...links.map(([what]) => what.length))
  const lines = links.map(([what, value]) => `  ${what.padEnd(width)} ${visible(value, MAX_LINE)}`)
  return lines.length === 0 ? [] : ['', ...lines.map(line => paint.dim(line))]
}

/** Commands to paste; one that holds control characters is shown, not to be pasted, with `�` in their place. */
function commands(record: RunRecord): readonly string[] {
  const verify = record.release.verifyCommand
  const local = sameLocally(record)
  return [
    ...(verify === undefined ? [] : ['', '  Verify it yourself:', '', `    ${visible(verify)}`]),
    ...(local === undefined ? [] : ['', `  Same on a terminal: ${visible(local, MAX_LINE)}`]),
  ]
}
