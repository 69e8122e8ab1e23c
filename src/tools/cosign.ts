import { z } from 'zod'
import { join } from 'node:path'
import { writeFile } from 'node:fs/promises'
import { GateError } from '../errors.js'
import { digestHex, isDigest, type Digest } from '../evidence/digest.js'
import { explainRegistryCommand } from './crane.js'
import type { Commands, Program } from './command.js'

/** What Cosign needs: the one starter of processes, and the program. */
export interface Cosign {
  readonly commands: Commands
  readonly program: Program
}

/** A private key of Cosign by path, and its password. The key is read by Cosign alone and never copied. */
export interface SigningKey {
  readonly path: string
  readonly password: string
}

/** A signing configuration that names no service: nothing is sent anywhere. */
export const NO_SERVICES =
  '{"mediaType":"application/vnd.dev.sigstore.signingconfig.v0.2+json","rekorTlogConfig":{},"tsaConfig":{}}'
/** A trusted root that trusts nobody: only the key counts. */
export const NO_ROOTS = '{"mediaType":"application/vnd.dev.sigstore.trustedroot+json;version=0.1"}'

const SIGN_MS = 60_000
const VERIFY_MS = 120_000

/** Writes the two configuration files that keep Cosign off every network service; returns their paths. */
export async function writeOfflineConfiguration(
  dir: string,
): Promise<{ readonly signingConfig: string; readonly trustedRoot: string }> {
  const files = {
    signingConfig: join(dir, 'signing-config.json'),
    trustedRoot: join(dir, 'trusted-root.json'),
  }
  await writeFile(files.signingConfig, NO_SERVICES)
  await writeFile(files.trustedRoot, NO_ROOTS)
  return files
}

/** One statement to sign: files are absolute paths. */
export interface SignRequest {
  readonly statement: string
  readonly bundle: string
  readonly signingConfig: string
  readonly trustedRoot: string
}

/**
 * Signs a complete in-toto statement as a blob into a bundle. Speaks to no registry and to no service. Fails with
 * GateError `tool` (`sign-failed`), never with the key or its password in the message.
 */
export async function signStatement(cosign: Cosign, key: SigningKey, request: SignRequest): Promise<void> {
  const args = [
    ...['attest-blob', '--yes', '--key', key.path],
    ...['--signing-config', request.signingConfig, '--trusted-root', request.trustedRoot],
    ...['--statement', request.statement, '--bundle', request.bundle],
  ]
  await withKey(cosign, key, args, 'signing')
}

/** The public key (PEM) of a private key. Fails with GateError `config` when key or password do not fit. */
export async function readPublicKey(cosign: Cosign, key: SigningKey): Promise<string> {
  const { stdout } = await withKey(cosign, key, ['public-key', '--key', key.path], 'reading the public key')
  const pem = /-----BEGIN PUBLIC KEY-----[\s\S]{1,8192}?-----END PUBLIC KEY-----/.exec(stdout)?.[0]
  if (pem !== undefined) return `${pem}\n`
  throw new GateError('tool', { reason: 'public-key-unreadable', message: 'cosign printed no public key' })
}

/** Makes a key pair `PREFIX.key`, `PREFIX.pub` for rehearsals and tests; an empty password is allowed. */
export async function generateKeyPair(cosign: Cosign, prefix: string, password: string): Promise<void> {
  const args = ['generate-key-pair', '--output-key-prefix', prefix]
  await withKey(cosign, { path: `${prefix}.key`, password }, args, 'making a key pair')
}

/**
 * Proves by Cosign that one bundle is a statement of this type over this digest, signed by this key. Reads no
 * registry. Fails with GateError `integrity` (`verify-failed`).
 */
export async function verifyBundle(
  cosign: Cosign,
  check: {
    readonly bundle: string
    readonly publicKey: string
    readonly digest: Digest
    readonly predicateType: string
  },
): Promise<void> {
  const args = [
    ...[
      'verify-blob-attestation',
      '--bundle',
      check.bundle,
      '--key',
      check.publicKey,
      '--insecure-ignore-tlog',
    ],
    ...['--digest', digestHex(check.digest), '--digestAlg', 'sha256', '--type', check.predicateType],
  ]
  try {
    await cosign.commands.run({ program: cosign.program, args, grant: 'signer', timeoutMs: VERIFY_MS })
  } catch (thrown) {
    throw verifyFailed(thrown, `${check.predicateType} on ${check.digest}`)
  }
}

/** One thing `cosign verify` reports as verified. */
export interface CosignReport {
  readonly type: string
  readonly digest: Digest
}

const reportSchema = z
  .array(
    z.object({
      critical: z.object({
        type: z.string(),
        image: z.object({ 'docker-manifest-digest': z.custom<Digest>(isDigest) }),
      }),
    }),
  )
  .max(5000)

/**
 * Runs `cosign verify` on a reference by digest, as a consumer would, and returns all it verified. What is in the
 * list is for the caller to judge: Cosign counts any attestation of the key as a signature.
 */
export async function verifyReference(
  cosign: Cosign,
  reference: string,
  publicKey: string,
): Promise<readonly CosignReport[]> {
  const args = ['verify', '--key', publicKey, '--insecure-ignore-tlog', '--output', 'json', reference]
  let stdout: string
  try {
    const command = { program: cosign.program, args, grant: 'registry', timeoutMs: VERIFY_MS } as const
    stdout = (await cosign.commands.run(command)).stdout
  } catch (thrown) {
    throw verifyFailed(thrown, reference)
  }
  const parsed = reportSchema.safeParse(parseJson(stdout))
  if (!parsed.success) {
    const message = `cosign verify says nothing readable about ${reference}; nothing is tagged`
    throw new GateError('tool', { reason: 'cosign-answer', message })
  }
  return parsed.data.map(({ critical }) => ({
    type: critical.type,
    digest: critical.image['docker-manifest-digest'],
  }))
}

async function withKey(
  cosign: Cosign,
  key: SigningKey,
  args: readonly string[],
  what: string,
): Promise<{ readonly stdout: string }> {
  try {
    return await cosign.commands.run({
      program: cosign.program,
      args,
      grant: 'signer',
      timeoutMs: SIGN_MS,
      variables: { COSIGN_PASSWORD: key.password },
    })
  } catch (thrown) {
    throw explainKey(thrown, what)
  }
}

function explainKey(thrown: unknown, what: string): unknown {
  if (!(thrown instanceof GateError) || thrown.reason !== 'exit-code') return thrown
  if (/decrypt|no such file|unsupported pem|invalid pem|unmarshal|permission denied/i.test(thrown.message)) {
    const message = `${what} failed: the key file or its password (COSIGN_PASSWORD) is not right`
    return new GateError('config', { reason: 'key-unusable', message })
  }
  const message = `${what} failed; nothing is tagged: ${thrown.message}`
  return new GateError('tool', { reason: 'sign-failed', message, cause: thrown })
}

function verifyFailed(thrown: unknown, what: string): unknown {
  const explained = explainRegistryCommand(thrown, `verifying ${what}`)
  if (!(explained instanceof GateError) || explained.reason !== 'push-failed') return explained
  const message = `${what} does not verify; nothing is tagged: ${thrown instanceof Error ? thrown.message : ''}`
  return new GateError('integrity', { reason: 'verify-failed', message, cause: thrown })
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
