import { z } from 'zod'
import { GateError } from '../errors.js'
import { parsePurl } from './purl.js'
import { SEVERITIES, type Severity } from './scan.js'
import { type ReportSource, readToolJson, refusal, rows, shortText } from './tool-json.js'
import type { CanaryFacts } from './tooling.js'
import { severityOf } from './trivy-report.js'
import { trivyReport } from './trivy-shapes.js'

/** One planted component and the advisory that must be reported for it, at least this severe. */
interface Plant {
  readonly purl: string
  readonly id: string
  /** `unknown` where the advisory's source assigns no severity. */
  readonly severity: Severity
}

/** One SBOM with planted components; a document can stand for one operating system only. */
export interface CanaryDocument {
  readonly name: string
  readonly os: { readonly name: string; readonly version: string }
  readonly plants: readonly Plant[]
}

/**
 * Known-vulnerable packages, one or more for each kind that verdicts rely on. Each row is public knowledge: the
 * Debian and Alpine security trackers, and for npm and PyPI the GitHub Advisory Database and the NVD, which agree
 * on these severities.
 */
export const CANARIES: readonly CanaryDocument[] = [
  {
    name: 'canary-debian',
    os: { name: 'debian', version: '12' },
    plants: [
      { purl: 'pkg:deb/debian/curl@7.88.1-10?distro=debian-12', id: 'CVE-2023-38545', severity: 'unknown' },
      { purl: 'pkg:npm/minimist@1.2.5', id: 'CVE-2021-44906', severity: 'critical' },
      { purl: 'pkg:npm/lodash@4.17.20', id: 'CVE-2021-23337', severity: 'high' },
      { purl: 'pkg:pypi/langchain@0.0.170', id: 'CVE-2023-36281', severity: 'critical' },
    ],
  },
  {
    name: 'canary-alpine',
    os: { name: 'alpine', version: '3.20.0' },
    plants: [
      { purl: 'pkg:apk/alpine/openssl@3.3.1-r0?distro=3.20.0', id: 'CVE-2024-6119', severity: 'unknown' },
    ],
  },
]

/** The CycloneDX 1.6 document of one canary, as the scanner reads it (`trivy sbom`). */
export function canarySbom(canary: CanaryDocument): string {
  const system = { type: 'operating-system', name: canary.os.name, version: canary.os.version }
  return JSON.stringify({
    bomFormat: 'CycloneDX',
    specVersion: '1.6',
    version: 1,
    components: [system, ...canary.plants.map(component)],
  })
}

function component(plant: Plant): object {
  const parts = parsePurl(plant.purl)
  const name = parts?.name.split('/').at(-1) ?? plant.purl
  const [version = '', release = ''] = (parts?.version ?? '').split(/-(?=[^-]*$)/)
  const source = [
    { name: 'aquasecurity:trivy:SrcName', value: name },
    { name: 'aquasecurity:trivy:SrcVersion', value: parts?.type === 'deb' ? version : parts?.version },
    ...(parts?.type === 'deb' ? [{ name: 'aquasecurity:trivy:SrcRelease', value: release }] : []),
  ]
  const ofSystem = parts?.type === 'deb' || parts?.type === 'apk'
  return {
    type: 'library',
    'bom-ref': plant.purl,
    name,
    version: parts?.version ?? '',
    purl: plant.purl,
    ...(ofSystem && { properties: source }),
  }
}

/** How one planted advisory came back. */
export type CanarySighting = CanaryFacts['expected'][number] & { readonly reported: Severity | null }

const SOURCE: ReportSource = { name: 'canary', what: 'canary report of Trivy' }

/**
 * Reads the scanner's report on one canary document. A plant counts as found only with its advisory, on its own
 * package, at least as severe as pinned; `reported` tells a lowered severity from an absence.
 */
