import { GateError } from '../errors.js'
import { crossChecks } from './checks.js'
import type { ProfileModes } from './checks.js'
import { mistakesOf } from './problems.js'
import { policySchema } from './schema.js'
import type { PolicyValues } from './schema.js'
import { readYaml } from './yaml.js'
import { pathText, plainValue } from './yaml-node.js'
import type { Mistake, YamlNode } from './yaml-node.js'

const MAX_MISTAKES_SHOWN = 50

/** A policy document that meets the schema. `lines` says where each value stands, by its dotted path. */
export interface PolicyDocument {
  readonly file: string
  readonly values: PolicyValues
  readonly lines: Readonly<Record<string, number>>
}

/**
 * Reads a document over the modes of the profile it stands on (null: it is a profile itself). Refuses with one
 * GateError `config` / `policy-invalid` that lists every mistake; a syntax error stands alone.
 */
export function readOver(text: string, file: string, profile: ProfileModes): PolicyDocument {
  const reading = readYaml(text)
  const root = reading.root
  if (root === undefined) throw invalid(file, reading.mistakes)
  const parsed = policySchema.safeParse(plainValue(root))
  const issues = parsed.success ? [] : mistakesOf(parsed.error.issues, root, policySchema)
  const mistakes = [...reading.mistakes, ...issues, ...crossChecks(root, profile)]
  if (!parsed.success || mistakes.length > 0) throw invalid(file, mistakes)
  const lines: Record<string, number> = {}
  collectLines(root, [], lines)
  return { file, values: parsed.data, lines }
}

function collectLines(node: YamlNode, path: readonly PropertyKey[], lines: Record<string, number>): void {
  if (path.length > 0) lines[pathText(path)] = node.at.line
  if (node.kind === 'map')
    for (const entry of node.entries) collectLines(entry.node, [...path, entry.key], lines)
  if (node.kind === 'list') node.items.forEach((item, index) => collectLines(item, [...path, index], lines))
}

function invalid(file: string, mistakes: readonly Mistake[]): GateError {
  const ordered = [...mistakes].sort(
    (left, right) => left.at.line - right.at.line || left.at.column - right.at.column,
  )
  const lines = [...new Set(ordered.map(mistake => lineOf(file, mistake)))]
  const shown = lines.slice(0, MAX_MISTAKES_SHOWN)
  if (lines.length > shown.length) shown.push(`and ${lines.length - shown.length} more`)
  const count = lines.length === 1 ? 'one mistake' : `${lines.length} mistakes`
  return new GateError('config', {
    reason: 'policy-invalid',
    message: [`The policy ${file} has ${count}; see docs/policy.md:`, ...shown].join('\n'),
  })
}

function lineOf(file: string, mistake: Mistake): string {
  const path = mistake.path === '' ? '' : ` ${mistake.path}`
  return `${file}:${mistake.at.line}:${mistake.at.column}${path}: ${mistake.message}`
}
