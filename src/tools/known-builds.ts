import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { GateError, describeError } from '../errors.js'
import type { ToolName } from '../evidence/tooling.js'

const HEX = /^[0-9a-f]{64}$/u
const hashes = z.record(z.string(), z.record(z.string(), z.record(z.string(), z.string().regex(HEX))))
const MAX_BYTES = 1024 * 1024

/**
 * The hashes that reproducible builds of one tool are known to have, over all Go versions and platforms
 * (toolchain/hashes.json). An empty list when this copy of the program has no toolchain folder.
 */
export async function knownBuilds(programRoot: string, name: ToolName): Promise<readonly string[]> {
  const text = await readHashes(join(programRoot, 'toolchain', 'hashes.json'))
  if (text === undefined) return []
  const parsed = hashes.safeParse(parseJson(text))
  if (!parsed.success || text.length > MAX_BYTES)
    throw new GateError('tool', {
      reason: 'hashes-unreadable',
      message: 'toolchain/hashes.json is not a table of hashes. Take the file of this version again.',
    })
  return Object.values(parsed.data).flatMap(platforms =>
    Object.values(platforms).flatMap(programs => programs[name] ?? []),
  )
}

async function readHashes(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8')
  } catch (cause) {
    if (typeof cause === 'object' && cause !== null && 'code' in cause && cause.code === 'ENOENT')
      return undefined
    const message = `toolchain/hashes.json cannot be read: ${describeError(cause)}.`
    throw new GateError('tool', { reason: 'hashes-unreadable', message, cause })
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown
  } catch {
    return undefined
  }
}
