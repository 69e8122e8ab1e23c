import { join } from 'node:path'
import type { LimitFunction } from 'p-limit'
import { GateError } from '../errors.js'
import { parseCycloneDx } from '../evidence/cyclonedx.js'
import type { DockerfileFacts, PlatformEvidence } from '../evidence/evidence.js'
import type { ImageContents } from '../evidence/image.js'
import { compareInventories, whySbomIncomplete, whyScanIncomplete } from '../evidence/inventory.js'
import { type Known, missing, present } from '../evidence/known.js'
import { withInstructions } from '../evidence/layer-instructions.js'
import { advisoriesOfRelease } from '../evidence/os-release.js'
import { withoutInventoried } from '../evidence/ownership.js'
import type { SbomDocument, SbomSet } from '../evidence/sbom.js'
import type { SecretScan, VulnerabilityScan } from '../evidence/scan.js'
import { parseSpdx, type SbomFacts } from '../evidence/spdx.js'
import type { PlatformImage } from '../evidence/subject.js'
import { parseSyftReport, type SyftInventory } from '../evidence/syft-report.js'
import { parseSecretReport, parseTrivyReport, type ReportedImage } from '../evidence/trivy-report.js'
import { flattenPlatform } from '../oci/flatten.js'
import { readLayers } from '../oci/layers.js'
import type { OpenLayout } from '../oci/reader.js'
import type { ReportFile } from '../record/record.js'
import { catalogImage } from '../tools/syft.js'
import { scanPackages, scanSecrets } from '../tools/trivy.js'
import { attempt, noteMissing, type Problems, valueOf } from './attempt.js'
import { DATABASE_FILE, databaseMentions } from './database-file.js'
import { platformSlug, writeReportFile } from './report-files.js'
import { freshDir, type Scanners } from './scanners.js'

/** Everything that the inspection of one platform needs. */
export interface PlatformWork {
  readonly scanners: Scanners
  /** Bounds how many analyses run at once, over all platforms. */
  readonly limit: LimitFunction
  readonly layout: OpenLayout
  readonly image: PlatformImage
  /** Folder with `db/trivy.db`. */
  readonly cacheDir: string
  readonly dockerfile: Known<DockerfileFacts>
  readonly reportDir: string
  readonly workDir: string
}

export interface PlatformResult {
  readonly evidence: PlatformEvidence
  readonly problems: Problems
  readonly files: readonly ReportFile[]
}

const INPUT = 'image'

/**
 * All evidence of one platform: layer pass, packages, secrets and SBOMs side by side, each analysed once. What fails
 * is missing, with a problem; the rest is still gathered. Reports that the other inventory contradicts are missing.
 */
export async function inspectPlatform(work: PlatformWork): Promise<PlatformResult> {
  const { image, limit } = work
  const problems: Problems = []
  const files: ReportFile[] = []
  const flat = await attempt(problems, () => flatten(work))
  const layers = limit(() => attempt(problems, () => passLayers(work)))
  const scans = await Promise.all([
    onFlat(flat, cwd => limit(() => attempt(problems, () => secretScan(work, cwd)))),
    onFlat(flat, cwd => limit(() => attempt(problems, () => packageScan(work, cwd, files)))),
    onFlat(flat, cwd => limit(() => attempt(problems, () => catalog(work, cwd, files)))),
    layers,
  ])
  const [secrets, scan, boms, contents] = scans
  return {
    evidence: {
      platform: image.platform,
      contents: explained(contents, scan, boms),
      secrets,
      ...crossChecked(problems, { image, scan, boms, contents }),
    },
    problems,
    files: files.sort((a, b) => (a.path < b.path ? -1 : 1)),
  }
}

/** Work on the flattened layout; when that could not be made, the fact is missing for the same reason. */
async function onFlat<T>(flat: Known<string>, work: (cwd: string) => Promise<Known<T>>): Promise<Known<T>> {
  return flat.state === 'present' ? await work(flat.value) : flat
}

async function flatten(work: PlatformWork): Promise<string> {
  const cwd = await freshDir(work.workDir, 'layout')
  await flattenPlatform(work.layout, work.image, join(cwd, INPUT))
  return cwd
}

async function passLayers(work: PlatformWork): Promise<ImageContents> {
  const { contents } = await readLayers(work.layout, work.image)
  if (work.dockerfile.state !== 'present') return contents
  return withInstructions(contents, work.image.config.history, work.dockerfile.value)
}

function reportedImage(image: PlatformImage): ReportedImage {
  const diffIds = image.layers.map(layer => layer.diffId)
  return { imageId: image.configDigest, diffIds, platform: image.platform }
}

