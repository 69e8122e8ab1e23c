import { GateError } from '../errors.js'
import { parseCycloneDx } from '../evidence/cyclonedx.js'
import type { SbomDocument } from '../evidence/sbom.js'
import { parseSpdx, type SbomFacts } from '../evidence/spdx.js'
import type { PlatformImage } from '../evidence/subject.js'
import { parseSyftReport, type SyftInventory } from '../evidence/syft-report.js'
import type { ReportFile } from '../record/record.js'
import { catalogImage } from '../tools/syft.js'
import { INPUT, type PlatformWork } from './platform-work.js'
import { platformSlug, writeReportFile } from './report-files.js'
import { freshDir } from './scanners.js'

/** The inventory of Syft and the SBOM documents it wrote in one run. */
export interface Boms {
  readonly inventory: SyftInventory
  readonly documents: readonly SbomDocument[]
}

/** Inventories the flattened layout below `cwd` in all formats at once; the documents are written and noted in `files`. */
export async function catalog(work: PlatformWork, cwd: string, files: ReportFile[]): Promise<Boms> {
  const { image } = work
  const subject = { manifest: image.manifest.digest, imageId: image.configDigest, platform: image.platform }
  const outDir = await freshDir(work.workDir, 'sbom')
  const name = work.layout.subject.name === '' ? 'image' : work.layout.subject.name
  const texts = await catalogImage(work.scanners.syft, { cwd, input: INPUT, name, outDir })
  const inventory = parseSyftReport(texts.syft, subject)
  const own: SbomFacts = { packages: inventory.packages.length, subject: inventory.subject }
  const { syft, spdx, cycloneDx } = texts
  const parsed = [
    { format: 'spdx-2.3', end: 'spdx.json', kind: 'sbom-spdx', text: spdx, facts: parseSpdx(spdx, subject) },
    {
      format: 'cyclonedx-1.6',
      end: 'cdx.json',
      kind: 'sbom-cyclonedx',
      text: cycloneDx,
      facts: parseCycloneDx(cycloneDx, subject),
    },
    { format: 'syft', end: 'syft.json', kind: 'sbom-syft', text: syft, facts: own },
  ] as const
  const empty = parsed.find(bom => bom.facts.packages === 0 && own.packages > 0)
  if (empty !== undefined)
    throw sbomIncomplete(image, `the ${empty.format} document lists no package, Syft's own does`)
  const documents: SbomDocument[] = []
  for (const { format, end, kind, text, facts } of parsed) {
    const path = `sbom.${platformSlug(image.platform)}.${end}`
    const written = await writeReportFile(work.reportDir, { path, kind, text })
    files.push(written)
    documents.push({ format, file: path, sha256: written.sha256, size: written.size, ...facts })
  }
  return { inventory, documents }
}

/** The SBOMs cannot be the whole truth. */
export function sbomIncomplete(image: PlatformImage, why: string): GateError {
  return new GateError('evidence', {
    reason: 'sbom-without-packages',
    message: `The SBOMs for ${image.platform} are not complete: ${why}. They are not used.`,
  })
}
