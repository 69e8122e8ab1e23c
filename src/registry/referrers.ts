import { z } from 'zod'
import { isDigest, type Digest } from '../evidence/digest.js'
import { registryError } from './failure.js'
import { fetchManifest, MAX_MANIFEST_BYTES, unexpected } from './manifests.js'
import type { Registry } from './registry.js'

/** One referrer as the registry lists it; nothing of it is proved yet. */
export interface Referrer {
  readonly digest: Digest
  readonly mediaType: string
  readonly size: number
  readonly artifactType: string | null
  readonly annotations: Readonly<Record<string, string>>
}

/** Most referrers that are read for one digest. */
export const MAX_REFERRERS = 2000
const MAX_PAGES = 20
const INDEX_TYPE = 'application/vnd.oci.image.index.v1+json'

const digestSchema = z.custom<Digest>(isDigest)
const indexSchema = z.object({
  manifests: z
    .array(
      z.object({
        digest: digestSchema,
        mediaType: z.string().max(256),
        size: z.number().int().nonnegative(),
        artifactType: z.string().max(256).nullish(),
        annotations: z.record(z.string().max(512), z.string().max(8192)).nullish(),
      }),
    )
    .max(MAX_REFERRERS)
    .nullish(),
})

/**
 * Lists what refers to a digest: by the referrers interface of the distribution specification 1.1, else by the
 * fallback tag `sha256-…`. An unreadable list is GateError `service` (`registry-answer`), never an empty list.
 */
export async function listReferrers(registry: Registry, digest: Digest): Promise<readonly Referrer[]> {
  const listed = await fromInterface(registry, digest)
  if (listed !== null) return listed
  const fallback = await fetchManifest(registry, digest.replace(':', '-'))
  return fallback === null ? [] : parseIndex(fallback.bytes, registry.image.name)
}

async function fromInterface(registry: Registry, digest: Digest): Promise<readonly Referrer[] | null> {
  const found: Referrer[] = []
  let path: string | null = `referrers/${digest}`
  for (let page = 0; path !== null; page += 1) {
    if (page >= MAX_PAGES || found.length > MAX_REFERRERS) throw tooMany(registry.image.name)
    const answer: Page | null = await readPage(registry, path)
    if (answer === null) return page === 0 ? null : found
    found.push(...answer.referrers)
    path = answer.next
  }
  return found
}

interface Page {
  readonly referrers: readonly Referrer[]
  readonly next: string | null
}

/** Null when the registry has no such interface: 404, 405, or a page that is not an index. */
function readPage(registry: Registry, path: string): Promise<Page | null> {
  return registry.exchange({ method: 'GET', path, accept: INDEX_TYPE }, async reply => {
    if ([400, 404, 405].includes(reply.status)) return null
    if (reply.status !== 200) throw unexpected(`referrers of ${registry.image.name}`, reply.status)
    if (!(reply.headers.get('content-type') ?? '').startsWith(INDEX_TYPE)) return null
    const referrers = parseIndex(await reply.read(MAX_MANIFEST_BYTES), registry.image.name)
    return { referrers, next: nextPage(reply.headers.get('link')) }
  })
}

function nextPage(link: string | null): string | null {
  const match = /<([^>]{1,2048})>\s*;\s*rel="?next"?/i.exec(link ?? '')
  return match?.[1] ?? null
}

function parseIndex(bytes: Buffer, name: string): readonly Referrer[] {
  let value: unknown
  try {
    value = JSON.parse(bytes.toString('utf8'))
  } catch {
    throw registryError('registry-answer', `${name}: the list of referrers is not JSON`)
  }
  const parsed = indexSchema.safeParse(value)
  if (!parsed.success) throw registryError('registry-answer', `${name}: the list of referrers is malformed`)
  return (parsed.data.manifests ?? []).map(one => ({
    digest: one.digest,
    mediaType: one.mediaType,
    size: one.size,
    artifactType: one.artifactType ?? null,
    annotations: one.annotations ?? {},
  }))
}

function tooMany(name: string): Error {
  return registryError('registry-answer', `${name} lists more than ${MAX_REFERRERS} referrers of one digest`)
}
