import type { RunRecord } from '../record/record.js'
import type { Violation } from '../policy/verdict.js'
import { headline, publication, undecidedOf, violationsOf } from './headline.js'
import { visible } from './markdown.js'
import { custody, suppressedOf, toleratedOf, toleratedWords, whereOf } from './sections.js'

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

/** The report for a terminal: verdict first, then what to change, then where everything is. */
export function renderTerminal(record: RunRecord, paint: Paint = PLAIN): string {
  const lines = [
    verdictLine(record, paint),
    ...record.problems.flatMap(problem => [
      '',
      paint.yellow(`  ${problem.stage}: ${problem.reason}`),
      ...problem.message.split('\n').map(line => `    ${visible(line)}`),
    ]),
    ...undecidedOf(record).flatMap(item => [
      '',
      paint.yellow(`  undecided: ${item.rule}`),
      `    ${visible(item.why)}`,
    ]),
    ...changes(record, paint),
    ...aside(record, paint),
    '',
    `  ${record.packages} packages. ${publication(record)}`,
    ...custody(record).map(([what, value]) => paint.dim(`  ${what.padEnd(20)} ${visible(value)}`)),
  ]
  const command = record.release.verifyCommand
  return [
    ...lines,
    ...(command === undefined ? [] : ['', '  Verify it yourself:', '', `    ${command}`]),
    '',
  ].join('\n')
}

function verdictLine(record: RunRecord, paint: Paint): string {
  const text = paint.bold(`${record.outcome.toUpperCase()}  ${visible(headline(record))}`)
  if (record.outcome === 'pass') return paint.green(text)
  return record.outcome === 'fail' ? paint.red(text) : paint.yellow(text)
}

function changes(record: RunRecord, paint: Paint): readonly string[] {
  const violations = violationsOf(record, 'enforce')
  const shown = violations.slice(0, ROWS)
  return [
    ...shown.flatMap((violation, at) => ['', ...item(record, violation, `${at + 1}.`, paint)]),
    ...(violations.length > ROWS ? ['', `  and ${violations.length - ROWS} more in portcullis.json`] : []),
  ]
}

function item(record: RunRecord, violation: Violation, mark: string, paint: Paint): readonly string[] {
  const where = whereOf(violation, record.subject?.platforms.length ?? 1).map(visible)
  return [
    `  ${mark} ${visible(violation.message)} ${paint.dim(`[${violation.rule}]`)}`,
    ...(where.length > 0 ? [`     from    ${where.join(', ')}`] : []),
    ...(violation.fix === undefined ? [] : [`     change  ${paint.bold(visible(violation.fix))}`]),
  ]
}

function aside(record: RunRecord, paint: Paint): readonly string[] {
  const warned = violationsOf(record, 'warn')
  const words = [
    ...toleratedWords(toleratedOf(record)),
    ...(suppressedOf(record).length > 0 ? [`${suppressedOf(record).length} accepted by an exception`] : []),
  ]
  return [
    ...(warned.length > 0 ? ['', paint.yellow(`  ${warned.length} warnings, not blocking`)] : []),
    ...warned.slice(0, WARNINGS).flatMap(violation => item(record, violation, '-', paint)),
    ...(warned.length > WARNINGS ? [`  and ${warned.length - WARNINGS} more in portcullis.json`] : []),
    ...(words.length > 0 ? ['', `  Does not block: ${words.join(', ')}.`] : []),
    ...record.warnings.map(text => `  Note: ${visible(text)}`),
    ...(record.verdict?.exceptions ?? [])
      .filter(use => use.state !== 'used')
      .map(use => `  Exception ${visible(use.id)} is ${use.state}: ${visible(use.detail)}`),
  ]
}
