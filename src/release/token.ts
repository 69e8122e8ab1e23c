import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { GateError } from '../errors.js'
import { identityProblem, type SignerIdentity } from '../evidence/identity.js'
import { parseIdToken, type TokenClaims } from '../evidence/id-token.js'
import type { TokenFile } from '../tools/cosign-keyless.js'

/** The audience that Fulcio asks for. */
export const AUDIENCE = 'sigstore'
/** A token is asked for anew when it is older than this, milliseconds: GitHub's live five minutes. */
const MAX_AGE_MS = 3 * 60_000
/** How far this machine's clock may be from the one of the token service, seconds. */
const MAX_CLOCK_DIFFERENCE = 5 * 60

/** Tokens of one job: in memory, and on disk only while a process reads one. */
export interface Tokens {
  /** Who the tokens say that this job is. */
  readonly identity: SignerIdentity
  /**
   * Hands a file with a fresh token (mode 0600, in a folder of its own, without a newline at its end) to `use`, and
   * removes it when `use` has ended, however it ended.
   */
  readonly withFile: <T>(use: (file: TokenFile) => Promise<T>) => Promise<T>
  /** Forgets the token. */
  readonly close: () => void
}

export interface TokenSource {
  /** One new token with this audience. */
  readonly request: (audience: string) => Promise<string>
  /** Where the repository of the job lives: `https://github.com`. */
  readonly server: string
  readonly now: () => Date
  /** Private folder of this run. Absolute. */
  readonly workDir: string
}

interface Held extends TokenClaims {
  readonly token: string
  /** When it is too old to be used, by the clock of `performance.now()`. */
  readonly staleAt: number
}

/**
 * Asks for the first token. Refuses a clock that is more than five minutes away from the token's (`clock-differs`,
 * evidence), and later tokens of another identity (`identity-changed`, integrity).
 */
export async function openTokens(source: TokenSource): Promise<Tokens> {
  let held: Promise<Held> = fetchToken(source)
  const { identity } = await held
  let closed = false

  async function fresh(): Promise<string> {
    if (closed) throw new TypeError('these tokens are closed')
    const seen = held
    const current = await seen
    if (performance.now() < current.staleAt) return current.token
    // The first who finds it stale asks; everybody else waits for the same answer.
    if (held === seen) held = fetchToken(source, identity)
    return (await held).token
  }

  async function withFile<T>(use: (file: TokenFile) => Promise<T>): Promise<T> {
    const token = await fresh()
    const dir = await mkdtemp(join(source.workDir, 'token-'))
    try {
      const path = join(dir, 'token')
      await writeFile(path, token, { mode: 0o600, flag: 'wx' })
      return await use({ path, token })
    } finally {
      await rm(dir, { recursive: true, force: true })
    }
  }

  function close(): void {
    closed = true
    held = Promise.reject(new TypeError('these tokens are closed'))
    held.catch(() => undefined)
  }
  return { identity, withFile, close }
}

async function fetchToken(source: TokenSource, expected?: SignerIdentity): Promise<Held> {
  const asked = performance.now()
  const token = await source.request(AUDIENCE)
  const claims = parseIdToken(token, { audience: AUDIENCE, server: source.server })
  requireSameClock(claims, source.now())
  const problem = expected === undefined ? undefined : identityProblem(claims.identity, expected)
  if (problem !== undefined) {
    const message = `the token service of this job changed who the job is: ${problem}; nothing is tagged`
    throw new GateError('integrity', { reason: 'identity-changed', message })
  }
  const lifetime = (claims.expiresAt - claims.issuedAt) * 1000
  return { ...claims, token, staleAt: asked + Math.min(MAX_AGE_MS, lifetime * 0.6) }
}

function requireSameClock(claims: TokenClaims, now: Date): void {
  const difference = Math.round(now.getTime() / 1000 - claims.issuedAt)
  if (Math.abs(difference) <= MAX_CLOCK_DIFFERENCE) return
  const message =
    `the clock of this machine is ${String(Math.abs(difference))} seconds ${difference < 0 ? 'behind' : 'ahead of'} ` +
    'the one of the token service; nothing is signed. Set the clock and run again'
  throw new GateError('evidence', { reason: 'clock-differs', message })
}
