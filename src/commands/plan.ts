import { GateError } from '../errors.js'
import type { RunContext } from '../github/context.js'
import { mayRelease, type ResolvedPolicy } from '../policy/resolve.js'
import type { Request } from '../request.js'

/** What this run will do outside this machine. */
export interface Plan {
  readonly publish: boolean
  readonly sign: 'key' | 'none'
}

/**
 * Decides whether this run publishes and how it signs.
 * Refuses as configuration: an image the policy does not bind, publishing without a choice of signing,
 * tags without a signature.
 */
export function planOf(given: {
  readonly request: Request
  readonly context: RunContext
  readonly policy: ResolvedPolicy
}): Plan {
  const { request, context, policy } = given
  const publish = wantsPublish(request, context)
  const problems: string[] = []
  if (!mayRelease(policy, request.image)) {
    const bound = policy.bind.map(entry => entry.image).join(', ')
    problems.push(
      `image: the policy binds this repository to ${bound}; '${request.image}' is not one of them.`,
    )
  }
  if (publish && request.sign === undefined) {
    const keyless =
      context.trigger.kind === 'event' ? " ('keyless', the default here, is not available yet)" : ''
    problems.push(
      `sign: publishing needs a choice: 'key' (with key: a file or env://NAME) or 'none' (pushed by digest, not tagged)${keyless}.`,
    )
  }
  if (publish && request.sign === 'key' && request.tags.length === 0) {
    problems.push('tags: missing. Name at least one tag to set after the image was verified.')
  }
  if (problems.length > 0) {
    throw new GateError('config', { reason: 'request-refused', message: problems.join('\n') })
  }
  return { publish, sign: request.sign ?? 'none' }
}

function wantsPublish(request: Request, context: RunContext): boolean {
  if (request.publish === 'never') return false
  if (request.publish === 'always') return true
  return context.trigger.kind === 'event'
}
