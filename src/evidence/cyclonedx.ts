import { z } from 'zod'
import { isDigest } from './digest.js'
import type { SbomFacts } from './spdx.js'
import { type SbomImage, sbomOfAnotherImage } from './syft-report.js'
import { type ReportSource, readToolJson, rows, shortText } from './tool-json.js'

const SOURCE: ReportSource = { name: 'cyclonedx', what: 'CycloneDX document' }
const NOT_PACKAGES = new Set(['file', 'operating-system'])

const document = z.object({
  bomFormat: z.literal('CycloneDX'),
  specVersion: z.literal('1.6'),
  metadata: z.object({
    component: z.object({ type: shortText, name: shortText, version: shortText.optional() }),
  }),
  components: rows(z.object({ type: shortText, name: shortText })),
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
  return { packages: parsed.components.filter(row => !NOT_PACKAGES.has(row.type)).length, subject }
}
