import {
  boolCoreTag,
  EVENT_ID,
  floatCoreTag,
  getScalarValue,
  intCoreTag,
  NOT_RESOLVED,
  nullCoreTag,
  parseEvents,
  SCALAR_STYLE,
  YAMLException,
} from 'js-yaml'
import type { Event, ScalarEvent } from 'js-yaml'
import { pathText, shownText } from './yaml-node.js'
import type { Mistake, Position, YamlEntry, YamlNode } from './yaml-node.js'

/** Caps of a policy document: bytes of UTF-8, levels of nesting. */
export const MAX_YAML_BYTES = 256 * 1024
export const MAX_YAML_DEPTH = 20

/** `root` is absent when nothing more can be said beyond the mistakes. */
export interface YamlReading {
  readonly root?: YamlNode
  readonly mistakes: readonly Mistake[]
}

/** Tags of plain scalars in the order of the YAML 1.2 core schema: null, booleans, integers, floats. */
const CORE_TAGS = [nullCoreTag, boolCoreTag, intCoreTag, floatCoreTag] as const
const START: Position = { line: 1, column: 1 }

/**
 * Reads one YAML 1.2 document (core schema) with the position of every node. Refuses anchors, aliases, merge
 * keys, tags, duplicate or non-scalar keys, the key `__proto__` (zod skips it), NaN, infinities, integers beyond 2^53, a second document, more than
 * 256 KiB or 20 levels. A syntax error is the only mistake of its reading.
 */
export function readYaml(text: string): YamlReading {
  const tooBig = text.length > MAX_YAML_BYTES || new TextEncoder().encode(text).length > MAX_YAML_BYTES
  if (tooBig) return alone(START, `expected at most ${String(MAX_YAML_BYTES)} bytes`)
  try {
    return readEvents(text, parseEvents(text, { maxDepth: MAX_YAML_DEPTH }))
  } catch (thrown) {
    if (!(thrown instanceof YAMLException)) throw thrown
    const mark = thrown.mark
    const at = mark === undefined ? START : { line: mark.line + 1, column: mark.column + 1 }
    return alone(at, `expected valid YAML, but ${thrown.reason}`)
  }
}

interface Cursor {
  readonly text: string
  readonly events: readonly Event[]
  readonly lineStarts: readonly number[]
  readonly mistakes: Mistake[]
  next: number
}

function alone(at: Position, message: string): YamlReading {
  return { mistakes: [{ at, path: '', message }] }
}

function readEvents(text: string, events: readonly Event[]): YamlReading {
  const cursor: Cursor = { text, events, lineStarts: startsOfLines(text), mistakes: [], next: 0 }
  if (events.length === 0) return alone(START, 'expected a map, but the document is empty')
  cursor.next = 1
  const root = readNode(cursor, [], START)
  // What follows the root is the end of its document; anything behind that is another document.
  if (events.slice(cursor.next).some(event => event.type === EVENT_ID.DOCUMENT)) {
    cursor.mistakes.push({ at: START, path: '', message: 'expected one document, but found several' })
  }
  return { root, mistakes: cursor.mistakes }
}

function readNode(cursor: Cursor, path: readonly PropertyKey[], fallback: Position): YamlNode {
  const event = cursor.events[cursor.next]
  cursor.next += 1
  if (event === undefined || event.type === EVENT_ID.POP || event.type === EVENT_ID.DOCUMENT) {
    return { kind: 'scalar', at: fallback, value: null }
  }
  if (event.type === EVENT_ID.ALIAS) {
    const at = positionOf(cursor, event.anchorStart)
    add(cursor, at, path, 'expected a value of its own, but found an alias (*)')
    return { kind: 'scalar', at, value: null }
  }
  refuseDecoration(cursor, event, path)
  if (event.type === EVENT_ID.SCALAR) return readScalar(cursor, event, { path, fallback })
  const at = positionOf(cursor, event.start)
  if (event.type === EVENT_ID.SEQUENCE) return { kind: 'list', at, items: readItems(cursor, path, at) }
  return { kind: 'map', at, entries: readEntries(cursor, path, at) }
}

function readItems(cursor: Cursor, path: readonly PropertyKey[], at: Position): YamlNode[] {
  const items: YamlNode[] = []
  while (!atPop(cursor)) items.push(readNode(cursor, [...path, items.length], at))
  cursor.next += 1
  return items
}

