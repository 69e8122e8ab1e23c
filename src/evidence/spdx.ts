import { z } from 'zod'
import { isDigest } from './digest.js'
import { countElements, type MinimumElements } from './minimum-elements.js'
import type { SbomDocument } from './sbom.js'
import { type SbomImage, sbomOfAnotherImage } from './syft-report.js'
import { type ReportSource, readToolJson, refusal, rows, shortText } from './tool-json.js'

/** What a document says of itself: how many packages, and the manifest digest it names. */
export type SbomFacts = Pick<SbomDocument, 'packages'> &
  Required<Pick<SbomDocument, 'subject'>> &
  Pick<SbomDocument, 'minimum'>

const SOURCE: ReportSource = { name: 'spdx', what: 'SPDX document' }

const document = z.object({
  spdxVersion: z.literal('SPDX-2.3'),
  SPDXID: z.literal('SPDXRef-DOCUMENT'),
  documentNamespace: shortText.min(1),
  creationInfo: z
    .object({ created: shortText.optional().catch(undefined), creators: rows(shortText) })
    .optional(),
  packages: rows(
    z.object({
      SPDXID: shortText.min(1),
      name: shortText,
      versionInfo: shortText.optional(),
      supplier: shortText.optional().catch(undefined),
      externalRefs: rows(z.object({ referenceType: shortText, referenceLocator: shortText })),
      checksums: rows(z.object({ algorithm: shortText, checksumValue: shortText })),
    }),
  ),
  relationships: rows(
    z.object({ spdxElementId: shortText, relatedSpdxElement: shortText, relationshipType: shortText }),
  ),
})

/**
 * Reads the facts of an SPDX 2.3 JSON document (https://spdx.github.io/spdx-spec/v2.3/). The package it DESCRIBES
 * must carry the SHA-256 of the image's manifest; else it is refused (`sbom-of-another-image`), as is a document
 * that is empty, cut, of another version, or describes not exactly one thing.
 */
export function parseSpdx(text: string, image: SbomImage): SbomFacts {
  const parsed = readToolJson(text, document, SOURCE)
  const described = parsed.relationships.filter(
    row => row.spdxElementId === 'SPDXRef-DOCUMENT' && row.relationshipType === 'DESCRIBES',
  )
  const root = parsed.packages.find(row => row.SPDXID === described[0]?.relatedSpdxElement)
  if (described.length !== 1 || root === undefined)
    throw refusal(SOURCE, 'output-unexpected', 'does not describe exactly one package')
  const sum = root.checksums.find(row => row.algorithm === 'SHA256')
  const subject = `sha256:${sum?.checksumValue ?? ''}`
  if (!isDigest(subject) || subject !== image.manifest)
    throw sbomOfAnotherImage(SOURCE.what, image, sum === undefined ? undefined : subject)
  return { packages: parsed.packages.length - 1, subject, minimum: minimumOf(parsed, root.SPDXID) }
}

const IDENTIFIERS = new Set(['purl', 'cpe22Type', 'cpe23Type', 'swid'])

/** The root stands for the image itself: it is the document's subject, not a package of it. */
function minimumOf(parsed: z.output<typeof document>, root: string): MinimumElements {
  const related = new Set(parsed.relationships.flatMap(row => [row.spdxElementId, row.relatedSpdxElement]))
  const packages = parsed.packages
    .filter(row => row.SPDXID !== root)
    .map(row => ({
      supplier: isSaid(row.supplier),
      name: isSaid(row.name),
      version: isSaid(row.versionInfo),
      identifier: row.externalRefs.some(one => IDENTIFIERS.has(one.referenceType)),
      relationship: related.has(row.SPDXID),
    }))
  const creation = parsed.creationInfo
  return countElements(packages, {
    author: creation?.creators.some(isSaid) === true,
    timestamp: isSaid(creation?.created),
  })
}

function isSaid(value: string | undefined): boolean {
  return value !== undefined && value.trim() !== '' && value !== 'NOASSERTION' && value !== 'NONE'
}
