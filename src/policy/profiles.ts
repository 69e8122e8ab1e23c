import recommended from './profiles/recommended.yaml'
import { readOver } from './reading.js'
import type { PolicyDocument } from './reading.js'
import type { PROFILE_NAMES } from './schema.js'
import type { RuleMode } from './verdict.js'

export type ProfileName = (typeof PROFILE_NAMES)[number]

const TEXTS: Readonly<Record<ProfileName, string>> = { recommended }

/** The shipped profile of that name, read as any policy document is. */
export function readProfile(name: ProfileName): PolicyDocument {
  return readOver(TEXTS[name], `profile ${name}`, null)
}

/** Mode of each rule in a profile. */
export function profileModes(name: ProfileName): Readonly<Record<string, RuleMode>> {
  const rules = Object.entries(readProfile(name).values.rules ?? {})
  return Object.fromEntries(rules.map(([rule, setting]) => [rule, setting.mode]))
}
