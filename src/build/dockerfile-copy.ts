import { copyFile, mkdtemp, readFile, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { systemErrorCode } from '../errors.js'
import { pinBases } from '../evidence/pinned-dockerfile.js'
import type { BuildRequest } from './build-request.js'

/**
 * The Dockerfile for an engine that cannot be handed digests: itself when every base is pinned in it, else a copy in
 * the private folder in which each checked base stands with its digest, lines unchanged, and its own ignore file
 * beside it. Returns its absolute path.
 */
export async function dockerfileWithDigests(request: BuildRequest, workDir: string): Promise<string> {
  const { dockerfile, bases } = request
  if (bases.every(base => base.reference.includes('@'))) return dockerfile
  const text = await readFile(dockerfile, 'utf8')
  const args = Object.fromEntries(request.buildArgs.map(argument => splitAtEquals(argument)))
  const dir = await mkdtemp(join(workDir, 'dockerfile-'))
  const copy = join(dir, basename(dockerfile))
  await writeFile(copy, pinBases(text, bases, args))
  await copyFile(`${dockerfile}.dockerignore`, `${copy}.dockerignore`).catch((thrown: unknown) => {
    if (systemErrorCode(thrown) !== 'ENOENT') throw thrown
  })
  return copy
}

function splitAtEquals(text: string): readonly [string, string] {
  const at = text.indexOf('=')
  return at < 0 ? [text, ''] : [text.slice(0, at), text.slice(at + 1)]
}
