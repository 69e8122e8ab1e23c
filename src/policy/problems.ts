import * as z from 'zod'
import { LATER_KEYS } from './schema.js'
import { nodeAt, pathText, shownText } from './yaml-node.js'
import type { Mistake, Position, YamlNode } from './yaml-node.js'

type Issue = z.core.$ZodIssue
type Path = readonly PropertyKey[]

const TYPE_WORDS: Readonly<Record<string, string>> = {
  string: 'text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  array: 'a list',
  object: 'a map',
  record: 'a map',
}

/** Says where each issue of a schema stands in the document and what was expected there. */
export function mistakesOf(issues: readonly Issue[], root: YamlNode, schema: z.ZodType): Mistake[] {
  return issues.flatMap(issue => {
    if (issue.code === 'unrecognized_keys')
      return issue.keys.map(key => unknownKey(issue.path, key, { root, schema }))
    const node = nodeAt(root, issue.path)
    const message =
      node === undefined ? `expected ${expectation(issue)}; the key is missing` : said(issue, node)
    return [{ at: node?.at ?? nearestPosition(root, issue.path), path: pathText(issue.path), message }]
  })
}

/** The word of a list with the fewest changes to a given one, when it is close enough to be meant. */
export function nearestWord(word: string, known: readonly string[]): string | undefined {
  const limit = Math.max(2, Math.floor(word.length / 3))
  let best: { readonly word: string; readonly distance: number } | undefined
  for (const candidate of known) {
    const distance = editDistance(word.slice(0, 60).toLowerCase(), candidate.toLowerCase())
    if (distance <= limit && (best === undefined || distance < best.distance))
      best = { word: candidate, distance }
  }
  return best?.word
}

function said(issue: Issue, node: YamlNode): string {
  if (issue.code === 'invalid_type') return `expected ${expectation(issue)}, found ${foundWord(node)}`
  if (issue.code === 'invalid_value') {
    const values = issue.values.map(String)
    const found = node.kind === 'scalar' ? String(node.value) : foundWord(node)
    const near = nearestWord(found, values)
    const hint = near === undefined || values.length === 1 ? '' : `; nearest known value ${near}`
    return `expected ${expectation(issue)}, found ${shownText(found)}${hint}`
  }
  return issue.message.startsWith('expected ') ? issue.message : `expected ${expectation(issue)}`
}

function expectation(issue: Issue): string {
  if (issue.code === 'invalid_type') return TYPE_WORDS[issue.expected] ?? issue.expected
  if (issue.code === 'invalid_value') {
    const values = issue.values.map(String)
    return values.length === 1 ? values.join() : `one of ${values.join(', ')}`
  }
  if (issue.code === 'too_small') return `at least ${String(issue.minimum)}${unitOf(issue.origin)}`
  if (issue.code === 'too_big') return `at most ${String(issue.maximum)}${unitOf(issue.origin)}`
  return issue.message.replace(/^expected /, '')
}

function unitOf(origin: string): string {
  if (origin === 'array') return ' entries'
  return origin === 'string' ? ' characters' : ''
}

function foundWord(node: YamlNode): string {
  if (node.kind !== 'scalar') return node.kind === 'map' ? 'a map' : 'a list'
  if (node.value === null) return 'nothing'
  if (typeof node.value === 'boolean') return String(node.value)
  return typeof node.value === 'string' ? 'text' : `the number ${String(node.value)}`
}

function unknownKey(
  path: Path,
  key: string,
  document: { readonly root: YamlNode; readonly schema: z.ZodType },
): Mistake {
  const parent = nodeAt(document.root, path)
  const entry = parent?.kind === 'map' ? parent.entries.find(one => one.key === key) : undefined
  const at = entry?.keyAt ?? nearestPosition(document.root, path)
  const place = pathText(path).replaceAll(/\[\d+\]/g, '[]')
  const whole = pathText([...path, key])
  if (LATER_KEYS[place]?.includes(key) === true) {
    return { at, path: whole, message: 'expected no such key: no rule uses this yet' }
  }
  const known = knownKeys(document.schema, path)
  const near = nearestWord(key, known)
  const hint = near === undefined ? `; known keys ${known.join(', ')}` : `; nearest known key ${near}`
  return { at, path: whole, message: `expected a known key${hint}` }
}

/** Keys that the schema knows at a path. */
function knownKeys(schema: z.ZodType, path: Path): string[] {
  let here: unknown = schema
  for (const step of path) {
    const inner = withoutOptional(here)
    if (inner instanceof z.ZodObject) here = inner.shape[String(step)]
    else if (inner instanceof z.ZodArray) here = inner.element
    else if (inner instanceof z.ZodRecord) here = inner.valueType
    else return []
  }
  const inner = withoutOptional(here)
  if (inner instanceof z.ZodObject) return Object.keys(inner.shape)
  if (inner instanceof z.ZodRecord && inner.keyType instanceof z.ZodEnum)
    return inner.keyType.options.map(String)
  return []
}

function withoutOptional(schema: unknown): unknown {
  return schema instanceof z.ZodOptional ? schema.unwrap() : schema
}

function nearestPosition(root: YamlNode, path: Path): Position {
  for (let length = path.length; length > 0; length -= 1) {
    const node = nodeAt(root, path.slice(0, length))
    if (node !== undefined) return node.at
  }
  return root.at
}

/** Levenshtein's distance, one row at a time. */
function editDistance(left: string, right: string): number {
  let row = Array.from({ length: right.length + 1 }, (_, index) => index)
  for (let i = 1; i <= left.length; i += 1) {
    const next = [i]
    for (let j = 1; j <= right.length; j += 1) {
      const replaced = (row[j - 1] ?? 0) + (left[i - 1] === right[j - 1] ? 0 : 1)
      next.push(Math.min(replaced, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1))
    }
    row = next
  }
  return row[right.length] ?? 0
}
