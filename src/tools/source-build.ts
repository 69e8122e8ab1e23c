import { join } from 'node:path'
import { z } from 'zod'
import { GateError } from '../errors.js'
import type { ToolName } from '../evidence/tooling.js'
import { isThere } from './cache.js'
import type { InstalledTool, ToolServices } from './tool-set.js'

const HEX = /^[0-9a-f]{64}$/u
const BUILD_MS = 90 * 60_000

const builds = z.record(
  z.string(),
  z.object({
    path: z.string().startsWith('/'),
    sha256: z.string().regex(HEX),
    version: z.string().min(1).max(64),
    expected: z.string().regex(HEX).nullable(),
  }),
)

/**
 * Builds the tools from the pinned module files with the machine's Go (or takes what an earlier run built) and
 * proves them: `verified` only when the program has the hash that toolchain/hashes.json notes for this Go version
 * and platform.
 */
export async function builtTools(
  services: ToolServices,
  names: readonly ToolName[],
): Promise<readonly InstalledTool[]> {
  const script = join(services.programRoot, 'toolchain', 'build.mjs')
  if (!(await isThere(script)))
    throw new GateError('config', {
      reason: 'no-toolchain',
      message: 'tools: source needs the folder toolchain/ of this project, which this copy does not have.',
    })
  services.log(`building from source: ${names.join(', ')} (minutes when nothing is cached)`)
  const { stdout } = await services.commands.run({
    program: { name: 'toolchain', path: process.execPath },
    args: [script, ...names, '--json'],
    grant: 'toolchain',
    timeoutMs: BUILD_MS,
  })
  const parsed = builds.safeParse(parseJson(stdout))
  if (!parsed.success) throw unreadable('its answer has another form than expected')
  return names.map(name => {
    const built = parsed.data[name]
    if (built === undefined) throw unreadable(`${name} is not in its answer`)
    const { path, sha256, version, expected } = built
    const verified = expected === sha256
    if (!verified) services.log(`WARNING: ${name} was built with a hash that is not known (${sha256})`)
    return { program: { name, path, sha256 }, facts: { name, version, source: 'source', sha256, verified } }
  })
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown
  } catch {
    return undefined
  }
}

function unreadable(why: string): GateError {
  return new GateError('tool', {
    reason: 'build-unreadable',
    message: `The build of the tools cannot be used: ${why}.`,
  })
}
