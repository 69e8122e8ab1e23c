import { open } from 'node:fs/promises'
import { GateError } from '../errors.js'

/** Name of the Java database in every form it comes in. */
export const JAVA_DATABASE_FILE = 'trivy-java.db'

/** The GateError for a Java database that cannot be used; `reason` starts with `java-database-`. */
export function javaError(reason: string, problem: string, cause?: unknown): GateError {
  const message = `The image holds Java archives, and the Java database that names them ${problem}. Their packages were not matched, so nothing is concluded.`
  return new GateError('evidence', { reason: `java-database-${reason}`, message, cause })
}

const HEAD = 100
const MAGIC = 'SQLite format 3\0'

/**
 * Checks that a file is a whole SQLite database (https://www.sqlite.org/fileformat.html, 1.3): its first bytes, and
 * as many pages as its header says. Refuses an empty, a shorter and any other file; what is in it is proved by the
 * canary.
 */
export async function checkJavaDatabaseFile(path: string): Promise<void> {
  const handle = await open(path, 'r').catch((cause: unknown) => {
    throw javaError('missing', `has no readable ${JAVA_DATABASE_FILE}`, cause)
  })
  try {
    const found = await handle.stat()
    if (!found.isFile()) throw javaError('unreadable', `has a ${JAVA_DATABASE_FILE} that is not a file`)
    if (found.size === 0) throw javaError('empty', `has a ${JAVA_DATABASE_FILE} of zero bytes`)
    const head = Buffer.alloc(HEAD)
    const { bytesRead } = await handle.read(head, 0, HEAD, 0)
    if (head.toString('latin1', 0, MAGIC.length) !== MAGIC)
      throw javaError('unreadable', 'is no SQLite database')
    if (bytesRead < HEAD) throw javaError('truncated', 'ends within its header')
    const needed = bytesNeeded(head)
    if (found.size < needed)
      throw javaError('truncated', `is ${found.size} bytes long, but ${needed} are needed`)
  } finally {
    await handle.close()
  }
}

/** Page size times pages; the number of pages counts only where the header says it is of the last change. */
function bytesNeeded(head: Buffer): number {
  const size = head.readUInt16BE(16)
  const pageSize = size === 1 ? 65536 : size
  const current = head.readUInt32BE(24) === head.readUInt32BE(92)
  return pageSize * (current ? head.readUInt32BE(28) : 1)
}
