import { lstat, readdir, readFile, readlink, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

const OWNER_FILE = '.portcullis-owner.json'
const PRIVATE_FOLDER = /^portcullis-[A-Za-z0-9]{6}$/

/** Notes in a private folder which process it belongs to, so that a later run can tell a dead one's. */
export async function claimFolder(dir: string): Promise<void> {
  const owner = await owning(process.pid)
  if (owner !== null)
    await writeFile(join(dir, OWNER_FILE), JSON.stringify(owner), { mode: 0o600, flag: 'wx' })
}

/**
 * Removes the private folders below `base` of runs of this user that were killed: their process, known by id, start
 * time, boot and process namespace, does not live any more. Whatever cannot be told so surely is left alone, and so
 * is what cannot be removed.
 */
export async function removeAbandoned(base: string): Promise<void> {
  const names = await readdir(base).catch(() => [])
  for (const name of names.filter(one => PRIVATE_FOLDER.test(one))) {
    const dir = join(base, name)
    if (await isAbandoned(dir)) await rm(dir, { recursive: true, force: true }).catch(() => undefined)
  }
}

async function isAbandoned(dir: string): Promise<boolean> {
  const found = await lstat(dir).catch(() => null)
  if (found?.isDirectory() !== true || found.uid !== process.getuid?.()) return false
  const written = await readFile(join(dir, OWNER_FILE), 'utf8').catch(() => null)
  const here = await owning(process.pid)
  if (written === null || here === null) return false
  const pid = /^\{"pid":([1-9]\d{0,9}),/.exec(written)?.[1]
  if (pid === undefined) return false
  // Written elsewhere, the same id means nothing here.
  const sameMachine = written.endsWith(
    `"boot":${JSON.stringify(here.boot)},"space":${JSON.stringify(here.space)}}`,
  )
  if (!sameMachine) return false
  return written !== JSON.stringify(await owning(Number(pid)))
}

interface Owner {
  readonly pid: number
  /** Ticks since the boot (proc(5), stat, field 22). */
  readonly start: string
  readonly boot: string
  readonly space: string
}

/** Null where there is no such process, or no /proc. */
async function owning(pid: number): Promise<Owner | null> {
  try {
    const stat = await readFile(`/proc/${String(pid)}/stat`, 'utf8')
    // The second field is a name in brackets, which may hold anything.
    const start = stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]
    if (start === undefined || !/^\d+$/.test(start)) return null
    const boot = (await readFile('/proc/sys/kernel/random/boot_id', 'utf8')).trim()
    return { pid, start, boot, space: await readlink('/proc/self/ns/pid') }
  } catch {
    return null
  }
}
