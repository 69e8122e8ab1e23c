import { GateError } from '../errors.js'

export interface StrictJsonRules {
  /** What is read, for messages: `manifest sha256:…`. */
  readonly what: string
  /** Keys that readers of this document know; a key that differs from one only by case is refused. */
  readonly knownKeys: ReadonlySet<string>
  /** Keys whose value is a free map (labels, annotations): its own keys are data and may look like anything. */
  readonly freeMaps?: ReadonlySet<string>
  /** Bytes, default 4 MiB. */
  readonly maxBytes?: number
  /** Default 32. */
  readonly maxDepth?: number
  /** Values of any kind, default 200,000. */
  readonly maxValues?: number
}

interface Cursor {
  readonly text: string
  readonly rules: StrictJsonRules
  readonly folded: ReadonlyMap<string, string>
  at: number
  values: number
}

const MAX_BYTES = 4 * 1024 * 1024
const SPACE = /[ \t\n\r]*/y
const STRING = /"(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"/y
const NUMBER = /-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/y
const WORDS: readonly (readonly [string, boolean | null])[] = [
  ['true', true],
  ['false', false],
  ['null', null],
]

/**
 * Parses JSON (RFC 8259) so that no other reader can see something else in the same bytes: refuses duplicate
 * keys, keys that equal a known key but for case (Go readers take those), broken UTF-8, lone surrogates, and
 * anything beyond the caps. Throws GateError `integrity` or `evidence` with a reason per refusal.
 */
export function parseStrictJson(bytes: Uint8Array, rules: StrictJsonRules): unknown {
  const limit = rules.maxBytes ?? MAX_BYTES
  if (bytes.byteLength > limit) {
    refuse(rules, 'json-too-large', `is ${bytes.byteLength} bytes long, more than the ${limit} allowed`)
  }
  const folded = new Map([...rules.knownKeys].map(key => [fold(key), key]))
  const cursor: Cursor = { text: decode(bytes, rules), rules, folded, at: 0, values: 0 }
  const value = readValue(cursor, 0, false)
  skipSpace(cursor)
  if (cursor.at !== cursor.text.length) syntax(cursor)
  return value
}

function decode(bytes: Uint8Array, rules: StrictJsonRules): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch {
    return refuse(rules, 'json-encoding', 'is not valid UTF-8')
  }
}

/** As Go's encoding/json compares keys: Unicode case folding, where U+017F is an s and U+212A a k. */
function fold(key: string): string {
  return key.toUpperCase().toLowerCase()
}

function readValue(cursor: Cursor, depth: number, free: boolean): unknown {
  skipSpace(cursor)
  cursor.values += 1
  if (cursor.values > (cursor.rules.maxValues ?? 200_000)) {
    refuse(cursor.rules, 'json-too-many-values', 'holds too many values')
  }
  if (depth > (cursor.rules.maxDepth ?? 32)) refuse(cursor.rules, 'json-too-deep', 'is nested too deeply')
  const next = cursor.text[cursor.at]
  if (next === '{') return readObject(cursor, depth, free)
  if (next === '[') return readArray(cursor, depth)
  if (next === '"') return readString(cursor)
  const word = WORDS.find(([text]) => cursor.text.startsWith(text, cursor.at))
  if (word !== undefined) {
    cursor.at += word[0].length
    return word[1]
  }
  return Number(take(cursor, NUMBER))
}

function readObject(cursor: Cursor, depth: number, free: boolean): Record<string, unknown> {
  const object: Record<string, unknown> = {}
  cursor.at += 1
  skipSpace(cursor)
  if (accept(cursor, '}')) return object
  for (;;) {
    skipSpace(cursor)
    const key = readString(cursor)
    checkKey(cursor, { object, key, free })
    skipSpace(cursor)
    if (!accept(cursor, ':')) syntax(cursor)
    object[key] = readValue(cursor, depth + 1, cursor.rules.freeMaps?.has(key) === true)
    skipSpace(cursor)
    if (accept(cursor, '}')) return object
    if (!accept(cursor, ',')) syntax(cursor)
  }
}

function checkKey(
  cursor: Cursor,
  given: { readonly object: Record<string, unknown>; readonly key: string; readonly free: boolean },
): void {
  const { object, key, free } = given
  if (key === '__proto__') refuse(cursor.rules, 'json-reserved-key', 'uses the key "__proto__"')
  if (Object.hasOwn(object, key)) {
    refuse(cursor.rules, 'json-duplicate-key', `has the key ${JSON.stringify(key)} twice in one object`)
  }
  if (free) return
  const known = cursor.folded.get(fold(key))
  if (known !== undefined && known !== key && !cursor.rules.knownKeys.has(key)) {
    refuse(
      cursor.rules,
      'json-key-case',
      `has the key ${JSON.stringify(key)}, which some readers take for ${JSON.stringify(known)}`,
    )
  }
}

function readArray(cursor: Cursor, depth: number): unknown[] {
  const array: unknown[] = []
  cursor.at += 1
  skipSpace(cursor)
  if (accept(cursor, ']')) return array
  for (;;) {
    array.push(readValue(cursor, depth + 1, false))
    skipSpace(cursor)
    if (accept(cursor, ']')) return array
    if (!accept(cursor, ',')) syntax(cursor)
  }
}

function readString(cursor: Cursor): string {
  const value: unknown = JSON.parse(take(cursor, STRING))
  if (typeof value !== 'string') return syntax(cursor)
  if (!value.isWellFormed()) refuse(cursor.rules, 'json-encoding', 'holds half a surrogate pair')
  return value
}

function skipSpace(cursor: Cursor): void {
  SPACE.lastIndex = cursor.at
  SPACE.test(cursor.text)
  cursor.at = SPACE.lastIndex
}

function accept(cursor: Cursor, character: string): boolean {
  if (cursor.text[cursor.at] !== character) return false
  cursor.at += 1
  return true
}

function take(cursor: Cursor, pattern: RegExp): string {
  pattern.lastIndex = cursor.at
  const match = pattern.exec(cursor.text)
  if (match === null) return syntax(cursor)
  cursor.at = pattern.lastIndex
  return match[0]
}

function syntax(cursor: Cursor): never {
  return refuse(cursor.rules, 'json-syntax', `is not JSON at character ${cursor.at + 1}`)
}

function refuse(rules: StrictJsonRules, reason: string, text: string): never {
  const code = reason.startsWith('json-too-') || reason === 'json-syntax' ? 'evidence' : 'integrity'
  throw new GateError(code, { reason, message: `${rules.what} ${text}; rebuild the image with a sound tool` })
}
