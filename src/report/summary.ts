import type { RuleResult } from '../policy/verdict.js'
import type { RunRecord } from '../record/record.js'
import { changesOf, type Advisory, type Change } from './changes.js'
import { custody } from './custody.js'
import { headline, publication, undecidedOf } from './headline.js'
import { code, details, fenced, inline, listWithin, table, tableWithin, withinBudget } from './markdown.js'
import {
  harmlessWords,
  inventoryWords,
  lineOf,
  missingFix,
  originOf,
  sameLocally,
  seconds,
} from './sections.js'

/** The runner drops a summary above 1 MiB whole; a margin for other writers of the same step. */
const BUDGET = 900_000
/** Share of each of the long sections, which together stay below the budget. */
const SHARE = { rows: 100, bytes: 100_000 } as const
const ADVISORIES = 8
const PATHS = 3
const LINES = 40

/** Job summary: verdict first, then what to change, what does not block, then the chain of custody. */
export function renderSummary(record: RunRecord): string {
  const blocks = [
    `### ${sign(record)} ${inline(headline(record), 400)}`,
    ...problems(record),
    ...undecided(record),
    ...changes(record),
    ...harmless(record),
    closing(record),
    ...released(record),
    ...notes(record),
    ...warnings(record),
    ...exceptions(record),
    ...chain(record),
    ...rules(record),
    ...machinery(record),
  ]
  return withinBudget(blocks, { bytes: BUDGET, rest: 'portcullis.json' })
}

function sign(record: RunRecord): string {
  if (record.outcome === 'pass') return '✅'
  return record.outcome === 'fail' && record.exitCode !== 0 ? '⛔' : '⚠️'
}

function problems(record: RunRecord): readonly string[] {
  if (record.problems.length === 0) return []
  const items = record.problems.slice(0, SHARE.rows).map(problem => {
    const lines = problem.message.split('\n')
    const shown = lines.slice(0, LINES).map(line => inline(line, 400))
    const more = lines.length > LINES ? [`and ${lines.length - LINES} more lines in portcullis.json`] : []
    return `**${problem.stage}** ${code(problem.reason)}: ${[...shown, ...more].join('<br>')}`
  })
  return [listWithin(items, { ...SHARE, total: record.problems.length })]
}

function undecided(record: RunRecord): readonly string[] {
  const items = undecidedOf(record)
  if (items.length === 0) return []
  const rows = items.slice(0, SHARE.rows).map(item => [code(item.rule), inline(item.why, 600)])
  return [tableWithin(['Undecided', 'Why'], rows, { ...SHARE, total: items.length })]
}

function changes(record: RunRecord): readonly string[] {
  const found = changesOf(record, 'enforce')
  if (found.length === 0) return []
  const rows = found.slice(0, SHARE.rows).map((change, at) => [String(at + 1), ...cells(record, change)])
  const list = tableWithin(['#', 'What', 'Where it came from', 'Change'], rows, {
    ...SHARE,
    total: found.length,
  })
  return record.outcome === 'incomplete' ? ['**Also to change**', list] : [list]
}

function cells(record: RunRecord, change: Change): readonly string[] {
  return [
    `${severityWords(change)}: ${whatOf(change)}`,
    whereOf(record, change).join(', '),
    change.fix === undefined ? missingFix(change) : code(change.fix, 300),
  ]
}

/** `requests` 2.19.0: CVE-1 (exploited), CVE-2 · or the message of the rule. */
function whatOf(change: Change): string {
  const rules = change.rules.map(rule => code(rule)).join(', ')
  if (change.package === undefined) return `${inline(change.message, 400)} (${rules})`
  if (change.advisories.length === 1) {
    const title = titleOf(change.message)
    return `${code(change.package)}, ${idOf(change.advisories[0])}${title === '' ? '' : `: ${inline(title)}`} (${rules})`
  }
  const shown = change.advisories.slice(0, ADVISORIES).map(idOf)
  const more = change.advisories.length - shown.length
  return `${code(change.package)}, ${shown.join(', ')}${more > 0 ? ` and ${more} more` : ''} (${rules})`
}

function idOf(advisory: Advisory | undefined): string {
  if (advisory === undefined) return ''
  const notes = [
    ...(advisory.exploited ? ['known to be exploited'] : []),
    ...(advisory.fixable ? [] : ['no fix yet']),
  ]
  return `${inline(advisory.id)}${notes.length > 0 ? ` (${notes.join(', ')})` : ''}`
}

/** The advisory's own title, behind `…, fixed in 1.2: `. */
function titleOf(message: string): string {
  return /, (?:fixed in [^:]{0,400}|no fix is known yet): (.*)$/s.exec(message.slice(0, 2000))?.[1] ?? ''
}

