import { lackingWords, percentOf } from '../evidence/minimum-elements.js'
import { SEVERITIES } from '../evidence/scan.js'
import type { Suppressed, Tolerated } from '../policy/verdict.js'
import type { RunRecord } from '../record/record.js'
import type { Change } from './changes.js'
import { counted } from './headline.js'

/** What the rules saw and did not count, each thing once; a thing that another rule counts is left out. */
export function toleratedOf(record: RunRecord): readonly Tolerated[] {
  const results = record.verdict?.results ?? []
  const counted = new Set(results.flatMap(result => result.violations.map(violation => violation.thing)))
  const found = new Map<string, Tolerated>()
  for (const item of results.flatMap(result => result.tolerated)) {
    if (!counted.has(item.thing)) found.set(`${item.why} ${item.thing}`, item)
  }
  return [...found.values()]
}

/** Violations that an exception permits. */
export function suppressedOf(record: RunRecord): readonly Suppressed[] {
  return (record.verdict?.results ?? []).flatMap(result => result.suppressed)
}

/** Where a change is to be made: the line of the repository; undefined when it is not known. */
export function lineOf(change: Change): string | undefined {
  return change.location === undefined ? undefined : `${change.location.file}:${change.location.line}`
}

/** What to say where no fix is given: of a package that none is known, of anything else nothing. */
export function missingFix(change: Change): string {
  return change.package === undefined ? '' : 'no fix is known yet'
}

/** Where a change comes from beside its line, in words: own text and foreign names, not escaped. */
export function originOf(change: Change, platforms: number): readonly string[] {
  return [
    ...(change.origin === 'base' ? ['base image'] : []),
    ...(platforms > 1 && change.platforms.length > 0 ? [platformWords(change.platforms, platforms)] : []),
  ]
}

function platformWords(named: readonly string[], all: number): string {
  if (named.length < all) return named.join(', ')
  return all === 2 ? 'both platforms' : `all ${all} platforms`
}

/** `2 without a fix yet`, `1 accepted until 2026-12-31`, … for what was seen and does not block. */
export function harmlessWords(record: RunRecord): readonly string[] {
  const tolerated = toleratedOf(record)
  const of = (why: Tolerated['why']): readonly Tolerated[] => tolerated.filter(item => item.why === why)
  const accepted = suppressedOf(record)
  const grace = of('grace')
  const words: readonly (readonly [number, string])[] = [
    [of('unfixable').length, 'without a fix yet'],
    [grace.length, `within the grace after publication${ending(grace.flatMap(item => item.until ?? []))}`],
    [of('below-threshold').length, 'below the threshold'],
    [of('package-owned').length, 'that look like secrets in files which packages ship'],
    [of('no-advisories').length, 'of kinds that no source of advisories covers'],
    [of('system-package').length, 'matched as part of the system package that brought them'],
    [of('within-budget').length, 'executables of no package, within the budget'],
    [accepted.length, `accepted by exception${ending(accepted.map(item => item.exception.expires))}`],
  ]
  return words.filter(([number]) => number > 0).map(([number, text]) => `${number} ${text}`)
}

function ending(days: readonly string[]): string {
  const [first] = days.toSorted()
  if (first === undefined) return ''
  return days.length === 1 ? ` until ${first}` : ` (the first ends ${first})`
}

/**
 * `214 packages on 2 platforms, 17 findings (1 critical, 16 low).` Of an incomplete run it says that this is not
 * all, and nothing where nothing was counted: no number of an unfinished look may read as clean.
 */
export function inventoryWords(record: RunRecord): readonly string[] {
  if (record.subject === null) return []
  const platforms = record.subject.platforms.length
  const on = platforms > 1 ? ` on ${platforms} platforms` : ''
  const counts = SEVERITIES.filter(severity => record.counts[severity] > 0)
  const total = counts.reduce((sum, severity) => sum + record.counts[severity], 0)
  const parts = counts.map(severity => `${record.counts[severity]} ${severity}`).join(', ')
  const findings = `${counted(total, 'finding', 'findings')}${total > 0 ? ` (${parts})` : ''}`
  const words = `${counted(record.packages, 'package', 'packages')}${on}, ${findings}.`
  if (record.outcome !== 'incomplete') return [words]
  return record.packages + total === 0 ? [] : [`Seen before it ended, perhaps not all: ${words}`]
}

/** SBOMs of more platforms than this are not shown one by one. */
const SBOM_LINES = 8
const FORMATS = { 'spdx-2.3': 'SPDX', 'cyclonedx-1.6': 'CycloneDX', syft: 'Syft' } as const

/**
 * `SBOM linux/amd64` and `212 packages, minimum elements SPDX 98 % (lacks supplier 20), CycloneDX 100 %` for each
 * platform, whose name is foreign and not escaped.
 */
export function sbomWords(record: RunRecord): readonly (readonly [what: string, words: string])[] {
  const all = record.sboms ?? []
  const platforms = [...new Set(all.map(score => score.platform))]
  const lines = platforms.slice(0, SBOM_LINES).map(platform => {
    const scores = all.filter(score => score.platform === platform)
    const packages = Math.max(...scores.map(score => score.minimum.packages))
    const shares = scores.map(({ format, minimum }) => {
      const lacking = lackingWords(minimum)
      return `${FORMATS[format]} ${percentOf(minimum)} %${lacking === '' ? '' : ` (lacks ${lacking})`}`
    })
    const words = `${counted(packages, 'package', 'packages')}, minimum elements ${shares.join(', ')}`
    return [`SBOM ${platform}`, words] as const
  })
  const rest = platforms.length - lines.length
  return [
    ...lines,
    ...(rest > 0 ? [['SBOM', `and those of ${rest} more platforms in portcullis.json`] as const] : []),
  ]
}

/** The command that judges the same sources on a terminal; undefined where it would not be the same. */
export function sameLocally(record: RunRecord): string | undefined {
  const { image, subject } = record.request
  if (record.trigger.kind !== 'event' || record.outcome !== 'fail' || subject !== 'build') return undefined
  return `portcullis gate . --image ${image} --publish never`
}

/** Bytes as a person reads them. */
export function size(bytes: number): string {
  if (bytes < 1000) return `${bytes} B`
  const units = ['kB', 'MB', 'GB', 'TB']
  let value = bytes / 1000
  let unit = 0
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000
    unit += 1
  }
  return `${value.toFixed(1)} ${units[unit] ?? 'TB'}`
}

/** Milliseconds as seconds with one digit. */
export function seconds(milliseconds: number): string {
  return `${(milliseconds / 1000).toFixed(1)} s`
}
