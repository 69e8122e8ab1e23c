/** Line and column count from 1; the column counts UTF-16 units. */
export interface Position {
  readonly line: number
  readonly column: number
}

export interface Mistake {
  readonly at: Position
  /** Dotted path into the document, '' for the document itself. */
  readonly path: string
  readonly message: string
}

export interface YamlEntry {
  readonly key: string
  readonly keyAt: Position
  readonly node: YamlNode
}

/** A YAML value that knows where it stands. */
export type YamlNode =
  | { readonly kind: 'scalar'; readonly at: Position; readonly value: string | number | boolean | null }
  | { readonly kind: 'list'; readonly at: Position; readonly items: readonly YamlNode[] }
  | { readonly kind: 'map'; readonly at: Position; readonly entries: readonly YamlEntry[] }

/** The plain value of a node, as zod wants it. */
export function plainValue(node: YamlNode): unknown {
  if (node.kind === 'scalar') return node.value
  if (node.kind === 'list') return node.items.map(plainValue)
  return Object.fromEntries(node.entries.map(entry => [entry.key, plainValue(entry.node)]))
}

/** The node at a path, or undefined where the document ends earlier. */
export function nodeAt(root: YamlNode, path: readonly PropertyKey[]): YamlNode | undefined {
  let node: YamlNode | undefined = root
  for (const step of path) {
    if (node === undefined) return undefined
    if (node.kind === 'map') node = node.entries.find(entry => entry.key === step)?.node
    else if (node.kind === 'list') node = node.items[Number(step)]
    else return undefined
  }
  return node
}

/** `exceptions[0].owner` for `['exceptions', 0, 'owner']`. */
export function pathText(path: readonly PropertyKey[]): string {
  return path.reduce<string>((text, step) => {
    if (typeof step === 'number') return `${text}[${String(step)}]`
    return text === '' ? shownText(String(step)) : `${text}.${shownText(String(step))}`
  }, '')
}

/** A foreign word for a message: printable ASCII, at most 60 characters. */
export function shownText(text: string): string {
  const printable = text.replaceAll(/[^\x20-\x7e]/g, '?')
  return printable.length > 60 ? `${printable.slice(0, 57)}...` : printable
}
