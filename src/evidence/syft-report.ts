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
  /** Packages that files of an operating system package make up, as Syft sees it: other tools leave these out. */
  readonly ownedByOs: readonly Package[]
  /** That operating system package, for each of them. */
  readonly systemOwners: ReadonlyMap<Package, Package>
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
  metadata: z
    .object({
      source: z.unknown(),
      sourceVersion: z.unknown(),
      originPackage: z.unknown(),
      sourceRpm: z.unknown(),
    })
    .partial()
    .nullish()
    .catch(null),
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
  const packages = parsed.artifacts.map(row => ({ row, found: packageOf(row) }))
  const systemOwners = osOwned(packages, parsed.artifactRelationships)
  const os = parsed.distro
  return {
    packages: packages.map(({ found }) => found),
    ownedByOs: [...systemOwners.keys()],
    systemOwners,
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
  packages: readonly { readonly row: Artifact; readonly found: Package }[],
  relationships: readonly { parent: string; child: string; type: string }[],
): ReadonlyMap<Package, Package> {
  const byId = new Map(packages.map(one => [one.row.id, one]))
  return new Map(
    relationships.flatMap(({ parent, child, type }) => {
      const [owner, owned] = [byId.get(parent), byId.get(child)]
      if (type !== 'ownership-by-file-overlap' || owner === undefined || owned === undefined) return []
      const real = OS_TYPES.has(owner.row.type) && !OS_TYPES.has(owned.row.type)
      return real ? [[owned.found, owner.found] as const] : []
    }),
  )
}

function packageOf(row: Artifact): Package {
  const version = row.version ?? ''
  const purl = row.purl ? row.purl : genericPurl(row.name, version)
  const place =
    row.locations.find(location => location.annotations?.evidence === 'primary') ?? row.locations[0]
  const [source, sourceVersion] = sourceOf(row)
  return {
    purl,
    name: row.name,
    version,
    type: parsePurl(purl)?.type ?? row.type,
    ...(place && { path: place.path.replace(/^\/+/, '') }),
    ...(isDigest(place?.layerID) && { layer: place.layerID }),
    ...(source !== '' && { sourceName: source }),
    ...(sourceVersion !== '' && { sourceVersion }),
  }
}

/** Name and version of the source package: of deb, the origin of apk, the file name of the source of rpm. */
function sourceOf(row: Artifact): readonly [string, string] {
  const { source, sourceVersion, originPackage, sourceRpm } = row.metadata ?? {}
  const rpm = /^(.+)-([^-]+-[^-]+)\.(?:no)?src\.rpm$/.exec(textOf(sourceRpm))
  if (rpm !== null) return [rpm[1] ?? '', rpm[2] ?? '']
  return [textOf(source) || textOf(originPackage), textOf(sourceVersion)]
}

function textOf(value: unknown): string {
  return typeof value === 'string' && value.length <= 1024 ? value : ''
}
