import { unexpected } from './manifests.js'
import type { Registry } from './registry.js'

/**
 * Asks whether this login may push: opens an upload and cancels it. Nothing is written. Refuses with
 * GateError `service`: `registry-refused`, `registry-unreachable`, `registry-timeout`, `registry-unavailable`.
 */
export async function checkMayPush(registry: Registry): Promise<void> {
  const location = await registry.exchange({ method: 'POST', path: 'blobs/uploads/' }, reply => {
    if (reply.status !== 202) throw unexpected(registry.image.name, reply.status)
    return Promise.resolve(reply.headers.get('location'))
  })
  if (location === null || !location.startsWith('/')) return
  // A registry that cannot cancel forgets the upload by itself.
  await registry
    .exchange({ method: 'DELETE', path: location }, () => Promise.resolve())
    .catch(() => undefined)
}
