import { z } from 'zod'
import { GateError } from '../errors.js'
import { type Digest, isDigest } from './digest.js'
import { genericPurl, parsePurl } from './purl.js'
import type { Package } from './scan.js'
import { type ReportSource, readToolJson, refusal, rows, shortText } from './tool-json.js'

/** The image an SBOM must be about. */
export interface SbomImage {
  readonly manifest: Digest
  readonly imageId: Digest
  readonly platform: string
}

/** What Syft's own JSON says of one image. */
export interface SyftInventory {
  readonly packages: readonly Package[]
  /** Packages that files of an operating system package make up: other tools leave these out. */
  readonly ownedByOs: readonly Package[]
  readonly os?: { readonly id: string; readonly version: string }
  readonly subject: Digest
}

const SOURCE: ReportSource = { name: 'syft', what: 'inventory of Syft' }
const OS_TYPES = new Set(['deb', 'apk', 'rpm', 'alpm'])

const artifact = z.object({
  id: shortText.min(1),
  name: shortText.min(1),
  version: shortText.optional(),
  type: shortText,
  purl: shortText.optional(),
  locations: rows(
    z.object({
      path: shortText,
      layerID: shortText.optional(),
      annotations: z.object({ evidence: shortText.optional() }).nullish(),
    }),
  ),
  metadata: z.object({ source: z.unknown(), sourceVersion: z.unknown() }).partial().nullish().catch(null),
})

const report = z.object({
  artifacts: rows(artifact),
  artifactRelationships: rows(z.object({ parent: shortText, child: shortText, type: shortText })),
  source: z.object({
    type: shortText,
    metadata: z.object({ imageID: shortText.optional(), manifestDigest: shortText.optional() }),
  }),
  distro: z.object({ id: shortText.optional(), versionID: shortText.optional() }).nullish(),
  descriptor: z.object({ name: z.literal('syft'), version: shortText }),
})

type Artifact = z.output<typeof artifact>

/**
 * Reads Syft's own JSON of one image (schema 16). Refuses one that is empty, cut or of another shape, and one whose
 * manifest digest or image id is not the image's (`sbom-of-another-image`). It may list no package.
 */
export function parseSyftReport(text: string, image: SbomImage): SyftInventory {
  const parsed = readToolJson(text, report, SOURCE)
  if (parsed.source.type !== 'image')
    throw refusal(SOURCE, 'output-unexpected', `is about a "${parsed.source.type}", not about an image`)
  const { manifestDigest, imageID } = parsed.source.metadata
  if (manifestDigest !== image.manifest || imageID !== image.imageId)
    throw sbomOfAnotherImage('inventory of Syft', image, manifestDigest)
  const owned = osOwned(parsed.artifacts, parsed.artifactRelationships)
  const packages = parsed.artifacts.map(row => ({ row, found: packageOf(row) }))
  const os = parsed.distro
  return {
    packages: packages.map(({ found }) => found),
    ownedByOs: packages.filter(({ row }) => owned.has(row.id)).map(({ found }) => found),
    ...(os?.id && { os: { id: os.id, version: os.versionID ?? '' } }),
    subject: image.manifest,
  }
}

/** The GateError for an SBOM whose own subject is not the image's manifest. */
export function sbomOfAnotherImage(what: string, image: SbomImage, named: string | undefined): GateError {
  return new GateError('integrity', {
    reason: 'sbom-of-another-image',
    message: `The ${what} for ${image.platform} names ${named ?? 'no manifest'} as its subject, not ${image.manifest}. It is not used; check the tool.`,
  })
}

function osOwned(
  artifacts: readonly Artifact[],
  relationships: readonly { parent: string; child: string; type: string }[],
): ReadonlySet<string> {
  const system = new Set(artifacts.filter(row => OS_TYPES.has(row.type)).map(row => row.id))
  const overlaps = relationships.filter(
    row => row.type === 'ownership-by-file-overlap' && system.has(row.parent),
  )
  return new Set(overlaps.map(row => row.child).filter(child => !system.has(child)))
}

function packageOf(row: Artifact): Package {
  const version = row.version ?? ''
  const purl = row.purl ? row.purl : genericPurl(row.name, version)
  const place =
    row.locations.find(location => location.annotations?.evidence === 'primary') ?? row.locations[0]
  const source = row.metadata?.source
  const sourceVersion = row.metadata?.sourceVersion
  return {
    purl,
    name: row.name,
    version,
    type: parsePurl(purl)?.type ?? row.type,
    ...(place && { path: place.path.replace(/^\/+/, '') }),
    ...(isDigest(place?.layerID) && { layer: place.layerID }),
    ...(typeof source === 'string' && source !== '' && { sourceName: source }),
    ...(typeof sourceVersion === 'string' && sourceVersion !== '' && { sourceVersion }),
  }
}
