import { readFile } from 'node:fs/promises'
import { z } from 'zod'
import { describeError, GateError } from '../errors.js'
import type { Trigger } from '../record/record.js'

const MAX_EVENT = 25 * 1024 * 1024

const PUSH = z.object({
  after: z.string().regex(/^[0-9a-f]{40}$/),
  ref: z.string().max(1024),
  deleted: z.boolean().optional(),
  repository: z.object({ full_name: z.string().max(256), default_branch: z.string().min(1).max(256) }),
})

/** Where the policy is read from: the commit that was pushed, or the files of a terminal's working tree. */
export type PolicyPlace =
  | { readonly kind: 'commit'; readonly commit: string; readonly repository: string }
  | { readonly kind: 'working-tree' }

/** Who asked for this run, and what that allows. */
export interface RunContext {
  readonly trigger: Trigger
  readonly policyPlace: PolicyPlace
  /** Folder that relative paths start from. */
  readonly workspace: string
}

/** A person at a terminal: publishes only when told to. */
export function terminalContext(workspace: string): RunContext {
  return { trigger: { kind: 'terminal', trusted: true }, policyPlace: { kind: 'working-tree' }, workspace }
}

/**
 * Reads the event that started this action.
 * In this version only a push to the default branch is taken; every other event is refused as
 * configuration. An event file that is missing, too large or contradicts its variables is evidence missing.
 * Variables and payload: https://docs.github.com/actions/reference/workflows-and-actions/variables
 */
export async function eventContext(
  environment: Readonly<Record<string, string | undefined>>,
): Promise<RunContext> {
  const event = environment['GITHUB_EVENT_NAME'] ?? ''
  if (event !== 'push') {
    throw new GateError('config', {
      reason: 'event-not-available',
      message: `The event '${event}' is not available yet in this version: only pushes to the default branch are.`,
    })
  }
  const payload = await readPush(environment['GITHUB_EVENT_PATH'] ?? '')
  const branch = `refs/heads/${payload.repository.default_branch}`
  if (payload.ref !== branch || payload.deleted === true) {
    throw new GateError('config', {
      reason: 'event-not-available',
      message: `A push to '${payload.ref}' is not available yet in this version: only pushes to ${branch} are.`,
    })
  }
  requireSame('GITHUB_REF', environment['GITHUB_REF'], payload.ref)
  requireSame('GITHUB_SHA', environment['GITHUB_SHA'], payload.after)
  requireSame('GITHUB_REPOSITORY', environment['GITHUB_REPOSITORY'], payload.repository.full_name)
  const workspace = environment['GITHUB_WORKSPACE'] ?? ''
  if (workspace === '') {
    throw new GateError('evidence', { reason: 'event-unreadable', message: 'GITHUB_WORKSPACE is not set.' })
  }
  return {
    trigger: pushTrigger(environment, payload),
    policyPlace: { kind: 'commit', commit: payload.after, repository: workspace },
    workspace,
  }
}

function pushTrigger(
  environment: Readonly<Record<string, string | undefined>>,
  payload: z.infer<typeof PUSH>,
): Trigger {
  const server = environment['GITHUB_SERVER_URL'] ?? ''
  const run = environment['GITHUB_RUN_ID'] ?? ''
  const url = `${server}/${payload.repository.full_name}/actions/runs/${run}`
  return {
    kind: 'event',
    event: 'push',
    ref: payload.ref,
    commit: payload.after,
    repository: payload.repository.full_name,
    ...(/^https:\/\/[a-z0-9.-]+$/.test(server) && /^[0-9]+$/.test(run) ? { runUrl: url } : {}),
    trusted: true,
  }
}

async function readPush(path: string): Promise<z.infer<typeof PUSH>> {
  try {
    const text = await readFile(path, 'utf8')
    if (text.length > MAX_EVENT) throw new Error(`larger than ${MAX_EVENT} characters`)
    return PUSH.parse(JSON.parse(text))
  } catch (cause) {
    throw new GateError('evidence', {
      reason: 'event-unreadable',
      message: `The event payload (GITHUB_EVENT_PATH) cannot be read as a push: ${describeError(cause).slice(0, 500)}`,
      cause,
    })
  }
}

function requireSame(name: string, given: string | undefined, expected: string): void {
  if (given === expected) return
  throw new GateError('evidence', {
    reason: 'event-contradicts',
    message: `${name} is '${given ?? ''}', but the event payload says '${expected}'.`,
  })
}