async function packageScan(work: PlatformWork, cwd: string, files: ReportFile[]): Promise<VulnerabilityScan> {
  const { cacheDir, image } = work
  const outDir = await freshDir(work.workDir, 'packages')
  const text = await scanPackages(work.scanners.trivy, { cwd, input: INPUT, cacheDir, outDir })
  const scan = parseTrivyReport(text, reportedImage(image))
  await checkRelease(scan, cacheDir)
  const path = `vulnerabilities.${platformSlug(image.platform)}.trivy.json`
  files.push(await writeReportFile(work.reportDir, { path, kind: 'vulnerabilities-trivy', text }))
  return scan
}

/**
 * Refuses a scan whose operating system release the database does not know: the scanner then matches no package of
 * the system and ends well.
 */
async function checkRelease(scan: VulnerabilityScan, cacheDir: string): Promise<void> {
  const release = advisoriesOfRelease(scan)
  if (release === undefined || (await databaseMentions(join(cacheDir, 'db', DATABASE_FILE), release))) return
  throw new GateError('evidence', {
    reason: 'os-release-unknown',
    message: `The image says it is "${release}", and the vulnerability database has no advisories for that release. Its system packages were not matched, so nothing is concluded; check etc/os-release.`,
  })
}

async function secretScan(work: PlatformWork, cwd: string): Promise<SecretScan> {
  const { cacheDir, image } = work
  const outDir = await freshDir(work.workDir, 'secrets')
  const text = await scanSecrets(work.scanners.trivy, { cwd, input: INPUT, cacheDir, outDir })
  return parseSecretReport(text, reportedImage(image))
}

interface Boms {
  readonly inventory: SyftInventory
  readonly documents: readonly SbomDocument[]
}

async function catalog(work: PlatformWork, cwd: string, files: ReportFile[]): Promise<Boms> {
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

// Programs that are packages themselves: their modules are written into them.
const PROGRAM_TYPES = new Set(['cargo', 'golang', 'maven'])

/** Takes executables out of the unexplained ones that an inventory lists as packages themselves. */
function explained(
  contents: Known<ImageContents>,
  scan: Known<VulnerabilityScan>,
  boms: Known<Boms>,
): Known<ImageContents> {
  if (contents.state !== 'present') return contents
  const packages = [...(valueOf(scan)?.packages ?? []), ...(valueOf(boms)?.inventory.packages ?? [])]
  const paths = packages.flatMap(found => (PROGRAM_TYPES.has(found.type) && found.path ? [found.path] : []))
  const unexplained = withoutInventoried(contents.value.unexplained, new Set(paths))
  return present({ ...contents.value, unexplained })
}

interface Gathered {
  readonly image: PlatformImage
  readonly scan: Known<VulnerabilityScan>
  readonly boms: Known<Boms>
  readonly contents: Known<ImageContents>
}

/** Lets the witnesses contradict each other: a report that lost packages which another one saw is missing. */
function crossChecked(
  problems: Problems,
  { image, scan, boms, contents }: Gathered,
): Pick<PlatformEvidence, 'vulnerabilities' | 'sboms' | 'inventory'> {
  const seen = valueOf(contents)
  const found = valueOf(scan)
  const bom = valueOf(boms)
  const tree = seen === undefined ? {} : { contents: seen }
  const noScan = found && whyScanIncomplete(found, { ...tree, ...(bom && { inventory: bom.inventory }) })
  const noBom = bom && whySbomIncomplete(bom.inventory, { ...tree, ...(found && { scan: found }) })
  return {
    vulnerabilities: noScan === undefined ? scan : noteMissing(problems, reportIncomplete(image, noScan)),
    sboms: noBom === undefined ? sbomSet(boms) : noteMissing(problems, sbomIncomplete(image, noBom)),
    inventory:
      found && bom
        ? present(compareInventories(found.packages, bom.inventory.packages))
        : missing('inspect', 'one of the two inventories is missing'),
  }
}

function sbomSet(boms: Known<Boms>): Known<SbomSet> {
  if (boms.state !== 'present') return boms
  return present({ documents: boms.value.documents, packages: boms.value.inventory.packages })
}

function reportIncomplete(image: PlatformImage, why: string): GateError {
  return new GateError('evidence', {
    reason: 'report-without-packages',
    message: `Trivy's report for ${image.platform} is not complete: ${why}. What it does not list was not matched, so nothing is concluded from it.`,
  })
}

function sbomIncomplete(image: PlatformImage, why: string): GateError {
  return new GateError('evidence', {
    reason: 'sbom-without-packages',
    message: `The SBOMs for ${image.platform} are not complete: ${why}. They are not used.`,
  })
}
