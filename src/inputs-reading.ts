import { describeError } from './errors.js'
import type { InputSpec } from './request.js'

const MAX_VALUE = 65_536

/** Values of the inputs. Collects every problem before failing, so that one run shows them all. */
export interface Reading {
  /** '' means not given. */
  readonly value: (name: string) => string
  /** The input's name as the reader knows it: `--name` on a terminal. */
  readonly label: (name: string) => string
  readonly problems: string[]
}

/** The value of an input when this version takes it; else '' and a problem. */
export function acceptedValue(spec: InputSpec, given: string, reading: Omit<Reading, 'value'>): string {
  const value = given === '' ? (spec.default ?? '') : given
  if (value === '') return ''
  const problem = refusal(spec, value)
  if (problem === undefined) return value
  reading.problems.push(`${reading.label(spec.name)}: ${problem}`)
  return ''
}

function refusal(spec: InputSpec, value: string): string | undefined {
  if (!spec.available) return 'not available yet in this version. Leave it out.'
  if (value.length > MAX_VALUE || value.includes('\0'))
    return `longer than ${MAX_VALUE} characters, or holds a NUL.`
  if (spec.later?.includes(value))
    return `'${value}' is not available yet in this version. Use ${choice(spec)}.`
  if (spec.values && !spec.values.includes(value)) return `expected ${choice(spec)}, got '${value}'.`
  return undefined
}

function choice(spec: InputSpec): string {
  return (spec.values ?? []).map(value => `'${value}'`).join(' or ')
}

/** A property only when it was given. */
export function optional<K extends string>(key: K, text: string): { readonly [P in K]?: string }
export function optional(key: string, text: string): Readonly<Record<string, string>> {
  return text === '' ? {} : { [key]: text }
}

/** Notes a problem of an input. */
export function refuse(reading: Reading, name: string, problem: string): void {
  reading.problems.push(`${reading.label(name)}: ${problem}`)
}

/** Runs a parser that throws; its message becomes one more problem of the input. */
export function parsed<T>(reading: Reading, name: string, read: { parse: () => T; whenRefused: T }): T {
  try {
    return read.parse()
  } catch (thrown) {
    refuse(reading, name, describeError(thrown))
    return read.whenRefused
  }
}

/** The lines of an input that hold anything, trimmed. */
export function linesOf(reading: Reading, name: string): readonly string[] {
  return reading
    .value(name)
    .split('\n')
    .map(text => text.trim())
    .filter(text => text !== '')
}

/** `NAME=VALUE` on each line, each name once. */
export function assignments(reading: Reading, name: string, key: RegExp): readonly [string, string][] {
  const found = new Map<string, string>()
  for (const line of linesOf(reading, name)) {
    const [left, right] = split(line, '=')
    if (!line.includes('=') || !key.test(left))
      refuse(reading, name, `expected NAME=VALUE on each line, got '${left}'.`)
    else if (found.has(left)) refuse(reading, name, `'${left}' is given twice.`)
    else found.set(left, right)
  }
  return [...found]
}

/** The text before and after the first separator. */
export function split(text: string, separator: string): [string, string] {
  const at = text.indexOf(separator)
  return at < 0 ? [text, ''] : [text.slice(0, at), text.slice(at + separator.length)]
}

/** The YAML 1.2 booleans that the runner's own reader takes, nothing else. */
export function booleanValue(reading: Reading, name: string): boolean {
  const text = reading.value(name)
  if (/^(true|True|TRUE)$/.test(text)) return true
  if (!/^(false|False|FALSE|)$/.test(text)) refuse(reading, name, `expected true or false, got '${text}'.`)
  return false
}
