import { createHash, randomBytes } from 'node:crypto'
import type { Hash } from 'node:crypto'
import { createReadStream, createWriteStream } from 'node:fs'
import { chmod, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { Transform } from 'node:stream'
import type { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { createGunzip } from 'node:zlib'
import { extract } from 'tar-stream'
import { GateError, describeError } from '../errors.js'
import type { CatalogAsset } from './catalog.js'
import { hashFile } from './hash.js'

const MAX_PROGRAM_BYTES = 600 * 1024 * 1024

/** What came out of an asset: the program in a folder of this run, or the proof that the asset is another one. */
export type Unpacked =
  | { readonly state: 'unpacked'; readonly path: string; readonly sha256: string }
  | { readonly state: 'wrong-hash'; readonly found: string }

/**
 * Hashes an asset and unpacks its program in the same pass, so that what is used is what was hashed. The program gets
 * its name and its exec bit only when the asset's hash is the pinned one; otherwise nothing is left.
 */
export async function unpackAsset(
  asset: CatalogAsset & { readonly file: string },
  into: { readonly folder: string; readonly name: string },
): Promise<Unpacked> {
  const part = join(into.folder, `${into.name}.${randomBytes(8).toString('hex')}.part`)
  const assetHash = createHash('sha256')
  const programHash = createHash('sha256')
  try {
    const failure = await writeProgram({ asset, part, assetHash, programHash })
    const found = failure === undefined ? assetHash.digest('hex') : await hashFile(asset.file)
    if (found !== asset.sha256) return { state: 'wrong-hash', found }
    if (failure !== undefined) throw unreadable(asset.asset, failure)
    const path = join(into.folder, into.name)
    await rename(part, path)
    await chmod(path, 0o755)
    return { state: 'unpacked', path, sha256: programHash.digest('hex') }
  } finally {
    await rm(part, { force: true })
  }
}

interface Pass {
  readonly asset: CatalogAsset & { readonly file: string }
  readonly part: string
  readonly assetHash: Hash
  readonly programHash: Hash
}

/** Undefined when the whole asset was read and the program written; else what went wrong. */
async function writeProgram({ asset, part, assetHash, programHash }: Pass): Promise<string | undefined> {
  const source = createReadStream(asset.file, { highWaterMark: 1024 * 1024 })
  try {
    if (asset.member === undefined) {
      await pipeline(
        source,
        watch(assetHash),
        watch(programHash),
        createWriteStream(part, { mode: 0o600, flags: 'wx' }),
      )
      return undefined
    }
    return await writeMember([source, watch(assetHash)], { member: asset.member, part, programHash })
  } catch (thrown) {
    return describeError(thrown)
  } finally {
    source.destroy()
  }
}

async function writeMember(
  [source, hashing]: readonly [Readable, Transform],
  wanted: { readonly member: string; readonly part: string; readonly programHash: Hash },
): Promise<string | undefined> {
  const entries = extract()
  const reading = pipeline(source, hashing, createGunzip(), entries)
  reading.catch(() => undefined)
  let found = 0
  for await (const entry of entries) {
    if (entry.header.name.replace(/^\.\//u, '') === wanted.member && entry.header.type === 'file') {
      found += 1
      if (found > 1) throw new Error(`it holds ${wanted.member} twice`)
      await pipeline(
        entry,
        watch(wanted.programHash),
        createWriteStream(wanted.part, { mode: 0o600, flags: 'wx' }),
      )
    } else entry.resume()
  }
  await reading
  return found === 1 ? undefined : `it holds no program ${wanted.member}`
}

function watch(hash: Hash): Transform {
  let size = 0
  return new Transform({
    transform(chunk: Buffer, _encoding, next) {
      size += chunk.length
      if (size > MAX_PROGRAM_BYTES) {
        next(new Error('it is too big'))
        return
      }
      hash.update(chunk)
      next(null, chunk)
    },
  })
}

function unreadable(asset: string, why: string): GateError {
  const message = `${asset} has the pinned hash but could not be unpacked: ${why}. Is the disk full?`
  return new GateError('tool', { reason: 'asset-unreadable', message })
}