function readEntries(cursor: Cursor, path: readonly PropertyKey[], at: Position): YamlEntry[] {
  const entries: YamlEntry[] = []
  const seen = new Set<string>()
  while (!atPop(cursor)) {
    const key = readKey(cursor, path, at)
    const node = readNode(cursor, [...path, key.text], key.at)
    if (key.text === '<<') add(cursor, key.at, path, 'expected plain keys, but found a merge key (<<)')
    else if (seen.has(key.text))
      add(cursor, key.at, [...path, key.text], 'expected each key once, but it is repeated')
    else if (key.text === '__proto__') add(cursor, key.at, [...path, key.text], 'expected a known key')
    else if (key.usable) entries.push({ key: key.text, keyAt: key.at, node })
    seen.add(key.text)
  }
  cursor.next += 1
  return entries
}

function readKey(cursor: Cursor, path: readonly PropertyKey[], fallback: Position) {
  const event = cursor.events[cursor.next]
  if (event?.type === EVENT_ID.SCALAR) {
    cursor.next += 1
    refuseDecoration(cursor, event, path)
    const at = event.valueStart < 0 ? fallback : startOf(cursor, event)
    const text = getScalarValue(cursor.text, event)
    const usable = event.style !== SCALAR_STYLE.PLAIN || typeof resolvedPlain(text) === 'string'
    if (!usable) add(cursor, at, path, 'expected a key of plain text')
    return { text, at, usable }
  }
  const node = readNode(cursor, path, fallback)
  add(cursor, node.at, path, 'expected a key of plain text')
  return { text: '', at: node.at, usable: false }
}

function readScalar(
  cursor: Cursor,
  event: ScalarEvent,
  place: { readonly path: readonly PropertyKey[]; readonly fallback: Position },
): YamlNode {
  const at = event.valueStart < 0 ? place.fallback : startOf(cursor, event)
  const source = getScalarValue(cursor.text, event)
  if (event.style !== SCALAR_STYLE.PLAIN) return { kind: 'scalar', at, value: source }
  const value = resolvedPlain(source)
  if (typeof value !== 'number' || isUsableNumber(value)) return { kind: 'scalar', at, value }
  add(cursor, at, place.path, `expected a number between -2^53 and 2^53, found ${shownText(source)}`)
  return { kind: 'scalar', at, value: 0 }
}

/** The value of a plain scalar in the core schema of YAML 1.2. */
function resolvedPlain(source: string): string | number | boolean | null {
  for (const tag of CORE_TAGS) {
    const value = tag.resolve(source, false, tag.tagName)
    if (value !== NOT_RESOLVED) return value
  }
  return source
}

function isUsableNumber(value: number): boolean {
  return Number.isFinite(value) && Math.abs(value) <= Number.MAX_SAFE_INTEGER
}

function refuseDecoration(
  cursor: Cursor,
  event: { readonly anchorStart: number; readonly tagStart: number },
  path: readonly PropertyKey[],
): void {
  if (event.anchorStart >= 0) {
    add(cursor, positionOf(cursor, event.anchorStart), path, 'expected no anchor (&)')
  }
  if (event.tagStart >= 0) add(cursor, positionOf(cursor, event.tagStart), path, 'expected no tag (!)')
}

function atPop(cursor: Cursor): boolean {
  const event = cursor.events[cursor.next]
  return event === undefined || event.type === EVENT_ID.POP
}

function add(cursor: Cursor, at: Position, path: readonly PropertyKey[], message: string): void {
  cursor.mistakes.push({ at, path: pathText(path), message })
}

/** Quoted scalars start one before their value, at the quote. */
function startOf(cursor: Cursor, event: ScalarEvent): Position {
  const quoted = event.style === SCALAR_STYLE.SINGLE_QUOTED || event.style === SCALAR_STYLE.DOUBLE_QUOTED
  return positionOf(cursor, quoted ? event.valueStart - 1 : event.valueStart)
}

function startsOfLines(text: string): number[] {
  const starts = [0]
  for (const match of text.matchAll(/\r\n|\r|\n/g)) starts.push(match.index + match[0].length)
  return starts
}

function positionOf(cursor: Cursor, offset: number): Position {
  let low = 0
  let high = cursor.lineStarts.length - 1
  while (low < high) {
    const middle = Math.ceil((low + high) / 2)
    if ((cursor.lineStarts[middle] ?? 0) <= offset) low = middle
    else high = middle - 1
  }
  return { line: low + 1, column: offset - (cursor.lineStarts[low] ?? 0) + 1 }
}
