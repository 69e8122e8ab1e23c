import { GateError } from '../errors.js'
import type { Digest } from '../evidence/digest.js'
import { revisionOf } from '../registry/revision.js'
import type { Registry } from '../registry/registry.js'
import type { ReleaseRequest } from './request.js'

/**
 * A moving tag goes forward alone: the commit of what it points at (label or annotation
 * `org.opencontainers.image.revision`) must be the released commit or behind it. Refuses with GateError `config`
 * (`tag-backwards`), and where that cannot be known with `evidence` (`tag-history-unknown`).
 */
export async function refuseBackwards(
  registry: Registry,
  given: Pick<ReleaseRequest, 'descends'> & { readonly name: string; readonly points: Digest },
): Promise<void> {
  const { name, points, descends } = given
  const revision = await revisionOf(registry, points)
  if (revision === null) throw unknown(name, `${points} names no commit (org.opencontainers.image.revision)`)
  const descent = descends === undefined ? 'unknown' : await descends(revision)
  if (descent === 'ancestor') return
  if (descent === 'unknown')
    throw unknown(
      name,
      `the history here does not hold its commit ${revision} (checkout with fetch-depth: 0)`,
    )
  const message = `the tag ${name} points at ${points} of commit ${revision}, which is not behind the commit of this run: it would go backwards. Nothing was pushed. Release from a newer commit, or choose another tag`
  throw new GateError('config', { reason: 'tag-backwards', message })
}

function unknown(name: string, why: string): GateError {
  const message = `the tag ${name} cannot be moved: ${why}. Nothing was pushed`
  return new GateError('evidence', { reason: 'tag-history-unknown', message })
}