function whereOf(record: RunRecord, change: Change): readonly string[] {
  const line = lineOf(change)
  const paths = change.imagePaths.slice(0, PATHS).map(path => code(path))
  const more = change.imagePaths.length - paths.length
  return [
    ...(line === undefined ? [] : [code(line)]),
    ...(paths.length > 0 ? [`in ${paths.join(', ')}${more > 0 ? ` and ${more} more files` : ''}`] : []),
    ...originOf(change, record.subject?.platforms.length ?? 1).map(text => inline(text)),
  ]
}

function severityWords(change: Change): string {
  const { severity } = change
  return severity === 'unknown'
    ? 'No severity yet'
    : `${severity.slice(0, 1).toUpperCase()}${severity.slice(1)}`
}

function harmless(record: RunRecord): readonly string[] {
  const words = harmlessWords(record)
  return words.length > 0 ? [`**Does not block:** ${words.map(word => inline(word)).join(', ')}.`] : []
}

function notes(record: RunRecord): readonly string[] {
  const items = record.warnings.slice(0, 20).map(text => `Note: ${inline(text, 600)}`)
  return items.length > 0 ? [listWithin(items, { ...SHARE, total: record.warnings.length })] : []
}

function closing(record: RunRecord): string {
  const local = sameLocally(record)
  return [
    ...inventoryWords(record),
    inline(publication(record), 600),
    ...(record.verdict ? [`Policy: ${code(record.verdict.policy.origin)}.`] : []),
    ...(record.database ? [`Advisories of ${inline(record.database.updatedAt)}.`] : []),
    ...(local === undefined ? [] : [`Same on a terminal: ${code(local, 600)}`]),
  ].join(' ')
}

function released(record: RunRecord): readonly string[] {
  const command = record.release.verifyCommand
  return command === undefined ? [] : ['Verify it yourself:', fenced('sh', command)]
}

function warnings(record: RunRecord): readonly string[] {
  const found = changesOf(record, 'warn')
  if (found.length === 0) return []
  const rows = found.slice(0, SHARE.rows).map(change => cells(record, change))
  const list = tableWithin(['What', 'Where it came from', 'Change'], rows, { ...SHARE, total: found.length })
  return [details(found.length === 1 ? '1 warning' : `${found.length} warnings`, list)]
}

function exceptions(record: RunRecord): readonly string[] {
  const uses = record.verdict?.exceptions ?? []
  if (uses.length === 0) return []
  const rows = uses
    .slice(0, SHARE.rows)
    .map(use => [code(use.id), use.state, inline(use.owner), inline(use.expires), inline(use.detail, 400)])
  const list = tableWithin(['Id', 'State', 'Owner', 'Expires', ''], rows, { ...SHARE, total: uses.length })
  return [details(uses.length === 1 ? '1 exception' : `${uses.length} exceptions`, list)]
}

function rules(record: RunRecord): readonly string[] {
  const results = record.verdict?.results ?? []
  if (results.length === 0) return []
  const rows = results
    .slice(0, SHARE.rows)
    .map(result => [code(result.rule), result.mode, result.outcome, String(result.checked), remark(result)])
  const list = tableWithin(['Rule', 'Mode', 'Outcome', 'Checked', ''], rows, {
    ...SHARE,
    total: results.length,
  })
  return [details('Rules', list)]
}

function remark(result: RuleResult): string {
  if (result.notApplicable !== undefined) return inline(result.notApplicable)
  if (result.unknown.length > 0) return inline(result.unknown.slice(0, 5).join('; '), 400)
  if (result.violations.length === 0) return ''
  return result.violations.length === 1 ? '1 violation' : `${result.violations.length} violations`
}

function chain(record: RunRecord): readonly string[] {
  const rows = custody(record).map(([what, value]) => [what, code(value, 400)])
  return rows.length === 0 ? [] : [details('Chain of custody', table(['What', 'Value'], rows))]
}

function machinery(record: RunRecord): readonly string[] {
  const tables = [
    ...(record.stages.length === 0 ? [] : [stages(record)]),
    ...(record.tools.length === 0 ? [] : [tools(record)]),
  ]
  return tables.length === 0 ? [] : [details('Stages and tools', tables.join('\n\n'))]
}

function stages(record: RunRecord): string {
  const rows = record.stages
    .slice(0, SHARE.rows)
    .map(item => [item.stage, item.state, seconds(item.milliseconds), inline(item.detail)])
  return tableWithin(['Stage', 'State', 'Time', ''], rows, {
    ...SHARE,
    bytes: 40_000,
    total: record.stages.length,
  })
}

function tools(record: RunRecord): string {
  const rows = record.tools.map(tool => [
    tool.name,
    inline(tool.version),
    tool.source,
    tool.verified ? 'yes' : 'no',
    code(`sha256:${tool.sha256}`),
  ])
  return tableWithin(['Tool', 'Version', 'From', 'Verified', 'Program'], rows, {
    ...SHARE,
    bytes: 40_000,
    total: rows.length,
  })
}
