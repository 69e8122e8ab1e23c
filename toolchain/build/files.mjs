import { createHash } from 'node:crypto'
import { createReadStream, readFileSync, statfsSync } from 'node:fs'
import { pipeline } from 'node:stream/promises'

/** An error whose message is all the reader needs; anything else is shown with its stack. */
export class BuildError extends Error {}

/** Parses a JSON file of ours; the error names the file. */
export function readJson(path) {
  try {
    return JSON.parse(readFileSync(path, 'utf8'))
  } catch (error) {
    throw new BuildError(`cannot read ${path}: ${error.message}`)
  }
}

/** SHA-256 of a file as hex, read as a stream. */
export async function sha256File(path) {
  const hash = createHash('sha256')
  await pipeline(createReadStream(path), hash)
  return hash.digest('hex')
}

/** SHA-256 of a string or buffer as hex. */
export function sha256(data) {
  return createHash('sha256').update(data).digest('hex')
}

/** Refuses to start when the file system that holds `folder` has fewer than `needMiB` MiB left for us. */
export function requireDisk(folder, needMiB, what) {
  const { bavail, bsize } = statfsSync(folder)
  const freeMiB = Math.floor((bavail * bsize) / 1048576)
  if (freeMiB >= needMiB) return
  throw new BuildError(
    `not enough free disk to build ${what}: ${folder} has ${freeMiB} MiB, ${needMiB} MiB are needed. ` +
      'Free some space, or name another folder in PORTCULLIS_CACHE.',
  )
}

/** Progress and warnings: standard error only, standard output belongs to the result. */
export function say(line) {
  process.stderr.write(`toolchain: ${line}\n`)
}
