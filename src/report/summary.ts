import type { RunRecord } from '../record/record.js'
import type { RuleResult, Violation } from '../policy/verdict.js'
import { headline, publication, undecidedOf, violationsOf } from './headline.js'
import { code, details, inline, table, withinBudget } from './markdown.js'
import { custody, seconds, suppressedOf, toleratedOf, toleratedWords, whereOf } from './sections.js'

/** The runner drops a summary above 1 MiB whole; a margin for other writers of the same step. */
const BUDGET = 900_000
const ROWS = 100

/** Job summary: verdict first, then what to change, then details with the chain of custody. */
export function renderSummary(record: RunRecord): string {
  const blocks = [
    `### ${sign(record)} ${inline(headline(record), 400)}`,
    ...problems(record),
    ...undecided(record),
    ...changes(record),
    ...aside(record),
    closing(record),
    ...released(record),
    details(
      'Chain of custody',
      table(
        ['What', 'Value'],
        custody(record).map(([what, value]) => [what, code(value, 400)]),
      ),
    ),
    ...rules(record),
    details('Stages and tools', `${stages(record)}\n\n${tools(record)}`),
  ]
  return withinBudget(blocks, { bytes: BUDGET, rest: 'portcullis.json' })
}

function sign(record: RunRecord): string {
  if (record.outcome === 'pass') return '✅'
  return record.outcome === 'fail' && record.exitCode !== 0 ? '⛔' : '⚠️'
}

function problems(record: RunRecord): readonly string[] {
  if (record.problems.length === 0) return []
  const rows = record.problems.slice(0, ROWS).map(problem => {
    const message = problem.message
      .split('\n')
      .slice(0, 40)
      .map(line => inline(line, 600))
      .join('<br>')
    return [problem.stage, code(problem.reason), message]
  })
  return ['**What went wrong**', table(['Stage', 'Reason', 'What and what to do'], rows)]
}

function undecided(record: RunRecord): readonly string[] {
  const items = undecidedOf(record)
  if (items.length === 0) return []
  const rows = items.slice(0, ROWS).map(item => [code(item.rule), inline(item.why, 600)])
  return ['**Could not be decided**', table(['Rule', 'Why'], rows), ...more(items.length)]
}

function changes(record: RunRecord): readonly string[] {
  const violations = violationsOf(record, 'enforce')
  if (violations.length === 0) return []
  const rows = violations.slice(0, ROWS).map((violation, at) => [String(at + 1), ...cells(record, violation)])
  return [table(['#', 'What', 'Where it came from', 'Change'], rows), ...more(violations.length)]
}

function cells(record: RunRecord, violation: Violation): readonly string[] {
  const where = whereOf(violation, record.subject?.platforms.length ?? 1)
  return [
    `${inline(violation.message, 400)} (${code(violation.rule)})`,
    where.map(place => code(place)).join(', '),
    violation.fix === undefined ? '' : code(violation.fix, 300),
  ]
}

function more(count: number): readonly string[] {
  return count > ROWS ? [`_And ${count - ROWS} more in portcullis.json._`] : []
}

function aside(record: RunRecord): readonly string[] {
  const words = [
    ...toleratedWords(toleratedOf(record)),
    ...(suppressedOf(record).length > 0 ? [`${suppressedOf(record).length} accepted by an exception`] : []),
  ]
  const warned = violationsOf(record, 'warn')
  const rows = warned.slice(0, ROWS).map(violation => cells(record, violation))
  return [
    ...(words.length > 0 ? [`**Does not block:** ${words.join(', ')}.`] : []),
    ...record.warnings.map(text => `**Note:** ${inline(text, 600)}`),
    ...exceptions(record),
    ...(warned.length > 0
      ? [
          details(
            `${warned.length} warnings`,
            [table(['What', 'Where', 'Change'], rows), ...more(warned.length)].join('\n\n'),
          ),
        ]
      : []),
  ]
}

function exceptions(record: RunRecord): readonly string[] {
  const uses = record.verdict?.exceptions ?? []
  if (uses.length === 0) return []
  const rows = uses.map(use => [
    code(use.id),
    use.state,
    inline(use.owner),
    use.expires,
    inline(use.detail, 400),
  ])
  return [details(`${uses.length} exceptions`, table(['Id', 'State', 'Owner', 'Expires', ''], rows))]
}

function closing(record: RunRecord): string {
  const policy = record.verdict ? ` Policy: ${inline(record.verdict.policy.origin)}.` : ''
  const database = record.database ? ` Advisories: ${inline(record.database.updatedAt)}.` : ''
  return `${record.packages} packages. ${publication(record)}${policy}${database}`
}

function released(record: RunRecord): readonly string[] {
  const command = record.release.verifyCommand
  if (command === undefined) return []
  return ['Verify it yourself:', `\`\`\`sh\n${command.replaceAll('`', '')}\n\`\`\``]
}

function rules(record: RunRecord): readonly string[] {
  const results = record.verdict?.results ?? []
  if (results.length === 0) return []
  const rows = results.map(result => [
    code(result.rule),
    result.mode,
    result.outcome,
    String(result.checked),
    remark(result),
  ])
  return [details('Rules', table(['Rule', 'Mode', 'Outcome', 'Checked', ''], rows))]
}

function remark(result: RuleResult): string {
  if (result.notApplicable !== undefined) return inline(result.notApplicable)
  if (result.unknown.length > 0) return inline(result.unknown.join('; '), 400)
  return result.violations.length > 0 ? `${result.violations.length} violations` : ''
}

function stages(record: RunRecord): string {
  const rows = record.stages.map(item => [
    item.stage,
    item.state,
    seconds(item.milliseconds),
    inline(item.detail),
  ])
  return table(['Stage', 'State', 'Time', ''], rows)
}

function tools(record: RunRecord): string {
  const rows = record.tools.map(tool => [
    tool.name,
    inline(tool.version),
    tool.source,
    tool.verified ? 'yes' : 'no',
    code(`sha256:${tool.sha256}`),
  ])
  return table(['Tool', 'Version', 'From', 'Verified', 'Program'], rows)
}
