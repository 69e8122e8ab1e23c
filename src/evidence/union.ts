import { GateError } from '../errors.js'
import type { DiffId } from './digest.js'
import type { ImageContents } from './image.js'
import { comparablePurl, parsePurl } from './purl.js'
import type { LeftToSystem, NotMatched } from './sbom.js'
import type { Finding, Package, VulnerabilityScan } from './scan.js'
import type { SyftInventory } from './syft-report.js'
import { type ReportSource, readToolJson, refusal } from './tool-json.js'
import { findingOf } from './trivy-report.js'
import { trivyReport } from './trivy-shapes.js'
import { SYSTEM_TYPES, unionSbom } from './union-sbom.js'

/** Kinds of language packages (purl types) that the scanner has sources of advisories for (Trivy 0.74.0). */
const LANGUAGE_TYPES: ReadonlySet<string> = new Set([
  ...['cargo', 'cocoapods', 'composer', 'conan', 'gem', 'golang', 'hex', 'maven', 'npm', 'nuget', 'pub'],
  ...['pypi', 'swift'],
])
const NO_VERSION: ReadonlySet<string> = new Set(['', 'UNKNOWN', '(devel)'])

/** One document to be matched by the scanner; `parts` are the packages behind each of its bom-refs. */
export interface UnionDocument {
  readonly text: string
  readonly parts: ReadonlyMap<string, readonly Package[]>
}

/** What becomes of the packages that the scanner does not list by itself. */
export interface UnionPlan {
  readonly documents: readonly UnionDocument[]
  readonly notMatched: readonly NotMatched[]
  readonly leftToSystem: readonly LeftToSystem[]
}

export interface UnionInput {
  readonly scan: VulnerabilityScan
  readonly inventory: SyftInventory
  readonly contents?: Pick<ImageContents, 'systemMetadata' | 'rpmLayers'>
}

/**
 * Plans the matching of what Syft lists and Trivy lacks. Language packages that an operating system package really
 * brought are left to the advisories of the system: its own must be listed by Trivy, and it must be known to have
 * come in the same layer as the file. Everything else is matched, or listed with the reason why it cannot be.
 * Refuses (`os-release-unknown`) packages of an operating system that is not known.
 */
export function planUnion(input: UnionInput): UnionPlan {
  const { scan, inventory } = input
  const listed = new Set(scan.packages.map(found => unionKey(found.purl)))
  const lacking = inventory.packages.filter(found => !listed.has(unionKey(found.purl)))
  const notMatched: NotMatched[] = []
  const leftToSystem: LeftToSystem[] = []
  const wanted = new Map<string, Package[]>()
  for (const found of lacking) {
    const owner = systemOwner(found, input)
    const why = owner === undefined ? whyNot(found) : undefined
    const place = { purl: found.purl, ...(found.path !== undefined && { path: found.path }) }
    if (owner !== undefined) leftToSystem.push({ ...place, owner })
    else if (why !== undefined) notMatched.push({ ...place, why })
    else wanted.set(unionKey(found.purl), [...(wanted.get(unionKey(found.purl)) ?? []), found])
  }
  return { documents: documentsOf([...wanted.values()], scan), notMatched, leftToSystem }
}

/** The same package in the words of both tools; a version that nobody knows is none. */
function unionKey(purl: string): string {
  const parts = parsePurl(purl)
  if (parts !== undefined && NO_VERSION.has(parts.version)) return `pkg:${parts.type}/${parts.name}`
  return comparablePurl(purl)
}

function whyNot(found: Package): NotMatched['why'] | undefined {
  const parts = parsePurl(found.purl)
  if (parts === undefined || !(LANGUAGE_TYPES.has(parts.type) || SYSTEM_TYPES.has(parts.type)))
    return 'no-advisories'
  return NO_VERSION.has(parts.version) ? 'no-version' : undefined
}

/** The operating system package that brought a language package, when that is proved. */
function systemOwner(found: Package, { scan, inventory, contents }: UnionInput): string | undefined {
  if (found.path === undefined || SYSTEM_TYPES.has(found.type)) return undefined
  const brought = contents?.systemMetadata
  const own = brought !== undefined && Object.hasOwn(brought, found.path) ? brought[found.path] : undefined
  const owner = own ?? rpmOwner(found, inventory, contents?.rpmLayers ?? [])
  if (owner === undefined) return undefined
  const name = systemName(owner)
  return scan.packages.some(one => systemName(one.purl) === name) ? owner : undefined
}

