/** One workflow command as the runner would carry it out. */
export interface WorkflowCommand {
  /** Lower case. */
  readonly name: string
  readonly properties: Readonly<Record<string, string>>
  readonly data: string
  readonly stream: 'stdout' | 'stderr'
}

/** Commands that the runner knows (actions/runner, ActionCommandManager and its extensions). */
const KNOWN = new Set([
  ...['add-mask', 'add-matcher', 'remove-matcher', 'debug', 'notice', 'warning', 'error', 'group'],
  ...['endgroup', 'echo', 'save-state', 'set-output', 'stop-commands', 'set-env', 'add-path'],
])

/**
 * Workflow commands in one stream, by the rules of the runner: `::name k=v,…::data` after leading white space, and
 * `##[name k=v;…]data` anywhere in a line; names in any case; only registered names act; nothing acts between
 * `stop-commands` and its token.
 */
export function commandsIn(text: string, stream: 'stdout' | 'stderr'): readonly WorkflowCommand[] {
  const found: WorkflowCommand[] = []
  let stopToken: string | null = null
  for (const line of text.split(/\r\n|\n|\r/)) {
    const command: WorkflowCommand | null =
      newForm(line, stream, stopToken) ?? oldForm(line, stream, stopToken)
    if (command === null) continue
    if (stopToken !== null) {
      if (command.name === stopToken) stopToken = null
      continue
    }
    if (command.name === 'stop-commands') stopToken = command.data.toLowerCase()
    found.push(command)
  }
  return found
}

function acts(name: string, stopToken: string | null): boolean {
  return KNOWN.has(name) || name === stopToken
}

function newForm(
  line: string,
  stream: 'stdout' | 'stderr',
  stopToken: string | null,
): WorkflowCommand | null {
  const text = line.trimStart()
  const end = text.startsWith('::') ? text.indexOf('::', 2) : -1
  if (end < 0) return null
  const { name, properties } = headOf(text.slice(2, end), ',')
  if (!acts(name, stopToken)) return null
  return { name, properties, data: unescaped(text.slice(end + 2), DATA), stream }
}

function oldForm(
  line: string,
  stream: 'stdout' | 'stderr',
  stopToken: string | null,
): WorkflowCommand | null {
  const start = line.indexOf('##[')
  const end = start < 0 ? -1 : line.indexOf(']', start)
  if (end < 0) return null
  const { name, properties } = headOf(line.slice(start + 3, end), ';')
  if (!acts(name, stopToken)) return null
  return { name, properties, data: unescaped(line.slice(end + 1), [...DATA, ...OLD]), stream }
}

type Escapes = readonly (readonly [string, string])[]
const DATA: Escapes = [
  ['%0D', '\r'],
  ['%0A', '\n'],
]
const OLD: Escapes = [
  ['%3B', ';'],
  ['%5D', ']'],
]
const PROPERTY: Escapes = [...DATA, ['%3A', ':'], ['%2C', ',']]

function headOf(head: string, separator: string): Pick<WorkflowCommand, 'name' | 'properties'> {
  const space = head.trim().indexOf(' ')
  const trimmed = head.trim()
  const name = (space < 0 ? trimmed : trimmed.slice(0, space)).toLowerCase()
  const pairs = space < 0 ? [] : trimmed.slice(space + 1).split(separator)
  const properties = pairs.flatMap(pair => {
    const at = pair.indexOf('=')
    const escapes = separator === ',' ? PROPERTY : [...DATA, ...OLD]
    return at < 1 ? [] : [[pair.slice(0, at).trim(), unescaped(pair.slice(at + 1), escapes)] as const]
  })
  return { name, properties: Object.fromEntries(properties) }
}

function unescaped(text: string, escapes: Escapes): string {
  return escapes.reduce((so, [from, to]) => so.replaceAll(from, to), text).replaceAll('%25', '%')
}

/** Key-value pairs of a command file: `K=V`, or `K<<DELIMITER` … `DELIMITER`. Throws where the runner fails the step. */
export function parseCommandFile(text: string): Readonly<Record<string, string>> {
  const values: Record<string, string> = {}
  const lines = text.split(/\r?\n/)
  for (let at = 0; at < lines.length; at += 1) {
    const line = lines[at] ?? ''
    if (line === '') continue
    const equals = line.indexOf('=')
    const heredoc = line.indexOf('<<')
    if (equals >= 0 && (heredoc < 0 || equals < heredoc)) {
      if (equals === 0) throw new Error(`command file: empty name in '${line}'`)
      values[line.slice(0, equals)] = line.slice(equals + 1)
      continue
    }
    const name = line.slice(0, heredoc)
    const delimiter = line.slice(heredoc + 2)
    if (heredoc < 1 || delimiter === '') throw new Error(`command file: '${line}' is no assignment`)
    const end = lines.indexOf(delimiter, at + 1)
    if (end < 0) throw new Error(`command file: '${delimiter}' is not there`)
    values[name] = lines.slice(at + 1, end).join('\n')
    at = end
  }
  return values
}
