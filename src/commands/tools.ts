import { GateError } from '../errors.js'
import type { Environment } from '../services.js'
import { toolCacheFolder } from '../tools/cache.js'
import { TOOL_NAMES } from '../tools/catalog.js'
import { installTools } from '../tools/install.js'
import { factsOf } from '../tools/tool-set.js'
import { listTools, verifyTools } from '../tools/inventory.js'
import { withSession } from './session.js'
import { toolServices } from './tool-services.js'

const MINUTES = 60

/**
 * `list` prints what this version pins for this machine; `verify` hashes what the cache holds and resolves with 3
 * when an entry is not what is pinned; `install` does what the stage `tools` does and prints each program's hash.
 */
export async function toolsVerb(given: {
  readonly verb: string
  readonly source: string
  readonly environment: Environment
}): Promise<number> {
  if ((given.verb === 'list' || given.verb === 'verify') && given.source !== 'auto') {
    const message = `--tools: has no meaning with 'tools ${given.verb}', which reads the catalog and the cache.`
    throw new GateError('config', { reason: 'inputs-invalid', message })
  }
  switch (given.verb) {
    case 'list':
      return await list(given.environment)
    case 'verify':
      return await verify(given.environment)
    case 'install':
      return await install(given.environment, given.source)
    default: {
      const message = `'tools ${given.verb}' is not a verb. There are: list, install, verify.`
      throw new GateError('config', { reason: 'unknown-verb', message })
    }
  }
}

async function list(environment: Environment): Promise<number> {
  for (const tool of await listTools({ cacheDir: toolCacheFolder(environment) })) {
    print([tool.name, tool.version, tool.cached ? 'cached' : 'not cached'])
    if (tool.pinned !== undefined) print(['', `sha256:${tool.pinned.sha256}`, tool.pinned.url])
  }
  return 0
}

async function verify(environment: Environment): Promise<number> {
  const tools = await verifyTools({ cacheDir: toolCacheFolder(environment) })
  for (const tool of tools) print([tool.name, tool.version, tool.state])
  return tools.some(tool => tool.state === 'changed' || tool.state === 'unreadable') ? 3 : 0
}

async function install(environment: Environment, source: string): Promise<number> {
  return await withSession(
    { environment, target: process.stderr, timeoutMs: MINUTES * 60_000 },
    async services => {
      const tools = await installTools(toolServices(services, services.newCommands()), {
        source,
        names: TOOL_NAMES,
      })
      for (const tool of factsOf(tools)) {
        const state = tool.verified ? 'verified' : 'UNVERIFIED'
        print([tool.name, tool.version, tool.source, state, `sha256:${tool.sha256}`])
      }
      return 0
    },
  )
}

function print(cells: readonly string[]): void {
  process.stdout.write(
    `${cells
      .map(cell => cell.padEnd(9))
      .join(' ')
      .trimEnd()}\n`,
  )
}
