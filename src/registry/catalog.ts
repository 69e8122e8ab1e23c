import { z } from 'zod'
import { registryError, TransientError } from './failure.js'
import { transfer } from './transfer.js'
import { DEFAULT_LIMITS } from './registry.js'

const catalogSchema = z.object({ repositories: z.array(z.string().max(512)).max(10_000).nullish() })
const MAX_CATALOG_BYTES = 4 * 1024 * 1024

/**
 * Names of the repositories that a loopback registry without login holds (`/v2/_catalog`), as far as its first page
 * says. For rehearsals and tests; `host` is `127.0.0.1:PORT`.
 */
export async function repositoriesOf(host: string): Promise<readonly string[]> {
  const reply = await ask(host)
  const parsed = catalogSchema.safeParse(reply.status === 200 ? parseJson(reply.body) : undefined)
  if (!parsed.success) throw registryError('registry-answer', `${host} does not list its repositories`)
  return parsed.data.repositories ?? []
}

async function ask(host: string): Promise<{ readonly status: number; readonly body: Buffer }> {
  try {
    const reply = await transfer({
      url: new URL(`http://${host}/v2/_catalog`),
      method: 'GET',
      headers: {},
      deadlineMs: 30_000,
      limits: DEFAULT_LIMITS,
      signal: new AbortController().signal,
    })
    return { status: reply.status, body: await reply.read(MAX_CATALOG_BYTES) }
  } catch (thrown) {
    throw thrown instanceof TransientError ? registryError(thrown.reason, thrown.message, thrown) : thrown
  }
}

function parseJson(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString('utf8'))
  } catch {
    return undefined
  }
}
