import { randomBytes } from 'node:crypto'
import { constants } from 'node:fs'
import { lstat, mkdir, open, readdir, realpath, rename, rm } from 'node:fs/promises'
import { dirname, join, relative, sep } from 'node:path'
import { GateError } from '../errors.js'

/** Folder of the signature bundles inside the report folder. */
export const BUNDLES = 'bundles'

/** What every run writes anew: an earlier run's must never stand for this one. */
const ENDINGS = ['portcullis.json', 'evidence.json', 'summary.md'] as const
const BUNDLE_FILE = /^[a-z0-9._-]+\.sigstore\.json$/

/**
 * Makes the report folder. `within` are absolute folders whose content is foreign (the checkout, the build context):
 * inside them no part of the path may be a link, which would lead our files elsewhere. Refuses a link, also in place
 * of the folder of bundles, as GateError config `output-is-a-link`.
 */
export async function openReportFolder(dir: string, within: readonly string[]): Promise<void> {
  for (const base of within) await refuseLinksBelow(base, dir)
  await mkdir(dir, { recursive: true })
  await refuseLink(join(dir, BUNDLES))
}

/** Removes record, evidence, summary and bundles of an earlier run, so that a run that dies leaves no old pass. */
export async function clearReportFolder(dir: string): Promise<void> {
  for (const name of ENDINGS) await rm(join(dir, name), { force: true })
  const names = await readdir(join(dir, BUNDLES)).catch(() => [])
  for (const name of names) if (BUNDLE_FILE.test(name)) await rm(join(dir, BUNDLES, name), { force: true })
}

/**
 * Writes one file of the report folder whole or not at all. It is made under a fresh name and put in place: what lies
 * there already (a link, another name of a foreign file) is replaced and never written through.
 */
export async function writeWhole(path: string, content: string | Uint8Array): Promise<void> {
  const part = join(dirname(path), `.${randomBytes(8).toString('hex')}.part`)
  const { O_CREAT, O_EXCL, O_NOFOLLOW, O_WRONLY } = constants
  try {
    const handle = await open(part, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o644)
    try {
      await handle.writeFile(content)
    } finally {
      await handle.close()
    }
    await rename(part, path)
  } catch (thrown) {
    await rm(part, { force: true }).catch(() => undefined)
    throw thrown
  }
}

async function refuseLinksBelow(base: string, dir: string): Promise<void> {
  const roots = [base, await realpath(base).catch(() => base)]
  for (const root of roots) {
    const path = relative(root, dir)
    if (path === '' || path === '..' || path.startsWith(`..${sep}`) || path.startsWith(sep)) continue
    const steps = path.split(sep)
    for (const at of steps.keys()) await refuseLink(join(root, ...steps.slice(0, at + 1)))
  }
}

async function refuseLink(path: string): Promise<void> {
  const found = await lstat(path).catch(() => null)
  if (found?.isSymbolicLink() !== true) return
  const message = `output: '${path}' is a symbolic link, so reports would be written elsewhere. Remove it, or give another folder.`
  throw new GateError('config', { reason: 'output-is-a-link', message })
}
