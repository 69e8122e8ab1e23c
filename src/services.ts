import { existsSync } from 'node:fs'
import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { claimFolder, removeAbandoned } from './abandoned.js'
import { describeError, GateError } from './errors.js'
import type { Progress } from './progress.js'
import type { Commands } from './tools/command.js'
import { createCommands } from './tools/commands.js'

export type Environment = Readonly<Record<string, string | undefined>>

/** The adapters of one run. */
export interface Services {
  readonly environment: Environment
  /** A runner of processes; each has its own lifetime, so that all scanners are gone before anything is signed. */
  readonly newCommands: () => Commands
  /** Private folder of this run, removed at its end. */
  readonly workDir: string
  readonly clock: () => Date
  readonly progress: Progress
  readonly signal: AbortSignal
  /** Folder of the program: has data/, toolchain/ and examples/ beside dist/ or src/. */
  readonly programRoot: string
}

/** The live adapters. `dispose` ends every process, then removes the private folder. */
export async function createServices(given: {
  readonly environment: Environment
  readonly progress: Progress
  readonly signal: AbortSignal
}): Promise<Services & { readonly dispose: () => Promise<void> }> {
  const workDir = await privateFolder()
  const runners: Commands[] = []
  let disposed: Promise<void> | undefined
  async function dispose(): Promise<void> {
    await Promise.all(runners.map(commands => commands.stopAll()))
    await rm(workDir, { recursive: true, force: true, maxRetries: 3 })
  }
  return {
    ...given,
    workDir,
    clock: () => new Date(),
    programRoot: programRoot(),
    newCommands: () => {
      const commands = createCommands({ environment: given.environment, workDir, signal: given.signal })
      runners.push(commands)
      return commands
    },
    dispose: () => (disposed ??= dispose()),
  }
}

/**
 * A fresh folder that nobody else may enter; GateError `no-temporary-folder` when there is no room for one. Those of
 * runs that were killed go first.
 */
async function privateFolder(): Promise<string> {
  const base = resolve(tmpdir())
  await removeAbandoned(base)
  try {
    const dir = await mkdtemp(join(base, 'portcullis-'))
    await chmod(dir, 0o700)
    await claimFolder(dir)
    return dir
  } catch (cause) {
    const message = `No folder for temporary files can be made in '${base}': ${describeError(cause)}. Set TMPDIR to another folder.`
    throw new GateError('tool', { reason: 'no-temporary-folder', message, cause })
  }
}

/** The nearest folder above this file that has action.yml: the checkout or the downloaded action. */
function programRoot(): string {
  const here = dirname(fileURLToPath(import.meta.url))
  const above = [join(here, '..'), join(here, '..', '..')]
  return above.find(folder => existsSync(join(folder, 'action.yml'))) ?? join(here, '..')
}
