import { spawn, type ChildProcess } from 'node:child_process'
import { z } from 'zod'
import { toolPath } from './tools.js'

/** A real registry (crane's, in memory) on loopback. */
export interface RegistryProcess {
  /** `127.0.0.1:PORT`. */
  readonly host: string
  /** Repositories that hold anything at all. */
  readonly catalog: () => Promise<readonly string[]>
  /** Tags of a repository, referrer fallbacks (`sha256-…`) left out; empty when there is no such repository. */
  readonly tags: (repository: string) => Promise<readonly string[]>
  readonly fetch: (path: string, accept?: string) => Promise<Response>
  readonly stop: () => Promise<void>
}

const catalogSchema = z.object({ repositories: z.array(z.string()).nullish() })
const tagsSchema = z.object({ tags: z.array(z.string()).nullish() })
const START_MS = 20_000

/** Starts `crane registry serve` on a free port; rejects when it does not answer. */
export async function startRegistry(): Promise<RegistryProcess> {
  const child = spawn(toolPath('crane'), ['registry', 'serve', '--address', '127.0.0.1:0'], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { PATH: '/usr/bin:/bin', HOME: '/nonexistent' },
  })
  const host = `127.0.0.1:${await portOf(child)}`
  const ask = (path: string, accept?: string): Promise<Response> =>
    fetch(`http://${host}/v2/${path}`, accept === undefined ? {} : { headers: { accept } })
  return {
    host,
    fetch: ask,
    catalog: async () => catalogSchema.parse(await (await ask('_catalog?n=10000')).json()).repositories ?? [],
    tags: async repository => {
      const answer = await ask(`${repository}/tags/list`)
      if (answer.status === 404) return []
      const tags = tagsSchema.parse(await answer.json()).tags ?? []
      return tags.filter(tag => !/^sha256-[0-9a-f]{64}/.test(tag))
    },
    stop: () => stopChild(child),
  }
}

async function portOf(child: ChildProcess): Promise<string> {
  let said = ''
  return await new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`the registry did not start: ${said}`)), START_MS)
    const read = (chunk: Buffer): void => {
      said += chunk.toString('utf8')
      const port = /serving on port (\d+)/.exec(said)?.[1]
      if (port === undefined) return
      clearTimeout(timer)
      resolve(port)
    }
    child.stdout?.on('data', read)
    child.stderr?.on('data', read)
    child.once('error', reject)
    child.once('exit', code => reject(new Error(`the registry ended with ${code ?? 'a signal'}: ${said}`)))
  })
}

async function stopChild(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const gone = new Promise<void>(resolve => child.once('exit', () => resolve()))
  child.kill('SIGKILL')
  await gone
}
