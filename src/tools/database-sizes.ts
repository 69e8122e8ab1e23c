import { constants } from 'node:fs'
import { mkdir, open, rename, rm, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { z } from 'zod'
import { systemErrorCode } from '../errors.js'

const MAX_BYTES = 256 * 1024
const MAX_PLACES = 1000

const sizes = z
  .record(z.string().min(1).max(1000), z.int().positive())
  .refine(entries => Object.keys(entries).length <= MAX_PLACES)

/** What this machine remembers of the databases it was given; `note` says why nothing, where there is a file. */
export interface Remembered {
  readonly sizes: Readonly<Record<string, number>>
  readonly note?: string
}

/**
 * Reads how big the databases were that each place gave the last time. The file belongs to a cache that others may
 * write to: one that is no plain file, too big or not in our form is left alone and said so, never believed.
 */
export async function readDatabaseSizes(file: string): Promise<Remembered> {
  try {
    const parsed = sizes.safeParse(JSON.parse(await readSmall(file)))
    if (parsed.success) return { sizes: parsed.data }
  } catch (thrown) {
    if (systemErrorCode(thrown) === 'ENOENT') return { sizes: {} }
  }
  return { sizes: {}, note: 'the remembered sizes of databases cannot be read; this run starts anew' }
}

async function readSmall(file: string): Promise<string> {
  const handle = await open(file, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
  try {
    const found = await handle.stat()
    if (!found.isFile() || found.size > MAX_BYTES) throw new Error('not a small plain file')
    return await handle.readFile('utf8')
  } finally {
    await handle.close()
  }
}

/**
 * Remembers the size (bytes) that a place gave, over all that was remembered before. Written beside the file and
 * renamed; a cache that cannot be written is no failure, since the next run only knows less. `unique` keeps two runs
 * from writing one file.
 */
export async function rememberDatabaseSize(
  file: string,
  seen: { readonly place: string; readonly size: number; readonly unique: string },
): Promise<void> {
  const { sizes: before } = await readDatabaseSizes(file)
  const kept = Object.entries(before).filter(([place]) => place !== seen.place)
  const after = Object.fromEntries([...kept.slice(1 - MAX_PLACES), [seen.place, seen.size]])
  const part = `${file}.${seen.unique}`
  try {
    await mkdir(dirname(file), { recursive: true, mode: 0o755 })
    await writeFile(part, JSON.stringify(after), { flag: 'wx' })
    await rename(part, file)
  } catch {
    await rm(part, { force: true }).catch(() => undefined)
  }
}
