import { describeError, GateError } from '../errors.js'
import type { DockerfileFacts } from '../evidence/evidence.js'
import type { Known } from '../evidence/known.js'
import { parseReference } from '../evidence/reference.js'
import type { BaseRecord } from '../record/record.js'
import type { Program } from '../tools/command.js'
import { headDigest, type Crane } from '../tools/crane.js'
import { registryCommands } from './registry-commands.js'
import type { Given, ResolvedBases } from './run.js'

const IMAGE = 'docker-image://'
/** A registry that says nothing for longer leaves its bases unresolved. */
const LOOK_UP_MS = 20_000

/**
 * The facts of the Dockerfile with the digests that were looked up, which is what to pin a base to, and without what a
 * named context replaces: no image of that name is read.
 */
export function withDigests(
  dockerfile: Known<DockerfileFacts>,
  { records }: ResolvedBases,
  buildContexts: Readonly<Record<string, string>>,
): Known<DockerfileFacts> {
  if (dockerfile.state !== 'present') return dockerfile
  const digests = new Map(
    records.flatMap(record =>
      record.state === 'resolved' ? [[record.reference, record.digest] as const] : [],
    ),
  )
  const replaced = Object.keys(buildContexts).map(normal)
  const read = dockerfile.value.bases.filter(base => !replaced.includes(normal(base.reference)))
  const bases = read.map(base => {
    const digest = digests.get(base.reference)
    return digest === undefined ? base : { ...base, digest }
  })
  return { state: 'present', value: { ...dockerfile.value, bases } }
}

/**
 * Looks up the digest of each base of the Dockerfile and of each `docker-image://` context: in the name itself, else at
 * its registry, with the login for it. A base that is replaced by a named build context is none. One that cannot be
 * looked up, because the registry is not reached or the name depends on the platform, stays without a digest and is
 * recorded so.
 */
export async function resolveBases(
  given: Given,
  dockerfile: Known<DockerfileFacts>,
  crane: Program,
): Promise<ResolvedBases> {
  if (dockerfile.state !== 'present') return { records: [], checked: [] }
  const contexts = Object.entries(given.request.buildContexts)
  const replaced = contexts.map(([name]) => normal(name))
  const named = dockerfile.value.bases.map(base => base.reference)
  const references = [
    ...named.filter(reference => !replaced.includes(normal(reference))),
    ...contexts.flatMap(([, value]) => (value.startsWith(IMAGE) ? [value.slice(IMAGE.length)] : [])),
  ]
  const records = await Promise.all(
    [...byHost([...new Set(references)])].map(([host, onHost]) => recordsOf(given, { host, onHost, crane })),
  )
  const all = records.flat()
  const checked = all.flatMap(record =>
    record.state === 'unresolved' ? [] : [{ reference: record.reference, digest: record.digest }],
  )
  return { records: all, checked }
}

/** References by the registry they are at; '' for those that cannot be read as a name. */
function byHost(references: readonly string[]): ReadonlyMap<string, readonly string[]> {
  const hosts = new Map<string, string[]>()
  for (const reference of references) {
    const host = hostOf(reference)
    hosts.set(host, [...(hosts.get(host) ?? []), reference])
  }
  return hosts
}

function hostOf(reference: string): string {
  try {
    return parseReference(reference).image.host
  } catch {
    return ''
  }
}

/** Names are compared as BuildKit does: normalised, with the tag `latest` where there is none. */
function normal(text: string): string {
  try {
    const { image, tag, digest } = parseReference(text)
    return `${image.name}:${tag ?? 'latest'}${digest === undefined ? '' : `@${digest}`}`
  } catch {
    return text
  }
}

async function recordsOf(
  given: Given,
  asked: { readonly host: string; readonly onHost: readonly string[]; readonly crane: Program },
): Promise<readonly BaseRecord[]> {
  const { host, onHost, crane: program } = asked
  if (host === '') {
    const why = 'the name is not known before the build'
    return onHost.map(reference => ({ reference, state: 'unresolved', why }))
  }
  const { commands, close } = await registryCommands(given, host)
  try {
    return await Promise.all(onHost.map(reference => recordOf({ commands, program }, reference)))
  } finally {
    await close()
  }
}

async function recordOf(crane: Crane, reference: string): Promise<BaseRecord> {
  try {
    const { digest } = parseReference(reference)
    if (digest !== undefined) return { reference, state: 'pinned', digest }
    return { reference, state: 'resolved', digest: await headDigest(crane, reference, LOOK_UP_MS) }
  } catch (thrown) {
    if (!(thrown instanceof GateError) || thrown.reason === 'cancelled') throw thrown
    return { reference, state: 'unresolved', why: lastLine(describeError(thrown)) }
  }
}

/** What a program said last, which is what went wrong. */
function lastLine(text: string): string {
  return (text.trim().split('\n').at(-1) ?? '').slice(0, 500)
}