/** The layer pass cannot read rpm databases: Syft's word counts when the database was written with the file. */
function rpmOwner(found: Package, inventory: SyftInventory, layers: readonly DiffId[]): string | undefined {
  if (found.layer === undefined || !layers.includes(found.layer)) return undefined
  const owner = inventory.systemOwners.get(found)
  return owner?.type === 'rpm' ? owner.purl : undefined
}

/** Type, last part of the name and version of an operating system package, without epoch. */
function systemName(purl: string): string | undefined {
  const parts = parsePurl(comparablePurl(purl))
  if (parts === undefined || !SYSTEM_TYPES.has(parts.type)) return undefined
  return `${parts.type} ${parts.name.slice(parts.name.lastIndexOf('/') + 1)} ${parts.version}`
}

/** A document can stand for one kind of operating system packages only. */
function documentsOf(wanted: readonly (readonly Package[])[], scan: VulnerabilityScan): UnionDocument[] {
  const groups = new Map<string, (readonly Package[])[]>()
  for (const places of wanted) {
    const type = places[0]?.type ?? ''
    const group = SYSTEM_TYPES.has(type) ? type : 'language'
    groups.set(group, [...(groups.get(group) ?? []), places])
  }
  return [...groups].map(([group, members]) => {
    const parts = new Map(members.map((places, at) => [`${group}-${at}`, places] as const))
    if (group !== 'language' && (scan.os === undefined || scan.os.family === 'none'))
      throw systemUnknown(group, members.length)
    const os = group === 'language' ? undefined : scan.os
    return { text: unionSbom(parts, os), parts }
  })
}

function systemUnknown(type: string, count: number): GateError {
  return new GateError('evidence', {
    reason: 'os-release-unknown',
    message: `The image has ${count} ${type} packages that Trivy does not list, and its operating system is not known, so no advisories can be matched with them. Nothing is concluded; check etc/os-release.`,
  })
}

const SOURCE: ReportSource = { name: 'union', what: 'report of Trivy on the packages that only Syft lists' }

/** The scanner's answer on one document. */
export interface UnionMatch {
  readonly packages: readonly Package[]
  readonly findings: readonly Finding[]
}

/**
 * Reads the scanner's report on one document. Each finding is bound to its package by the bom-ref, at every place
 * where Syft saw that package. Refuses a report that is not about the document, and one that leaves out any package
 * of it (`union-packages-not-matched`): what the scanner did not read it did not match.
 */
export function readUnionReport(text: string, document: UnionDocument, platform: string): UnionMatch {
  const report = readToolJson(text, trivyReport, SOURCE)
  if (report.ArtifactType !== 'cyclonedx')
    throw refusal(SOURCE, 'output-unexpected', `is about a "${report.ArtifactType}", not about an SBOM`)
  if (report.Results.some(result => result.ExperimentalModifiedFindings.length > 0))
    throw refusal(
      SOURCE,
      'findings-suppressed',
      'says that findings were suppressed, which was not asked for',
    )
  const { parts } = document
  const read = report.Results.flatMap(result => result.Packages.map(row => row.Identifier?.BOMRef ?? ''))
  const rows = report.Results.flatMap(result => result.Vulnerabilities)
  const foreign = [...read, ...rows.map(row => row.PkgIdentifier?.BOMRef ?? '')].find(ref => !parts.has(ref))
  if (foreign !== undefined)
    throw refusal(SOURCE, 'output-unexpected', `names a component that was not asked about: "${foreign}"`)
  const seen = new Set(read)
  const left = [...parts].flatMap(([ref, places]) => (seen.has(ref) ? [] : (places[0]?.purl ?? ref)))
  if (left.length > 0) throw notRead(left, platform)
  return {
    packages: [...parts.values()].flat().map(found => ({ ...found, via: 'union' as const })),
    findings: rows.flatMap(row =>
      (parts.get(row.PkgIdentifier?.BOMRef ?? '') ?? []).map(found =>
        boundTo(found, findingOf(row, platform)),
      ),
    ),
  }
}

function notRead(purls: readonly string[], platform: string): GateError {
  const more = purls.length > 3 ? ` and ${purls.length - 3} more` : ''
  return new GateError('evidence', {
    reason: 'union-packages-not-matched',
    message: `Syft lists packages in ${platform} that Trivy does not list, and Trivy did not match them when it was asked to: ${purls.slice(0, 3).join(', ')}${more}. Nothing is concluded.`,
  })
}

function boundTo(found: Package, finding: Finding): Finding {
  const { purl, name, version, path, layer, sourceName } = found
  return {
    ...finding,
    ...{ purl, package: name, version, via: 'union' },
    ...(path !== undefined && { path }),
    ...(layer !== undefined && { layer }),
    ...(sourceName !== undefined && { sourcePackage: sourceName }),
  }
}
