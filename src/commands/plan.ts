import { GateError } from '../errors.js'
import type { RunContext } from '../github/context.js'
import { idTokenProblem } from '../github/id-token.js'
import { mayRelease, type ResolvedPolicy } from '../policy/resolve.js'
import type { Request } from '../request.js'
import type { Services } from '../services.js'
import { NO_TAGS, tagPlan, type TagPlan } from './tag-plan.js'

/** What this run will do outside this machine. */
export interface Plan {
  readonly publish: boolean
  readonly sign: 'keyless' | 'key' | 'none'
  readonly tags: TagPlan
}

/**
 * Decides whether this run publishes and how it signs.
 * Refuses as configuration: an image the policy does not bind, publishing without a choice of signing, a signature
 * without a tag, keyless signing without the identity token of a job.
 */
export function planOf(given: {
  readonly request: Request
  readonly context: RunContext
  readonly policy: ResolvedPolicy
  readonly services: Pick<Services, 'environment'>
}): Plan {
  const { request, context, policy, services } = given
  const onEvent = context.trigger.kind === 'event'
  const sign = request.sign ?? (onEvent ? 'keyless' : undefined)
  const publish = wantsPublish(request, context)
  const problems: string[] = []
  if (!mayRelease(policy, request.image)) {
    const bound = policy.bind.map(entry => entry.image).join(', ')
    problems.push(
      `image: the policy binds this repository to ${bound}; '${request.image}' is not one of them.`,
    )
  }
  if (publish && sign === undefined) {
    problems.push(
      "sign: publishing needs a choice: 'key' (with key: a file or env://NAME), 'keyless' (in a job, by its identity token) or 'none' (pushed by digest, not tagged).",
    )
  }
  const tags = tagPlan(request, context.trigger)
  if (tags === undefined) {
    problems.push(
      "tags: 'auto' needs an event on a branch or on a Git tag such as v1.2.3. Name the tags here.",
    )
  }
  if (publish && sign !== undefined && sign !== 'none' && request.tags.length === 0) {
    problems.push('tags: missing. Name at least one tag to set after the image was verified.')
  }
  if (publish && sign === 'keyless' && request.embeddedRegistry) {
    problems.push("registry: 'embedded' is for rehearsals, which are signed with a key: sign: key.")
  }
  const token = publish && sign === 'keyless' ? idTokenProblem(services.environment) : undefined
  if (token !== undefined && problems.length === 0) {
    throw new GateError('config', { reason: 'id-token-missing', message: `sign: ${token}.` })
  }
  if (token !== undefined) problems.push(`sign: ${token}.`)
  if (problems.length > 0) {
    throw new GateError('config', { reason: 'request-refused', message: problems.join('\n') })
  }
  return { publish, sign: sign ?? 'none', tags: tags ?? NO_TAGS }
}

function wantsPublish(request: Request, context: RunContext): boolean {
  if (request.publish === 'never') return false
  if (request.publish === 'always') return true
  return context.trigger.kind === 'event'
}
