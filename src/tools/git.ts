import { GateError } from '../errors.js'
import type { Commands, Program } from './command.js'
import { systemProgram } from './confinement.js'

/** A commit of a repository on disk. */
export interface CommitPlace {
  readonly commit: string
  readonly repository: string
}

const TIMEOUT_MS = 60_000
const MAX_BLOB = 1024 * 1024

/**
 * Which of the paths exist as files in the commit. Plumbing only: no hooks, no replace objects, no fsmonitor,
 * no configuration of system or user.
 */
export async function pathsOfCommit(
  commands: Commands,
  place: CommitPlace,
  paths: readonly string[],
): Promise<readonly string[]> {
  const text = await git(commands, place, ['ls-tree', '-z', '--full-tree', place.commit, '--', ...paths])
  const entries = text.split('\0').filter(entry => entry !== '')
  return entries.map(entry => {
    const match = /^(?<mode>[0-7]{6}) blob [0-9a-f]{40,64}\t(?<path>.+)$/s.exec(entry)
    const path = match?.groups?.['path']
    if (path === undefined || match?.groups?.['mode'] === '120000') {
      const message = `'${entry.slice(0, 200)}' in commit ${place.commit} is no plain file.`
      throw new GateError('config', { reason: 'policy-unreadable', message })
    }
    return path
  })
}

/** The text of one file of the commit, at most 1 MiB. */
export async function blobOfCommit(commands: Commands, place: CommitPlace, path: string): Promise<string> {
  return await git(commands, place, ['cat-file', 'blob', `${place.commit}:${path}`])
}

/** What the history says of a commit: it is another one's ancestor (or that one itself), it is not, or it is not known. */
export type Ancestry = 'ancestor' | 'not-ancestor' | 'unknown'

/**
 * Whether `revision` is an ancestor of the place's commit. Unknown where the repository does not hold one of them, or
 * is a shallow clone that could cut the way between them.
 */
export async function ancestryOf(
  commands: Commands,
  place: CommitPlace,
  revision: string,
): Promise<Ancestry> {
  try {
    const behind = await git(commands, place, ['rev-list', '--max-count=1', revision, `^${place.commit}`])
    if (behind.trim() === '') return 'ancestor'
    const shallow = await git(commands, place, ['rev-parse', '--is-shallow-repository'])
    return shallow.trim() === 'false' ? 'not-ancestor' : 'unknown'
  } catch (thrown) {
    if (thrown instanceof GateError && thrown.reason === 'exit-code') return 'unknown'
    throw thrown
  }
}

async function git(commands: Commands, place: CommitPlace, args: readonly string[]): Promise<string> {
  const path = systemProgram('git')
  if (path === undefined) {
    const message = 'git is not installed; it reads the policy of the commit. Install git on the runner.'
    throw new GateError('tool', { reason: 'not-found', message })
  }
  const program: Program = { name: 'git', path }
  const guards = ['--no-replace-objects', '-c', 'core.hooksPath=/dev/null', '-c', 'core.fsmonitor=false']
  const safe = ['-c', `safe.directory=${place.repository}`]
  const { stdout } = await commands.run({
    program,
    args: [...guards, ...safe, '-C', place.repository, ...args],
    grant: 'toolchain',
    timeoutMs: TIMEOUT_MS,
    maxOutputBytes: MAX_BLOB,
    variables: { GIT_CONFIG_NOSYSTEM: '1', GIT_CONFIG_GLOBAL: '/dev/null', GIT_TERMINAL_PROMPT: '0' },
  })
  return stdout
}
