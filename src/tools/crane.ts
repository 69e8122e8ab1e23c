import { z } from 'zod'
import { setTimeout as sleep } from 'node:timers/promises'
import { GateError } from '../errors.js'
import { isDigest, type Digest } from '../evidence/digest.js'
import { pinnedReference, type ImageReference } from '../evidence/reference.js'
import type { Commands, Program } from './command.js'

/** What crane needs: the one starter of processes, and the program. */
export interface Crane {
  readonly commands: Commands
  readonly program: Program
}

const QUICK_MS = 60_000
const PULL_MS = 60 * 60_000
const PUSH_FLOOR = 128 * 1024
const credentialsSchema = z.object({
  Username: z.string().max(4096).default(''),
  Secret: z
    .string()
    .max(64 * 1024)
    .default(''),
})

/**
 * Pushes a layout by digest, without a tag, and returns what the registry is said to have taken. Another printed
 * digest is GateError `integrity` (`digest-not-accepted`); the rest is GateError `service` with the reason of the
 * failure. `bytes` sets the time limit of one try: one minute and 128 KiB a second. A registry that is busy or breaks off
 * is tried again; what it has already is not sent twice.
 */
export async function pushByDigest(
  crane: Crane,
  push: {
    readonly layoutDir: string
    readonly image: ImageReference
    readonly digest: Digest
    readonly bytes: number
  },
): Promise<void> {
  const reference = pinnedReference(push.image, push.digest)
  const timeoutMs = QUICK_MS + Math.ceil((push.bytes / PUSH_FLOOR) * 1000)
  const { commands, program } = crane
  const args = ['push', push.layoutDir, reference]
  const result = await patiently(async () => {
    try {
      return await commands.run({ program, args, grant: 'registry', timeoutMs })
    } catch (thrown) {
      throw explainRegistryCommand(thrown, `pushing ${reference}`)
    }
  })
  const printed = result.stdout.trim().split('\n').at(-1)?.trim() ?? ''
  if (printed === reference) return
  const message = `the registry took ${JSON.stringify(printed.slice(0, 300))} instead of ${reference}; nothing is tagged`
  throw new GateError('integrity', { reason: 'digest-not-accepted', message })
}

const PAUSES_MS = [1000, 3000]
const PASSING = ['registry-unavailable', 'registry-unreachable']

async function patiently<T>(attempt: () => Promise<T>): Promise<T> {
  for (const pause of PAUSES_MS) {
    try {
      return await attempt()
    } catch (thrown) {
      if (!(thrown instanceof GateError) || !PASSING.includes(thrown.reason)) throw thrown
      await sleep(pause)
    }
  }
  return await attempt()
}

/**
 * Fetches an image, or an index with all its images, by digest into a new OCI layout. Errors: `image-absent`,
 * `pull-failed` and the reasons of a registry that does not answer (service).
 */
export async function pullByDigest(
  crane: Crane,
  pull: { readonly image: ImageReference; readonly digest: Digest; readonly layoutDir: string },
): Promise<void> {
  const { commands, program } = crane
  const reference = pinnedReference(pull.image, pull.digest)
  const args = ['pull', '--format', 'oci', reference, pull.layoutDir]
  try {
    await commands.run({ program, args, grant: 'registry', timeoutMs: PULL_MS })
  } catch (thrown) {
    if (thrown instanceof GateError && /MANIFEST_UNKNOWN|NAME_UNKNOWN|\b404\b/.test(thrown.message)) {
      const message = `the registry has no ${reference}, or not for this login. Check name, digest and login`
      throw new GateError('service', { reason: 'image-absent', message, cause: thrown })
    }
    throw explainRegistryCommand(thrown, `fetching ${reference}`, 'pull-failed')
  }
}

/** How registries say that a tag may be written once (the specification has no word for it). */
const IMMUTABLE = /TAG_INVALID|TAG_ALREADY_EXISTS|ImageTagAlreadyExists|immutable|\b409\b|\b412\b/i

/** Points one tag at a digest that is already in the repository. */
export async function tagDigest(
  crane: Crane,
  image: ImageReference,
  digest: Digest,
  tag: string,
): Promise<void> {
  const { commands, program } = crane
  const args = ['tag', pinnedReference(image, digest), tag]
  try {
    await commands.run({ program, args, grant: 'registry', timeoutMs: QUICK_MS })
  } catch (thrown) {
    if (thrown instanceof GateError && thrown.reason === 'exit-code' && IMMUTABLE.test(thrown.message)) {
      const message = `the registry keeps the tag ${image.name}:${tag} as it is: ${thrown.message}\nGive a new tag, or exempt this one from what keeps tags immutable`
      throw new GateError('service', { reason: 'tag-immutable', message, cause: thrown })
    }
    throw explainRegistryCommand(thrown, `tagging ${image.name}:${tag}`)
  }
}

