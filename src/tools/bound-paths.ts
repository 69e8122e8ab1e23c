import {
  chmod,
  constants,
  copyFile,
  lchown,
  link,
  lstat,
  mkdir,
  mkdtemp,
  opendir,
  stat,
} from 'node:fs/promises'
import { join } from 'node:path'
import { GateError, describeError } from '../errors.js'
import type { BoundPath } from './confinement.js'

const MAX_ENTRIES = 500_000
const READ_FILE = 0o004
const READ_FOLDER = 0o005

/**
 * Makes what a process of another user shall read readable for it: as it is when its modes allow that; what lies in
 * `workDir` by opening its modes, since nobody else can enter that folder; anything else, and files with further hard
 * links, as a mirror in `workDir` (hard links where the file may be read by all, copies elsewhere), because the modes
 * of the original are its owner's affair.
 */
export async function readableFor(path: string, workDir: string): Promise<BoundPath> {
  const own = isBelow(path, workDir)
  if (await allReadable(path, { left: MAX_ENTRIES, own })) return { kind: 'read', from: path, to: path }
  const mirror = join(await mkdtemp(join(workDir, 'mirror-')), 'path')
  await mirrorPath(path, mirror)
  return { kind: 'read', from: mirror, to: path }
}

function isBelow(path: string, folder: string): boolean {
  return path.startsWith(`${folder}/`)
}

async function allReadable(path: string, walk: { left: number; readonly own: boolean }): Promise<boolean> {
  walk.left -= 1
  if (walk.left < 0)
    throw new GateError('tool', { reason: 'too-many-files', message: `${path} holds too many files.` })
  const found = await lstat(path).catch((cause: unknown) => {
    const message = `${path} cannot be handed to a scanner: ${describeError(cause)}.`
    throw new GateError('tool', { reason: 'confined-path-missing', message, cause })
  })
  if (found.isSymbolicLink()) return true
  const needed = found.isDirectory() ? READ_FOLDER : READ_FILE
  if ((found.mode & needed) !== needed) {
    if (!walk.own || (!found.isDirectory() && found.nlink > 1)) return false
    await chmod(path, (found.mode & 0o7777) | needed)
  }
  if (!found.isDirectory()) return true
  for await (const entry of await opendir(path))
    if (!(await allReadable(join(path, entry.name), walk))) return false
  return true
}

async function mirrorPath(from: string, to: string): Promise<void> {
  const found = await lstat(from)
  if (found.isDirectory()) {
    await mkdir(to, { mode: 0o755 })
    await chmod(to, 0o755)
    for await (const entry of await opendir(from))
      await mirrorPath(join(from, entry.name), join(to, entry.name))
  } else if (found.isFile()) await mirrorFile(from, to, found.mode)
}

async function mirrorFile(from: string, to: string, mode: number): Promise<void> {
  if ((mode & READ_FILE) === READ_FILE) {
    try {
      await link(from, to)
      return
    } catch {
      // another file system: copied below
    }
  }
  await copyFile(from, to, constants.COPYFILE_FICLONE)
  await chmod(to, mode & 0o111 ? 0o755 : 0o644)
}

/** A folder that was opened for a process of another user, and how to close it again. */
export interface OpenedFolder {
  readonly bound: BoundPath
  readonly close: () => Promise<void>
}

/**
 * Opens a folder for writing by another user (creating it when absent). `close` takes it back: the old mode (not in
 * `workDir`, where two scanners may share a folder and nobody else can enter), our ownership when we are root, and a
 * look at everything in it, since links or devices in there would lead later readers out of the folder: GateError
 * integrity `foreign-output`.
 */
export async function writableFor(
  path: string,
  { otherUser, workDir }: { readonly otherUser: boolean; readonly workDir: string },
): Promise<OpenedFolder> {
  await mkdir(path, { recursive: true })
  const { mode } = await stat(path)
  if (otherUser) await chmod(path, 0o777)
  return {
    bound: { kind: 'write', from: path, to: path },
    close: async () => {
      if (otherUser && !isBelow(path, workDir)) await chmod(path, mode & 0o7777)
      await checkTree(path, { left: MAX_ENTRIES })
    },
  }
}

async function checkTree(path: string, count: { left: number }): Promise<void> {
  for await (const entry of await opendir(path)) {
    const child = join(path, entry.name)
    count.left -= 1
    if (count.left < 0 || !(entry.isFile() || entry.isDirectory()))
      throw new GateError('integrity', {
        reason: 'foreign-output',
        message: `A confined program left something other than files and folders in its output folder: ${JSON.stringify(entry.name)}.`,
      })
    if (process.getuid?.() === 0) await lchown(child, 0, process.getgid?.() ?? 0)
    if (entry.isDirectory()) await checkTree(child, count)
  }
}