export function readCanaryReport(text: string, canary: CanaryDocument): readonly CanarySighting[] {
  const rows = readSbomRows(text)
  return canary.plants.map(plant => {
    const row = rows.find(found => found.id === plant.id && samePackage(found.purl, plant.purl))
    const reported = row === undefined ? null : row.severity
    const found = reported !== null && SEVERITIES.indexOf(reported) <= SEVERITIES.indexOf(plant.severity)
    return { id: plant.id, purl: plant.purl, severity: plant.severity, found, reported }
  })
}

/** One advisory of the scanner's report on an SBOM. */
export interface SbomRow {
  readonly id: string
  readonly purl: string
  readonly severity: Severity
}

/** The advisories of the scanner's report on an SBOM of ours. Refuses one that is cut, or about something else. */
export function readSbomRows(text: string): readonly SbomRow[] {
  const report = readToolJson(text, trivyReport, SOURCE)
  if (report.ArtifactType !== 'cyclonedx')
    throw refusal(SOURCE, 'output-unexpected', `is about a "${report.ArtifactType}", not about an SBOM`)
  return report.Results.flatMap(result => result.Vulnerabilities).map(row => ({
    id: row.VulnerabilityID,
    purl: row.PkgIdentifier?.PURL ?? '',
    severity: severityOf(row.Severity),
  }))
}

function samePackage(one: string, other: string): boolean {
  const left = parsePurl(one)
  const right = parsePurl(other)
  return (
    left !== undefined &&
    left.type === right?.type &&
    left.name === right.name &&
    left.version === right.version
  )
}

/** The rule and its severity that the planted secret must be reported with. */
export const SECRET_PLANT = {
  id: 'github-pat',
  purl: 'pkg:generic/planted-secret',
  severity: 'critical',
} as const

const secretShape = z.object({
  SchemaVersion: z.literal(2),
  Results: rows(
    z.object({
      Target: shortText,
      Secrets: rows(z.object({ RuleID: shortText, Severity: shortText.optional() })),
    }),
  ),
})

/** Reads the scanner's report on the planted secret file `path` (relative), as `readCanaryReport` does. */
export function readSecretCanary(text: string, path: string): CanarySighting {
  const report = readToolJson(text, secretShape, SOURCE)
  const secrets = report.Results.filter(row => row.Target === path).flatMap(row => row.Secrets)
  const row = secrets.find(secret => secret.RuleID === SECRET_PLANT.id)
  const reported = row === undefined ? null : severityOf(row.Severity)
  return { ...SECRET_PLANT, found: reported === SECRET_PLANT.severity, reported }
}

/** The facts for the record, and what is wrong with them, if anything is. */
export function judgeCanary(sightings: readonly CanarySighting[]): {
  readonly facts: CanaryFacts
  readonly problem?: GateError
} {
  const facts = {
    expected: sightings.map(({ id, purl, severity, found }) => ({ id, purl, severity, found })),
  }
  const problem = canaryProblem(sightings)
  return problem === undefined ? { facts } : { facts, problem }
}

/**
 * What is wrong with these sightings, if anything is: `canary-severity-changed` when all that was lost is a
 * severity, else `canary-not-found`. `where` says which answer of the scanner it was.
 */
export function canaryProblem(sightings: readonly CanarySighting[], where = ''): GateError | undefined {
  const lost = sightings.filter(sighting => !sighting.found)
  if (lost.length === 0) return undefined
  const lowered = lost.every(sighting => sighting.reported !== null)
  const names = lost.map(({ id, purl, severity, reported }) =>
    reported === null
      ? `${id} of ${purl} not reported`
      : `${id} of ${purl} reported as ${reported}, not ${severity}`,
  )
  return new GateError('evidence', {
    reason: lowered ? 'canary-severity-changed' : 'canary-not-found',
    message: `The scanner failed on packages that are known to be vulnerable${where}: ${names.join('; ')}. Its other answers prove nothing; check the scanner and the vulnerability database.`,
  })
}
