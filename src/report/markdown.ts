/** Longest text that `visible` looks at when no limit is given, in UTF-16 code units. */
const MAX_LINE = 20_000
/** Most lines of a fenced block. */
const MAX_LINES = 20

/**
 * Any foreign text as one line of inert Markdown: no link, image, mention, HTML, table or code can start in it.
 * Control characters and bidirectional overrides become visible; longer text than `limit` is shortened with `…`.
 */
export function inline(text: string, limit = 200): string {
  return visible(text, limit)
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replace(/[\\`*_{}[\]()#+!|~$]/g, '\\$&')
    .replace(/^(?=[-=]|\d+\.\s)/, '\u200b')
    .replace(/\\#(?=\d)/g, '$&\u200b')
    .replace(/@(?=[A-Za-z0-9])/g, '@\u200b')
    .replace(/:\/\//g, ':\u200b//')
    .replace(/\b(www)\./gi, '$1\u200b.')
}

/** Foreign text as a code span; backticks cannot end it, pipes cannot end its cell. */
export function code(text: string, limit = 200): string {
  const short = visible(text, limit).replaceAll('`', 'ˋ').replaceAll('|', '¦')
  return short === '' ? '' : `\`${short}\``
}

/**
 * Text on one line, inert on a terminal and in the log of a runner: white space is one blank; control, format,
 * private and bidirectional characters become `�`; no workflow command can start in it (`::name` at the start,
 * `##[name` anywhere: https://docs.github.com/actions/reference/workflows-and-actions/workflow-commands).
 * Longer text than `limit` code units ends with `…`.
 */
export function visible(text: string, limit = MAX_LINE): string {
  const head = text.length > limit * 4 ? text.slice(0, limit * 4) : text
  const line = head
    .replace(/\s+/g, ' ')
    .replace(/[\p{Cc}\p{Cf}\p{Co}\p{Cn}\p{Cs}]/gu, '�')
    .trim()
    .replaceAll('##[', '## [')
    .replace(/^::/, ': :')
  if (line.length <= limit && head.length === text.length) return line
  return `${line.slice(0, limit - 1).replace(/[\uD800-\uDBFF]$/, '')}…`
}

/** A table; cells are Markdown already. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`
  return [line(head), line(head.map(() => '--')), ...rows.map(line)].join('\n')
}

/** How much of a long list is shown, and of how many entries it is. */
export interface Share {
  readonly rows: number
  /** UTF-8 bytes. */
  readonly bytes: number
  readonly total: number
}

/**
 * A table of as many whole rows as fit its share, and under it how many more there are and where. `rows` need not
 * hold more than `share.rows` of the `share.total`.
 */
export function tableWithin(
  head: readonly string[],
  rows: readonly (readonly string[])[],
  share: Share,
): string {
  const kept = fitting(rows, share, row => row.reduce((sum, cell) => sum + byteLength(cell) + 3, 2))
  return [table(head, kept), ...restLine(share.total - kept.length)].join('\n\n')
}

/** A list of as many whole items as fit its share, and under it how many more there are and where. */
export function listWithin(items: readonly string[], share: Share): string {
  const kept = fitting(items, share, item => byteLength(item) + 3)
  return [kept.map(item => `- ${item}`).join('\n'), ...restLine(share.total - kept.length)].join('\n\n')
}

function restLine(more: number): readonly string[] {
  return more > 0 ? [`_And ${more} more in portcullis.json._`] : []
}

function fitting<T>(items: readonly T[], share: Share, cost: (item: T) => number): readonly T[] {
  let used = 0
  const end = items.slice(0, share.rows).findIndex(item => (used += cost(item)) > share.bytes)
  return items.slice(0, end === -1 ? share.rows : end)
}

/** A folded section. */
export function details(title: string, body: string): string {
  return `<details><summary>${title}</summary>\n\n${body}\n\n</details>`
}

/** Text as it is, line by line, in a fenced block that nothing in it can end; as inert as `visible` makes it. */
export function fenced(language: string, text: string): string {
  const lines = text.split('\n', MAX_LINES).map(line => visible(line))
  const longest = Math.max(2, ...[...lines.join('\n').matchAll(/`+/g)].map(run => run[0].length))
  const fence = '`'.repeat(longest + 1)
  return [`${fence}${language}`, ...lines, fence].join('\n')
}

/**
 * Joins blocks within a budget of UTF-8 bytes. A block that does not fit is left out whole, with all after it,
 * and the last line says how many and where they are.
 */
export function withinBudget(
  blocks: readonly string[],
  budget: { readonly bytes: number; readonly rest: string },
): string {
  const kept: string[] = []
  let used = 300
  for (const [at, block] of blocks.entries()) {
    used += byteLength(block) + 2
    if (used > budget.bytes) {
      kept.push(`_${blocks.length - at} more sections are in ${budget.rest}._`)
      break
    }
    kept.push(block)
  }
  return `${kept.join('\n\n')}\n`
}

/** Length of a text in UTF-8. */
export function byteLength(text: string): number {
  let bytes = 0
  for (const character of text) {
    const point = character.codePointAt(0) ?? 0
    bytes += point < 0x80 ? 1 : point < 0x800 ? 2 : point < 0x10000 ? 3 : 4
  }
  return bytes
}
