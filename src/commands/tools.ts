import { GateError } from '../errors.js'
import type { ToolName } from '../evidence/tooling.js'
import type { Environment } from '../services.js'
import { CATALOG } from '../tools/catalog.js'
import { factsOf, installTools } from '../tools/install.js'
import { withSession } from './session.js'
import { toolServices } from './tool-services.js'

const MINUTES = 60
const NAMES: readonly ToolName[] = ['trivy', 'syft', 'cosign', 'crane']

/**
 * `list` prints what this version pins; `install` fills the cache; `verify` proves what is there.
 * Both of the latter print each program with its hash; `verify` resolves with 1 when one is unverified.
 */
export async function toolsVerb(given: {
  readonly verb: string
  readonly source: string
  readonly environment: Environment
}): Promise<number> {
  const { verb, source, environment } = given
  if (verb === 'list') return list()
  if (verb !== 'install' && verb !== 'verify') {
    const message = `'tools ${verb}' is not a verb. There are: list, install, verify.`
    throw new GateError('config', { reason: 'unknown-verb', message })
  }
  return await withSession(
    { environment, target: process.stderr, timeoutMs: MINUTES * 60_000 },
    async services => {
      const tools = await installTools(toolServices(services, services.newCommands()), {
        source,
        names: NAMES,
      })
      const facts = factsOf(tools)
      for (const tool of facts) {
        const state = tool.verified ? 'verified' : 'UNVERIFIED'
        process.stdout.write(
          `${tool.name.padEnd(8)}${tool.version.padEnd(10)}${tool.source.padEnd(9)}${state}  sha256:${tool.sha256}\n`,
        )
      }
      return verb === 'verify' && facts.some(tool => !tool.verified) ? 1 : 0
    },
  )
}

function list(): number {
  for (const name of NAMES) {
    const tool = CATALOG[name]
    process.stdout.write(`${name.padEnd(8)}${tool.version}\n`)
    for (const [platform, asset] of Object.entries(tool.assets)) {
      process.stdout.write(`  ${platform.padEnd(14)}sha256:${asset.sha256}  ${asset.asset}\n`)
    }
  }
  return 0
}
