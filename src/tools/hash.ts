import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'

/**
 * SHA-256 of a file, lower-case hex, read from the disk each time: a cache by inode or time would trust what an
 * attacker can set. 100 MB cost about 100 ms; several files may be hashed side by side.
 */
export async function hashFile(path: string): Promise<string> {
  const hash = createHash('sha256')
  for await (const chunk of createReadStream(path, { highWaterMark: 1024 * 1024 }))
    hash.update(chunk as Buffer)
  return hash.digest('hex')
}
