import { join } from 'node:path'
import { GateError } from '../errors.js'
import type { RunContext } from '../github/context.js'
import { readPolicyDocument } from '../policy/document.js'
import { resolvePolicy, type ResolvedPolicy } from '../policy/resolve.js'
import type { Commands } from '../tools/command.js'
import { blobOfCommit, pathsOfCommit } from '../tools/git.js'
import { readSourceFile } from './source-file.js'

const DEFAULTS = ['.github/portcullis.yml', '.github/portcullis.yaml'] as const
const MAX_BYTES = 1024 * 1024

interface FoundPolicy {
  readonly file: string
  readonly text: string
}

/**
 * Loads and resolves the policy from the place the context allows. No file: the profile `recommended`.
 * Refuses: a named file that does not exist, both default names at once, a file that is no valid policy.
 */
export async function loadPolicy(
  commands: Commands,
  context: RunContext,
  named: string | undefined,
): Promise<ResolvedPolicy> {
  const { policyPlace } = context
  const names = named === undefined ? DEFAULTS : [named]
  const found =
    policyPlace.kind === 'commit'
      ? await fromCommit(commands, policyPlace, names)
      : await fromWorkingTree(context.workspace, names)
  const origin = originWords(policyPlace, found[0]?.file)
  if (found.length > 1) {
    const both = found.map(policy => policy.file).join(' and ')
    throw new GateError('config', {
      reason: 'policy-twice',
      message: `Both ${both} exist (${origin}). Keep one.`,
    })
  }
  const policy = found[0]
  if (policy === undefined && named !== undefined) {
    throw new GateError('config', {
      reason: 'policy-missing',
      message: `policy: '${named}' does not exist (${origin}).`,
    })
  }
  if (policy === undefined) return resolvePolicy({ document: null, file: null, origin })
  return resolvePolicy({ document: readPolicyDocument(policy.text, policy.file), file: policy.file, origin })
}

function originWords(place: RunContext['policyPlace'], file: string | undefined): string {
  const name = file ?? 'profile recommended, no policy file'
  return place.kind === 'commit' ? `${name} at ${place.commit.slice(0, 12)}` : `${name} in the working tree`
}

async function fromCommit(
  commands: Commands,
  place: { readonly commit: string; readonly repository: string },
  names: readonly string[],
): Promise<readonly FoundPolicy[]> {
  const there = await pathsOfCommit(commands, place, names)
  const found: FoundPolicy[] = []
  for (const file of there) found.push({ file, text: await blobOfCommit(commands, place, file) })
  return found
}

async function fromWorkingTree(workspace: string, names: readonly string[]): Promise<readonly FoundPolicy[]> {
  const found: FoundPolicy[] = []
  for (const file of names) {
    const path = file.startsWith('/') ? file : join(workspace, file)
    const source = await readSourceFile(path, { maxBytes: MAX_BYTES, within: [workspace] })
    if (source.state === 'absent') continue
    if (source.state === 'refused') {
      const message = `policy: '${file}' ${source.why}.`
      throw new GateError('config', { reason: 'policy-unreadable', message })
    }
    found.push({ file, text: source.text })
  }
  return found
}
