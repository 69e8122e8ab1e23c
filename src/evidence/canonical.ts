import { createHash } from 'node:crypto'

/**
 * The one spelling of a value as JSON: keys sorted by UTF-16 code unit, no white space, properties that are
 * `undefined` left out. Refuses what JSON cannot say exactly (NaN, infinities, functions, bigint, class
 * instances, holes), so that equal texts always mean equal values.
 */
export function canonicalJson(value: unknown): string {
  return written(value, '$', new Set())
}

/** SHA-256 of a text in UTF-8 (or of bytes), as 64 lower-case hex digits. */
export function sha256Hex(content: string | Uint8Array): string {
  return createHash('sha256').update(content).digest('hex')
}

function written(value: unknown, path: string, open: Set<object>): string {
  if (value === null || typeof value === 'boolean' || typeof value === 'string') return JSON.stringify(value)
  if (typeof value === 'number' && Number.isFinite(value)) return JSON.stringify(value)
  if (typeof value !== 'object') throw new TypeError(`${path} is no JSON value (${typeof value})`)
  if (open.has(value)) throw new TypeError(`${path} contains itself`)
  open.add(value)
  const text = Array.isArray(value) ? listText(value, path, open) : mapText(value, path, open)
  open.delete(value)
  return text
}

function listText(list: readonly unknown[], path: string, open: Set<object>): string {
  return `[${Array.from(list, (item, index) => written(item, `${path}[${String(index)}]`, open)).join(',')}]`
}

function mapText(map: object, path: string, open: Set<object>): string {
  const prototype: unknown = Object.getPrototypeOf(map)
  if (prototype !== Object.prototype && prototype !== null) throw new TypeError(`${path} is no plain object`)
  const entries: [string, unknown][] = Object.entries(map)
  const parts = entries
    .filter(([, item]) => item !== undefined)
    .sort(([left], [right]) => (left < right ? -1 : 1))
    .map(([key, item]) => `${JSON.stringify(key)}:${written(item, `${path}.${key}`, open)}`)
  return `{${parts.join(',')}}`
}
