/**
 * Any foreign text as one line of inert Markdown: no link, image, mention, HTML, table or code can start in it.
 * Control characters and bidirectional overrides become visible; longer text than `limit` is shortened with `…`.
 */
export function inline(text: string, limit = 200): string {
  const plain = visible(text)
  const short = plain.length > limit ? `${plain.slice(0, limit - 1)}…` : plain
  return short
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replace(/[\\`*_{}[\]()#+!|~$]/g, '\\$&')
    .replace(/@(?=[A-Za-z0-9])/g, '@\u200b')
    .replace(/:\/\//g, ':\u200b//')
    .replace(/\b(www)\./gi, '$1\u200b.')
}

/** Foreign text as a code span; backticks in it cannot end the span. */
export function code(text: string, limit = 200): string {
  const plain = visible(text).replaceAll('`', 'ˋ').replaceAll('|', '\\|')
  const short = plain.length > limit ? `${plain.slice(0, limit - 1)}…` : plain
  return short === '' ? '' : `\`${short}\``
}

/** Text on one line with control, format and bidirectional characters replaced by a visible mark. */
export function visible(text: string): string {
  return text
    .replace(/\s+/g, ' ')
    .replace(/[\p{Cc}\p{Cf}\p{Co}\p{Cn}\p{Cs}]/gu, '�')
    .trim()
}

/** A table; cells are Markdown already. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`
  return [line(head), line(head.map(() => '--')), ...rows.map(line)].join('\n')
}

/** A folded section. */
export function details(title: string, body: string): string {
  return `<details><summary>${title}</summary>\n\n${body}\n\n</details>`
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

function byteLength(text: string): number {
  let bytes = 0
  for (const character of text) {
    const point = character.codePointAt(0) ?? 0
    bytes += point < 0x80 ? 1 : point < 0x800 ? 2 : point < 0x10000 ? 3 : 4
  }
  return bytes
}
