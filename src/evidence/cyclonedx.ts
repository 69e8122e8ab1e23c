import { z } from 'zod'
import { isDigest } from './digest.js'
import { countElements, type MinimumElements } from './minimum-elements.js'
import type { SbomFacts } from './spdx.js'
import { type SbomImage, sbomOfAnotherImage } from './syft-report.js'
import { type ReportSource, readToolJson, rows, shortText } from './tool-json.js'

const SOURCE: ReportSource = { name: 'cyclonedx', what: 'CycloneDX document' }
const NOT_PACKAGES = new Set(['file', 'operating-system'])

const said = shortText.optional().catch(undefined)
const party = z.object({ name: said })

const document = z.object({
  bomFormat: z.literal('CycloneDX'),
  specVersion: z.literal('1.6'),
  metadata: z.object({
    component: z.object({ type: shortText, name: shortText, version: shortText.optional() }),
    timestamp: said,
    authors: rows(party),
    tools: z.unknown().optional(),
  }),
  components: rows(
    z.object({
      type: shortText,
      name: shortText,
      version: said,
      purl: said,
      cpe: said,
      supplier: party.optional().catch(undefined),
      publisher: said,
      'bom-ref': said,
    }),
  ),
  dependencies: rows(z.object({ ref: shortText, dependsOn: rows(shortText) })),
})

/**
 * Reads the facts of a CycloneDX 1.6 JSON document (https://cyclonedx.org/docs/1.6/json/). Its metadata component
 * must have the image's manifest digest as version; else it is refused (`sbom-of-another-image`), as is a document
 * that is empty, cut or of another version. Files and the operating system are not counted as packages.
 */
export function parseCycloneDx(text: string, image: SbomImage): SbomFacts {
  const parsed = readToolJson(text, document, SOURCE)
  const subject = parsed.metadata.component.version
  if (!isDigest(subject) || subject !== image.manifest) throw sbomOfAnotherImage(SOURCE.what, image, subject)
  const packages = parsed.components.filter(row => !NOT_PACKAGES.has(row.type))
  return { packages: packages.length, subject, minimum: minimumOf(parsed, packages) }
}

type Document = z.output<typeof document>

function minimumOf(parsed: Document, packages: Document['components']): MinimumElements {
  const related = new Set(parsed.dependencies.flatMap(row => [row.ref, ...row.dependsOn]))
  const found = packages.map(row => ({
    supplier: isSaid(row.supplier?.name) || isSaid(row.publisher),
    name: isSaid(row.name),
    version: isSaid(row.version),
    identifier: isSaid(row.purl) || isSaid(row.cpe),
    relationship: row['bom-ref'] !== undefined && related.has(row['bom-ref']),
  }))
  const { authors, tools, timestamp } = parsed.metadata
  return countElements(found, {
    // The tool that made it is its author where no person is named.
    author: authors.some(one => isSaid(one.name)) || (tools !== undefined && tools !== null),
    timestamp: isSaid(timestamp),
  })
}

function isSaid(value: string | undefined): boolean {
  return value !== undefined && value.trim() !== ''
}
