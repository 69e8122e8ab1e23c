import { isDigest } from '../../src/evidence/digest.js'
import { parseImageName } from '../../src/evidence/reference.js'
import { listReferrers } from '../../src/registry/referrers.js'
import { openRegistry } from '../../src/registry/registry.js'
import { TAGS, type SealedImage } from './sealed-image.js'

/** What a whole release leaves: `DIGEST -> predicate types, sorted`. */
export type Hanging = Readonly<Record<string, readonly string[]>>

/** Tags that point at the image, in the order of the release; others with where they point. */
export async function tagsOf({ host, repository }: Where): Promise<readonly string[]> {
  const answer = await fetch(`http://${host}/v2/${repository}/tags/list`)
  const body: unknown = answer.ok ? await answer.json() : {}
  const listed =
    typeof body === 'object' && body !== null && 'tags' in body && Array.isArray(body.tags) ? body.tags : []
  const tags = listed.map(String).filter(tag => !tag.startsWith('sha256-'))
  const known: readonly string[] = TAGS
  return tags.sort((a, b) => known.indexOf(a) - known.indexOf(b))
}

interface Where {
  readonly host: string
  readonly repository: string
}

/** What hangs on index and images now: each predicate type as often as it is there. */
export async function hanging({ digests }: SealedImage, { host, repository }: Where): Promise<Hanging> {
  const image = parseImageName(`${host}/${repository}`)
  const { signal } = new AbortController()
  const registry = openRegistry({ image, credentials: null, access: 'pull', signal })
  const result: Record<string, readonly string[]> = {}
  for (const digest of digests.filter(isDigest)) {
    const listed = await listReferrers(registry, digest)
    result[digest] = listed.map(one => one.annotations['dev.sigstore.bundle.predicateType'] ?? '').sort()
  }
  return result
}
