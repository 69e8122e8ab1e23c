import { GateError } from '../errors.js'
import { type DiffId, type Digest, isDigest } from './digest.js'
import { genericPurl, parsePurl } from './purl.js'
import { type Finding, type Package, SEVERITIES, type Severity, type VulnerabilityScan } from './scan.js'
import { type ReportSource, readToolJson, refusal } from './tool-json.js'
import {
  type TrivyPackage,
  type TrivyReport,
  type TrivyResult,
  type TrivyVulnerability,
  trivyReport,
} from './trivy-shapes.js'

/** The image a report must be about: `imageId` is the digest of its configuration. */
export interface ReportedImage {
  readonly imageId: Digest
  readonly diffIds: readonly DiffId[]
  readonly platform: string
}

const PACKAGES: ReportSource = { name: 'trivy', what: 'package report of Trivy' }
// Targets that stand for many files; every other target of a language result is a file (Trivy 0.74.0).
const AGGREGATES = new Set(['Python', 'Conda', 'Ruby', 'Node.js', 'Java', 'Kubernetes'])

/**
 * Reads Trivy's package report (`--format json --list-all-pkgs --scanners vuln`) of one image. Refuses a report
 * that is empty, cut, of another shape, of another image (`report-of-another-image`), or in which findings were
 * suppressed (`trivy-findings-suppressed`). It may list no package at all: whether that is believable is decided
 * against the other inventories (inventory.ts).
 */
export function parseTrivyReport(text: string, image: ReportedImage): VulnerabilityScan {
  const report = readImageReport(text, image, PACKAGES)
  const results = report.Results.filter(result => result.Class === 'os-pkgs' || result.Class === 'lang-pkgs')
  const packages = results.flatMap(result => result.Packages.map(row => packageOf(row, result)))
  const findings = results.flatMap(result => findingsOf(result, image.platform))
  const os = report.Metadata?.OS
  return {
    imageId: image.imageId,
    ...(os && { os: { family: os.Family, name: os.Name ?? '', endOfLife: os.EOSL ?? false } }),
    packages,
    findings,
  }
}

/** Reads what the reports on an image share, with the refusals of `parseTrivyReport`. */
export function readImageReport(text: string, image: ReportedImage, source: ReportSource): TrivyReport {
  const report = readToolJson(text, trivyReport, source)
  if (report.ArtifactType !== 'container_image')
    throw refusal(
      source,
      'output-unexpected',
      `is about a "${report.ArtifactType}", not about a container image`,
    )
  const { ImageID, DiffIDs } = report.Metadata ?? { DiffIDs: [] }
  const sameLayers =
    DiffIDs.length === image.diffIds.length && DiffIDs.every((id, at) => id === image.diffIds[at])
  if (ImageID !== image.imageId || !sameLayers) {
    const about =
      ImageID === image.imageId ? 'other layers than the image has' : `image ${ImageID ?? '(unnamed)'}`
    throw new GateError('integrity', {
      reason: 'report-of-another-image',
      message: `The ${source.what} for ${image.platform} is about ${about}, not about ${image.imageId}. Nothing is concluded from it; check the tool.`,
    })
  }
  if (report.Results.some(result => result.ExperimentalModifiedFindings.length > 0))
    throw refusal(
      source,
      'findings-suppressed',
      'says that findings were suppressed, which was not asked for',
    )
  return report
}

function packageOf(row: TrivyPackage, result: TrivyResult): Package {
  const version = fullVersion(row.Epoch, row.Version, row.Release)
  const purl = row.Identifier?.PURL ?? genericPurl(row.Name, version)
  const path = pathOf(row.FilePath, result)
  const layer = diffIdOf(row.Layer?.DiffID)
  const source = row.SrcName
  return {
    purl,
    name: row.Name,
    version,
    type: parsePurl(purl)?.type ?? result.Type ?? 'unknown',
    ...(path && { path }),
    ...(layer && { layer }),
    ...(source && {
      sourceName: source,
      sourceVersion: fullVersion(row.SrcEpoch, row.SrcVersion, row.SrcRelease),
    }),
  }
}

function findingsOf(result: TrivyResult, platform: string): readonly Finding[] {
  const sources = new Map(result.Packages.map(row => [row.ID ?? row.Name, row.SrcName]))
  return result.Vulnerabilities.map(row => {
    const sourcePackage = sources.get(row.PkgID ?? row.PkgName)
    const path = pathOf(row.PkgPath, result)
    return { ...findingOf(row, platform), ...(sourcePackage && { sourcePackage }), ...(path && { path }) }
  })
}

/** One row of `Results[].Vulnerabilities` as a finding; its path and its source package are not in the row. */
export function findingOf(row: TrivyVulnerability, platform: string): Finding {
  const version = row.InstalledVersion ?? ''
  const layer = diffIdOf(row.Layer?.DiffID)
  return {
    id: row.VulnerabilityID,
    aliases: row.VendorIDs.filter(id => id !== row.VulnerabilityID),
    purl: row.PkgIdentifier?.PURL ?? genericPurl(row.PkgName, version),
    package: row.PkgName,
    version,
    ...(layer && { layer }),
    platform,
    severity: severityOf(row.Severity),
    ...(row.SeveritySource && { severitySource: row.SeveritySource }),
    status: row.Status ?? 'unknown',
    fixedIn: fixedVersions(row.FixedVersion),
    ...(row.PublishedDate && { published: row.PublishedDate }),
    ...(row.Title && { title: row.Title }),
  }
}

/** Our severity for a tool's word, in any case; a word nobody knows is `unknown`, which is never harmless. */
export function severityOf(text: string | undefined): Severity {
  const lower = text?.toLowerCase()
  return SEVERITIES.find(severity => severity === lower) ?? 'unknown'
}

function pathOf(file: string | undefined, result: TrivyResult): string | undefined {
  if (file) return withoutSlash(file)
  if (result.Class !== 'lang-pkgs' || AGGREGATES.has(result.Target)) return undefined
  return withoutSlash(result.Target)
}

function withoutSlash(path: string): string {
  return path.replace(/^\/+/, '')
}

function diffIdOf(text: string | undefined): DiffId | undefined {
  return isDigest(text) ? text : undefined
}

function fixedVersions(text: string | undefined): readonly string[] {
  return (text ?? '')
    .split(',')
    .map(version => version.trim())
    .filter(version => version !== '')
}

function fullVersion(
  epoch: number | undefined,
  version: string | undefined,
  release: string | undefined,
): string {
  return `${epoch ? `${epoch}:` : ''}${version ?? ''}${release ? `-${release}` : ''}`
}
