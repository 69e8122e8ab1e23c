import { profileModes } from './profiles.js'
import { readOver } from './reading.js'
import type { PolicyDocument } from './reading.js'

export type { PolicyDocument } from './reading.js'

/**
 * Reads a policy document (`portcullis/v1`, docs/policy.md). `file` names it in messages. Refuses with one
 * GateError `config` / `policy-invalid` that lists every mistake as `file:line:column path: expected …`; a
 * syntax error stands alone. Nothing unknown is ignored.
 */
export function readPolicyDocument(text: string, file: string): PolicyDocument {
  return readOver(text, file, profileModes('recommended'))
}
