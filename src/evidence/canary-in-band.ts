import { GateError } from '../errors.js'
import { readSbomRows, type SbomRow } from './canary.js'
import {
  type CanaryPlan,
  isOfSystem,
  isPlanted,
  type PlantedPackage,
  plantPurl,
  type ScannedSystem,
} from './canary-plan.js'
import type { DiffId } from './digest.js'
import { type Finding, SEVERITIES, type Severity, type VulnerabilityScan } from './scan.js'
import type { InBandSighting } from './tooling.js'

/** How one planted package came back out of the image's own scan. */
export type InBandReading = InBandSighting & { readonly reported: Severity | null }

export interface InBandAnswer {
  readonly readings: readonly InBandReading[]
  /** Kinds that nothing was proved of, each with the reason. */
  readonly notCovered: readonly string[]
}

// The family that Trivy 0.74.0 names where it recognised none.
const UNRECOGNISED = 'none'

interface Expected {
  readonly id: string
  readonly severity: Severity
  /** `exactly` where the scanner itself said so by another road. */
  readonly how: 'exactly' | 'at-least'
}

/**
 * Compares what the scan of the derived image reports for the canary layer with what the same scanner reports for
 * the same packages as an SBOM (`truth`, the text of its report), and with what is pinned. Every advisory must come
 * back, with the same severity. Refuses (GateError `integrity`, `canary-layer-foreign`) a report that puts anything
 * else into the canary's layer: it would be taken out with it.
 */
export function readInBand(
  plan: CanaryPlan,
  given: { readonly scan: VulnerabilityScan; readonly truth: string; readonly added: readonly DiffId[] },
  platform: string,
): InBandAnswer {
  const { scan, added } = given
  const inLayer = (row: { readonly layer?: DiffId }): boolean =>
    row.layer !== undefined && added.includes(row.layer)
  refuseForeign(plan, [...scan.packages.filter(inLayer), ...scan.findings.filter(inLayer)], platform)
  const truth = readSbomRows(given.truth)
  const found = scan.findings.filter(inLayer)
  const readings: InBandReading[] = []
  for (const plant of plan.packages) {
    const expected = expectedOf(plant, truth)
    if (expected.length > 0) readings.push(readingOf(plant, { expected, found, system: scan.os, platform }))
  }
  const unproved = plan.packages.filter(plant => !readings.some(one => one.ecosystem === plant.kind))
  const reasons = new Set([...plan.notCovered, ...unproved.map(plant => whyNot(plant, scan.os))])
  return { readings, notCovered: [...reasons].map(reason => `${platform}, ${reason}`) }
}

function refuseForeign(plan: CanaryPlan, rows: readonly { readonly purl: string }[], platform: string): void {
  const foreign = rows.find(row => !plan.packages.some(plant => isPlanted(row.purl, plant)))
  if (foreign === undefined) return
  throw new GateError('integrity', {
    reason: 'canary-layer-foreign',
    message: `The package report of Trivy for ${platform} says that ${foreign.purl} came with the layer of its canary, which does not hold it. Nothing is concluded from the report; check the tool.`,
  })
}

function expectedOf(plant: PlantedPackage, truth: readonly SbomRow[]): readonly Expected[] {
  const rows = truth.filter(row => isPlanted(row.purl, plant))
  const expected = rows.map(({ id, severity }): Expected => ({ id, severity, how: 'exactly' }))
  const { pinned } = plant
  return pinned === undefined ? expected : [{ ...pinned, how: 'at-least' }, ...expected]
}

function readingOf(
  plant: PlantedPackage,
  given: {
    readonly expected: readonly Expected[]
    readonly found: readonly Finding[]
    readonly system: ScannedSystem | undefined
    readonly platform: string
  },
): InBandReading {
  const own = given.found.filter(finding => isPlanted(finding.purl, plant))
  const rows = given.expected.map(expected => {
    const reported = own.find(finding => finding.id === expected.id)?.severity ?? null
    return { ...expected, reported, found: reported !== null && holds(expected, reported) }
  })
  const absent = rows.find(row => row.reported === null)
  const worst = [...rows].sort((a, b) => rank(a.severity) - rank(b.severity))[0]
  const row = absent ?? rows.find(one => !one.found) ?? worst
  if (row === undefined) throw new Error('a planted package without an expectation')
  const { id, severity, found, reported } = row
  const purl = plantPurl(plant, given.system)
  return { platform: given.platform, ecosystem: plant.kind, id, purl, severity, found, reported }
}

function holds(expected: Expected, reported: Severity): boolean {
  if (expected.how === 'exactly') return reported === expected.severity
  return rank(reported) <= rank(expected.severity)
}

function rank(severity: Severity): number {
  return SEVERITIES.indexOf(severity)
}

function whyNot(plant: PlantedPackage, system: ScannedSystem | undefined): string {
  if (isOfSystem(plant) && (system === undefined || system.family === UNRECOGNISED))
    return `${plant.kind}: the scanner recognised no operating system`
  const where = system === undefined ? '' : ` for ${system.family} ${system.name}`
  return `${plant.kind}: the database has no advisory${where} that a canary could be made of`
}

/** The scan of the image alone: without what came with the canary's layer, and bound to the image's own id. */
export function withoutCanaryRows(
  scan: VulnerabilityScan,
  given: { readonly added: readonly DiffId[]; readonly imageId: VulnerabilityScan['imageId'] },
): VulnerabilityScan {
  const own = (row: { readonly layer?: DiffId }): boolean =>
    row.layer === undefined || !given.added.includes(row.layer)
  return {
    ...scan,
    imageId: given.imageId,
    packages: scan.packages.filter(own),
    findings: scan.findings.filter(own),
  }
}
