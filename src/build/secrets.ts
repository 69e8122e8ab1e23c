import { constants } from 'node:fs'
import { open } from 'node:fs/promises'
import { GateError } from '../errors.js'
import { BUILD_SECRET_VARIABLES } from '../tools/grants.js'
import type { BuildSecret } from './build-request.js'

/** BuildKit takes no larger secret (solver limit of 500 KiB). */
const MAX_SECRET = 500 * 1024
const SHORTEST_LINE = 6

/** What the engine is given for the secrets of one call. */
export interface SecretInputs {
  /** Flags; they hold names and paths, never values. */
  readonly args: readonly string[]
  /** Values of the secrets that come from variables, under names of our own. */
  readonly variables: Readonly<Record<string, string>>
  /** Everything that no message may show. */
  readonly redacted: readonly string[]
}

/**
 * Secrets as `--secret` flags. Errors (config): `secret-missing` for a file or a variable that is not there or is
 * empty, `secret-too-large`, `secrets-too-many` (32).
 */
export async function secretInputs(
  secrets: readonly BuildSecret[],
  environment: Readonly<Record<string, string | undefined>>,
): Promise<SecretInputs> {
  const args: string[] = []
  const variables: Record<string, string> = {}
  const redacted: string[] = []
  for (const [index, secret] of secrets.entries()) {
    const variable = BUILD_SECRET_VARIABLES[index]
    if (variable === undefined) throw refuse('secrets-too-many', 'more than 32 secrets are given')
    const value = await valueOf(secret, environment)
    redacted.push(...revealing(value))
    if ('env' in secret) variables[variable] = value
    const from = 'env' in secret ? `env=${variable}` : `src=${secret.file}`
    args.push('--secret', csv([`id=${secret.id}`, from]))
  }
  return { args, variables, redacted }
}

async function valueOf(
  secret: BuildSecret,
  environment: Readonly<Record<string, string | undefined>>,
): Promise<string> {
  const value = 'env' in secret ? (environment[secret.env] ?? '') : await contentOf(secret.id, secret.file)
  if ('env' in secret && value === '')
    throw refuse('secret-missing', `the variable ${secret.env} of secret '${secret.id}' is not set`)
  if (Buffer.byteLength(value) <= MAX_SECRET) return value
  throw tooLarge(secret.id)
}

/** Never waits: a pipe that nobody writes to would hold the run. */
async function contentOf(id: string, file: string): Promise<string> {
  const handle = await open(file, constants.O_RDONLY | constants.O_NONBLOCK).catch((cause: unknown) => {
    throw refuse('secret-missing', `the file of secret '${id}' cannot be read`, cause)
  })
  try {
    const stat = await handle.stat()
    if (!stat.isFile()) throw refuse('secret-missing', `the file of secret '${id}' is no plain file`)
    if (stat.size > MAX_SECRET) throw tooLarge(id)
    return await handle.readFile('utf8')
  } finally {
    await handle.close()
  }
}

function tooLarge(id: string): GateError {
  return refuse('secret-too-large', `secret '${id}' is larger than 500 KiB`)
}

/** The value and each of its lines: what a program prints of it. */
function revealing(value: string): readonly string[] {
  const lines = value.split('\n').map(line => line.trim())
  return [value.trim(), ...lines.filter(line => line.length >= SHORTEST_LINE)]
}

/** One CSV record as the flags of BuildKit read it (RFC 4180). */
export function csv(fields: readonly string[]): string {
  return fields.map(field => (/[",\n\r]/.test(field) ? `"${field.replaceAll('"', '""')}"` : field)).join(',')
}

function refuse(reason: string, message: string, cause?: unknown): GateError {
  return new GateError('config', { reason, message: `secrets: ${message}.`, cause })
}
