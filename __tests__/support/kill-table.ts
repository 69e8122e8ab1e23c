import type { Death } from './kill-walk.js'

/** One row of Markdown for each kind of request, in the order in which they came first. */
export function killTable(deaths: readonly Death[]): string {
  const kinds = [...new Set(deaths.map(one => one.kind))]
  const rows = kinds.map(kind =>
    row(
      kind,
      deaths.filter(one => one.kind === kind),
    ),
  )
  return [
    '| killed at | deaths | tags then | bundles then | run again | each statement once, no process, no file left |',
    '| --- | ---: | --- | --- | ---: | --- |',
    ...rows,
    row('**all**', deaths),
  ].join('\n')
}

function row(kind: string, deaths: readonly Death[]): string {
  const again = deaths.filter(one => one.again)
  const bad = deaths.filter(one => one.problems.length > 0)
  const cells = [
    kind,
    deaths.length,
    span(deaths.map(one => one.tags.length)),
    span(deaths.map(one => one.hung)),
    again.length,
    bad.length === 0 ? 'yes' : `NO: ${String(bad.length)}`,
  ]
  return `| ${cells.join(' | ')} |`
}

function span(values: readonly number[]): string {
  const [low, high] = [Math.min(...values), Math.max(...values)]
  return low === high ? String(low) : `${String(low)}–${String(high)}`
}
