import type { Finding } from '../../evidence/scan.js'
import type { Present } from '../needs.js'
import type { RuleContext } from '../rule.js'

/** What the vulnerability rules look at: the findings, and whether looking was worth something. */
export interface Scanned {
  readonly packages: number
  readonly findings: readonly Finding[]
  /** Platforms whose empty scan cannot be believed. */
  readonly unknown: readonly string[]
  /** Why there was nothing to look at, when that is certain for every platform. */
  readonly empty: string
}

/**
 * Collects the package scans of all platforms. A scan without packages is believed only where Syft lists none
 * either, no operating system was recognised, and every executable, if any, is listed as unexplained.
 */
export function collectScans(given: Present<'vulnerabilities' | 'contents'>, context: RuleContext): Scanned {
  const unknown: string[] = []
  let packages = 0
  let executables = 0
  for (const one of given.platforms) {
    packages += one.vulnerabilities.packages.length
    executables += one.contents.executables
    if (one.vulnerabilities.packages.length === 0) unknown.push(...doubts(one, context))
    const strangers = one.vulnerabilities.findings.filter(finding => finding.platform !== one.platform)
    if (strangers.length > 0) unknown.push(`vulnerability scan of ${one.platform}: names another platform`)
  }
  const empty =
    executables === 0
      ? 'the image has no packages and no executables'
      : `the image has no packages; its ${String(executables)} executables are listed by inventory.unexplained`
  return { packages, findings: given.platforms.flatMap(one => one.vulnerabilities.findings), unknown, empty }
}

function doubts(
  one: Present<'vulnerabilities' | 'contents'>['platforms'][number],
  context: RuleContext,
): string[] {
  const scan = `vulnerability scan of ${one.platform}`
  const said: string[] = []
  if (one.vulnerabilities.findings.length > 0) said.push(`${scan}: has findings but no packages`)
  const os = one.vulnerabilities.os
  if (os !== undefined && os.family !== '' && os.family !== 'none')
    said.push(`${scan}: recognised ${os.family} ${os.name} but lists no packages`)
  const sboms = context.evidence.platforms.find(other => other.platform === one.platform)?.sboms
  if (sboms?.state !== 'present') said.push(`${scan}: lists no packages, and no SBOM says the same`)
  else if (sboms.value.packages.length > 0) {
    said.push(`${scan}: lists no packages, but the SBOM lists ${String(sboms.value.packages.length)}`)
  }
  if (one.contents.executables > 0 && one.contents.unexplained.length === 0) {
    said.push(
      `${scan}: lists no packages, but ${String(one.contents.executables)} executables belong to some`,
    )
  }
  return said
}
