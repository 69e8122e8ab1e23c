import { createHash, createPublicKey } from 'node:crypto'
import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises'
import { isAbsolute, join, resolve } from 'node:path'
import { GateError } from '../errors.js'
import { generateKeyPair, readPublicKey, type Cosign, type SigningKey } from '../tools/cosign.js'
import type { ReleaseServices, Signing } from './request.js'

/** A key ready to sign with. */
export interface OpenKey {
  readonly key: SigningKey
  /** PEM. */
  readonly publicKey: string
  /** SHA-256 of the public key in DER form, hex. */
  readonly fingerprint: string
  /** Removes what was written for this key; the user's own file is never touched. */
  readonly close: () => Promise<void>
}

const MAX_KEY_BYTES = 64 * 1024

/**
 * Makes a key ready: a file is used where it lies, `env://NAME` is written to a file of mode 0600 in a private
 * folder until `close`. Refuses an unusable key or password with GateError `config` before anything is pushed.
 */
export async function openKey(
  services: ReleaseServices,
  signing: Extract<Signing, { readonly kind: 'key' }>,
  workDir: string,
): Promise<OpenKey> {
  const { path, remove } = await keyFile(services, signing.key, workDir)
  try {
    const key = { path, password: signing.password }
    const publicKey = await readPublicKey({ commands: services.commands, program: services.cosign }, key)
    return { key, publicKey, fingerprint: fingerprintOf(publicKey), close: remove }
  } catch (thrown) {
    await remove()
    throw thrown
  }
}

/** SHA-256 (hex) of a public key's DER form; GateError `config` when the PEM text is none. */
export function fingerprintOf(publicKey: string): string {
  try {
    const der = createPublicKey(publicKey).export({ type: 'spki', format: 'der' })
    return createHash('sha256').update(der).digest('hex')
  } catch {
    throw unusable('it holds no public key that can be read')
  }
}

/**
 * Makes a throwaway key in a new private folder below `dir`, for a rehearsal on loopback. The password is given so
 * that no default exists. Returns the path of the private key.
 */
export async function generateRehearsalKey(cosign: Cosign, dir: string, password: string): Promise<string> {
  const folder = await mkdtemp(join(dir, 'rehearsal-'))
  await generateKeyPair(cosign, join(folder, 'rehearsal'), password)
  return join(folder, 'rehearsal.key')
}

async function keyFile(
  services: ReleaseServices,
  key: string,
  workDir: string,
): Promise<{ readonly path: string; readonly remove: () => Promise<void> }> {
  if (key.startsWith('env://')) return fromEnvironment(services, key.slice('env://'.length), workDir)
  if (key.includes('://')) throw unusable('only a file and env://NAME are available yet')
  const path = isAbsolute(key) ? key : resolve(key)
  const found = await stat(path).catch(() => null)
  if (found?.isFile() !== true) throw unusable('there is no such file')
  if (found.size > MAX_KEY_BYTES) throw unusable('it is too large for a key')
  return { path, remove: () => Promise.resolve() }
}

async function fromEnvironment(
  services: ReleaseServices,
  name: string,
  workDir: string,
): Promise<{ readonly path: string; readonly remove: () => Promise<void> }> {
  const text = services.environment[name]
  if (text === undefined || text === '') throw unusable(`the variable ${JSON.stringify(name)} is not set`)
  if (text.length > MAX_KEY_BYTES) throw unusable('it is too large for a key')
  const folder = await mkdtemp(join(workDir, 'key-'))
  const remove = (): Promise<void> => rm(folder, { recursive: true, force: true })
  try {
    const path = join(folder, 'cosign.key')
    await writeFile(path, text, { mode: 0o600, flag: 'wx' })
    return { path, remove }
  } catch (thrown) {
    await remove()
    throw thrown
  }
}

function unusable(why: string): GateError {
  const message = `the signing key cannot be used: ${why}. Give a file or env://NAME, with its password in COSIGN_PASSWORD`
  return new GateError('config', { reason: 'key-unusable', message })
}
