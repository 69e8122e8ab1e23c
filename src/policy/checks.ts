import * as z from 'zod'
import type { RuleMode } from './verdict.js'
import type { Mistake, YamlNode } from './yaml-node.js'
import { nodeAt, pathText, plainValue } from './yaml-node.js'

/** Modes of the profile that a document stands on; null where the document is the profile itself. */
export type ProfileModes = Readonly<Record<string, RuleMode>> | null

const STRICTNESS: Readonly<Record<RuleMode, number>> = { off: 0, warn: 1, enforce: 2 }

const looseRules = z.looseObject({
  mode: z.enum(['enforce', 'warn', 'off']),
  reason: z.unknown().optional(),
})
const looseDates = z.looseObject({ created: z.iso.date(), expires: z.iso.date() })

/**
 * What a schema cannot say about single keys: a weakened rule needs a reason, an exception needs a package or a
 * path and ends after it begins. Looks at each entry alone, so that one mistake does not hide another.
 */
export function crossChecks(root: YamlNode, profile: ProfileModes): Mistake[] {
  return [...weakenedWithoutReason(root, profile), ...exceptionMistakes(root)]
}

function weakenedWithoutReason(root: YamlNode, profile: ProfileModes): Mistake[] {
  const rules = nodeAt(root, ['rules'])
  if (profile === null || rules?.kind !== 'map') return []
  return rules.entries.flatMap(entry => {
    const setting = looseRules.safeParse(plainValue(entry.node))
    const before = profile[entry.key]
    if (!setting.success || before === undefined || setting.data.reason !== undefined) return []
    if (STRICTNESS[setting.data.mode] >= STRICTNESS[before] || before !== 'enforce') return []
    const message = `expected a reason, because the profile enforces this rule and mode ${setting.data.mode} weakens it`
    return [{ at: entry.node.at, path: pathText(['rules', entry.key, 'reason']), message }]
  })
}

function exceptionMistakes(root: YamlNode): Mistake[] {
  const list = nodeAt(root, ['exceptions'])
  if (list?.kind !== 'list') return []
  return list.items.flatMap((item, index) => {
    if (item.kind !== 'map') return []
    const mistakes: Mistake[] = []
    const keys = new Set(item.entries.map(entry => entry.key))
    if (!keys.has('package') && !keys.has('path')) {
      const message = 'expected package or path: an exception for a whole image is not possible'
      mistakes.push({ at: item.at, path: pathText(['exceptions', index]), message })
    }
    const dates = looseDates.safeParse(plainValue(item))
    if (dates.success && dates.data.expires < dates.data.created) {
      const path = ['exceptions', index, 'expires']
      const message = `expected a day not before created (${dates.data.created})`
      mistakes.push({ at: nodeAt(root, path)?.at ?? item.at, path: pathText(path), message })
    }
    return mistakes
  })
}