/**
 * What the login of this machine holds for a registry (docker configuration and its credential helpers); null when
 * there is none. The secret is never logged.
 */
export async function readCredentials(
  crane: Crane,
  host: string,
): Promise<{ readonly username: string; readonly secret: string } | null> {
  const { commands, program } = crane
  const args = ['auth', 'get', host]
  let stdout: string
  try {
    stdout = (await commands.run({ program, args, grant: 'registry', timeoutMs: QUICK_MS })).stdout
  } catch (thrown) {
    if (saysNothing(thrown)) return null
    throw thrown instanceof GateError && thrown.reason === 'exit-code'
      ? unreadableLogin(host, thrown)
      : thrown
  }
  const parsed = credentialsSchema.safeParse(parseJson(stdout))
  if (!parsed.success) throw unreadableLogin(host)
  const { Username: username, Secret: secret } = parsed.data
  return username === '' && secret === '' ? null : { username, secret }
}

function unreadableLogin(host: string, cause?: unknown): GateError {
  const message = `the login for ${host} cannot be read: check the docker configuration, or log in again`
  return new GateError('service', { reason: 'registry-login-unreadable', message, cause })
}

/** `crane auth get` ends with code 1 and an empty error output when there is no login; every real error is written. */
function saysNothing(thrown: unknown): boolean {
  return thrown instanceof GateError && /failed with exit code 1\.?$/.test(thrown.message)
}

/** The embedded registry while it runs. */
export interface EmbeddedRegistry {
  /** `127.0.0.1:PORT`. */
  readonly host: string
  readonly stop: () => Promise<void>
}

/**
 * Starts a registry on a random port of 127.0.0.1, in memory or in `diskDir`. It has no login and checks little:
 * for rehearsals and tests. Stopped by its `stop` or with all other processes.
 */
export async function serveRegistry(
  crane: Crane,
  options: { readonly diskDir?: string } = {},
): Promise<EmbeddedRegistry> {
  const disk = options.diskDir === undefined ? [] : ['--disk', options.diskDir]
  const service = await crane.commands.serve({
    program: crane.program,
    args: ['registry', 'serve', '--address', '127.0.0.1:0', ...disk],
    grant: 'registry',
    timeoutMs: 0,
  })
  for (let tries = 0; tries < 200; tries += 1) {
    const port = /serving on port (\d+)/.exec(service.output())?.[1]
    if (port !== undefined) return { host: `127.0.0.1:${port}`, stop: service.stop }
    await sleep(25)
  }
  await service.stop()
  const message = 'the embedded registry did not start within 5 seconds; run again'
  throw new GateError('tool', { reason: 'registry-not-started', message })
}

/** The digest in what `crane digest` prints. */
export async function headDigest(crane: Crane, reference: string, timeoutMs = QUICK_MS): Promise<Digest> {
  const { commands, program } = crane
  const { stdout } = await commands.run({
    program,
    args: ['digest', reference],
    grant: 'registry',
    timeoutMs,
  })
  const digest = stdout.trim()
  if (isDigest(digest)) return digest
  throw new GateError('tool', { reason: 'crane-answer', message: `crane names no digest for ${reference}` })
}

/** Gives a failed registry command the reason that the report shows; other errors pass through unchanged. */
export function explainRegistryCommand(thrown: unknown, what: string, unknown = 'push-failed'): unknown {
  if (!(thrown instanceof GateError) || thrown.code !== 'tool') return thrown
  const found = REASONS.find(([, pattern]) => pattern.test(thrown.message))
  if (thrown.reason === 'timed-out') return failure('registry-timeout', what, thrown)
  if (thrown.reason !== 'exit-code' || found === undefined) {
    return thrown.reason === 'exit-code' ? failure(unknown, what, thrown) : thrown
  }
  return failure(found[0], what, thrown)
}

const REASONS: readonly (readonly [string, RegExp])[] = [
  ['digest-not-accepted', /DIGEST_INVALID/],
  ['registry-refused', /UNAUTHORIZED|DENIED|\b401\b|\b403\b/i],
  ['registry-timeout', /timeout|deadline exceeded/i],
  [
    'registry-unreachable',
    /connection refused|no such host|connection reset|network is unreachable|\bEOF\b/i,
  ],
  ['registry-unavailable', /\b5\d\d\b|\b429\b|TOOMANYREQUESTS/],
]

function failure(reason: string, what: string, cause: GateError): GateError {
  const message = `${what} failed, nothing is tagged: ${cause.message}`
  return new GateError(reason === 'digest-not-accepted' ? 'integrity' : 'service', { reason, message, cause })
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
