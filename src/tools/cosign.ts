import { join } from 'node:path'
import { writeFile } from 'node:fs/promises'
import { GateError } from '../errors.js'
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
