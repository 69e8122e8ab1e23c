import { readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { GateError } from '../errors.js'
import type { Cosign } from '../tools/cosign.js'
import { fetchPublicSigstore, type SigstoreFiles } from '../tools/cosign-keyless.js'
import type { TrustedProofs } from '../tools/cosign-verify.js'

/** A Sigstore: its services and its roots, as texts that were read once. */
export interface Sigstore {
  readonly signingConfig: string
  readonly trustedRoot: string
  /** What its trusted root can prove, and what each bundle must therefore carry. */
  readonly proofs: TrustedProofs
}

const MAX_BYTES = 1024 * 1024
const entries = z.array(z.unknown()).max(100).default([])
/** https://github.com/sigstore/protobuf-specs: only what this project decides by; the rest is for the verifiers. */
const trustedRootSchema = z.object({
  mediaType: z.string().regex(/^application\/vnd\.dev\.sigstore\.trustedroot/),
  tlogs: entries,
  certificateAuthorities: entries,
  ctlogs: entries,
  timestampAuthorities: entries,
})
const signingConfigSchema = z.object({
  mediaType: z.string().regex(/^application\/vnd\.dev\.sigstore\.signingconfig/),
  caUrls: entries,
})

/**
 * Reads the two files of an own Sigstore. Refuses with GateError `config` (`sigstore-unusable`): what is not there, is
 * larger than 1 MiB or is another kind of file, a root without certificate authority, and one that knows neither a
 * timestamp authority nor a log: nothing could then say when a signature was made.
 */
export async function readSigstore(files: SigstoreFiles): Promise<Sigstore> {
  const signingConfig = await readCapped(files.signingConfig, 'signing-config')
  const services = parsed(signingConfigSchema, signingConfig, 'signing-config')
  if (services.caUrls.length === 0) throw unusable('signing-config', 'it names no certificate authority')
  return { signingConfig, ...(await readTrustedRoot(files.trustedRoot)) }
}

/**
 * The trusted root that a reader verifies by: a file, else that of the public Sigstore, fetched through Cosign. It is
 * written into `dir`, so that each verifier sees the same bytes; refusals as of `readSigstore`.
 */
export async function openTrustedRoot(
  cosign: Cosign,
  file: string | undefined,
  dir: string,
): Promise<Omit<Sigstore, 'signingConfig'> & { readonly file: string }> {
  const path = file ?? (await fetchPublicSigstore(cosign, dir)).trustedRoot
  const root = await readTrustedRoot(path)
  const used = join(dir, 'used-trusted-root.json')
  await writeFile(used, root.trustedRoot)
  return { ...root, file: used }
}

async function readTrustedRoot(path: string): Promise<Omit<Sigstore, 'signingConfig'>> {
  const trustedRoot = await readCapped(path, 'trusted-root')
  const root = parsed(trustedRootSchema, trustedRoot, 'trusted-root')
  if (root.certificateAuthorities.length === 0)
    throw unusable('trusted-root', 'it trusts no certificate authority')
  const proofs = {
    log: root.tlogs.length > 0,
    certificateLog: root.ctlogs.length > 0,
    timestamp: root.timestampAuthorities.length > 0,
  }
  if (!proofs.timestamp && !proofs.log)
    throw unusable('trusted-root', 'it knows no timestamp authority and no log')
  return { trustedRoot, proofs }
}

/** The Sigstore of a release: its own files, else the public one, fetched through Cosign into `dir`. */
export async function openSigstore(
  cosign: Cosign,
  files: SigstoreFiles | undefined,
  dir: string,
): Promise<Sigstore> {
  return readSigstore(files ?? (await fetchPublicSigstore(cosign, dir)))
}

/** Writes what was read into `dir`, so that each process sees the same bytes. */
export async function writeSigstore(sigstore: Sigstore, dir: string): Promise<SigstoreFiles> {
  const files = {
    signingConfig: join(dir, 'used-signing-config.json'),
    trustedRoot: join(dir, 'used-trusted-root.json'),
  }
  await writeFile(files.signingConfig, sigstore.signingConfig)
  await writeFile(files.trustedRoot, sigstore.trustedRoot)
  return files
}

async function readCapped(path: string, what: string): Promise<string> {
  const found = await stat(path).catch(() => null)
  if (found?.isFile() !== true) throw unusable(what, 'there is no such file')
  if (found.size > MAX_BYTES) throw unusable(what, 'it is larger than 1 MiB')
  return readFile(path, 'utf8')
}

function parsed<T>(schema: z.ZodType<T>, text: string, what: string): T {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    throw unusable(what, 'it is not JSON')
  }
  const result = schema.safeParse(value)
  if (result.success) return result.data
  const issue = result.error.issues[0]
  throw unusable(what, issue === undefined ? 'unknown shape' : `${issue.path.join('.')}: ${issue.message}`)
}

function unusable(what: string, why: string): GateError {
  const message = `${what}: the file cannot be used: ${why}. Cosign makes one: cosign ${what} create`
  return new GateError('config', { reason: 'sigstore-unusable', message })
}
