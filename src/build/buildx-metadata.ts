import { z } from 'zod'
import { GateError } from '../errors.js'
import { isDigest, type Digest } from '../evidence/digest.js'
import { parseReference } from '../evidence/reference.js'
import type { CheckedBase } from './build-request.js'

const MAX_CHARACTERS = 64 * 1024 * 1024

const material = z.object({
  uri: z.string().max(8192),
  digest: z.record(z.string().max(64), z.string().max(256)).optional(),
})
const materials = z.array(material).max(10_000)
/** SLSA provenance 0.2 and 1, of which only what was read is looked at. */
const provenance = z.object({
  materials: materials.optional(),
  buildDefinition: z.object({ resolvedDependencies: materials.optional() }).optional(),
})
const document = z.record(z.string(), z.unknown())

/** What buildx writes about a build that ended well. */
export interface BuildxMetadata {
  /** Of the image, or of the index of images. */
  readonly digest: Digest
  /** The images that were read, by reference and digest; undefined when this version of buildx does not say. */
  readonly images: readonly UsedImage[] | undefined
}

export interface UsedImage {
  /** `host/path`, normalised, without tag. */
  readonly name: string
  readonly tag?: string
  readonly digest: string
}

/** Reads the metadata file. Refuses one without the digest of the image (`metadata-unreadable`, evidence). */
export function parseMetadata(text: string): BuildxMetadata {
  const parsed = text.length > MAX_CHARACTERS ? undefined : document.safeParse(parseJson(text))
  const digest = parsed?.success === true ? parsed.data['containerimage.digest'] : undefined
  if (parsed?.success !== true || typeof digest !== 'string' || !isDigest(digest)) {
    const message = 'buildx does not say which image it built. Use a newer buildx, or another engine.'
    throw new GateError('evidence', { reason: 'metadata-unreadable', message })
  }
  const said = Object.entries(parsed.data).filter(([key]) => /^buildx\.build\.provenance(?:\/|$)/.test(key))
  return { digest, images: said.length === 0 ? undefined : said.flatMap(([, value]) => usedImages(value)) }
}

function usedImages(value: unknown): readonly UsedImage[] {
  const parsed = provenance.safeParse(value)
  if (!parsed.success) return []
  const all = [...(parsed.data.materials ?? []), ...(parsed.data.buildDefinition?.resolvedDependencies ?? [])]
  return all.flatMap(({ uri, digest }) => {
    const hex = digest?.['sha256']
    const reference = /^pkg:docker\/([^?#]+)/.exec(uri)?.[1]
    return hex === undefined || reference === undefined ? [] : image(reference, `sha256:${hex}`)
  })
}

/** A purl of the type docker: `namespace/name@version`, percent-encoded; the namespace `library` is left out. */
function image(purl: string, digest: string): readonly UsedImage[] {
  try {
    const text = decodeURIComponent(purl)
    const at = text.lastIndexOf('@')
    const version = at < 0 ? undefined : text.slice(at + 1)
    const { image: parsed } = parseReference(at < 0 ? text : text.slice(0, at))
    const tag = version === undefined || version.includes(':') ? {} : { tag: version }
    return [{ name: parsed.name, ...tag, digest }]
  } catch {
    return []
  }
}

/**
 * Compares what was checked before the build with what the build read. Where the build read a checked base it must have
 * read that digest, or one that the Dockerfile itself pins: else `base-changed` (integrity). A base that was
 * not read at all (a stage nobody needed) is fine.
 */
export function compareBases(bases: readonly CheckedBase[], images: readonly UsedImage[]): void {
  const checked = bases.map(({ reference, digest }) => {
    const { image: named, tag, digest: pinned } = parseReference(reference)
    return { reference, digest, name: named.name, tag: tag ?? 'latest', pinned: pinned !== undefined }
  })
  for (const base of checked.filter(one => !one.pinned)) {
    const allowed = checked.filter(one => one.name === base.name).map(one => one.digest)
    const used = images.filter(one => one.name === base.name && one.tag === base.tag)
    const other = used.find(one => !allowed.includes(one.digest))
    if (other === undefined) continue
    const message = `${base.reference} was ${base.digest} before the build, but the build used ${other.digest}. Build again; pin the base by digest.`
    throw new GateError('integrity', { reason: 'base-changed', message })
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
