import type { SbomDocument, SbomFormat } from '../../evidence/sbom.js'
import { defineRule } from '../rule.js'
import type { CheckResult, RuleContext } from '../rule.js'
import type { RuleId } from '../rule-ids.js'
import type { Violation } from '../verdict.js'
import { fingerprint } from '../violation.js'

const REQUIRED: readonly SbomFormat[] = ['spdx-2.3', 'cyclonedx-1.6']

export const sbomPresent = defineRule({
  id: 'sbom.present',
  title: 'An SBOM in SPDX and CycloneDX for each platform',
  why: 'Without a list of its packages nobody can say later whether an image is affected.',
  fix: 'Run the inspection again; if it stays, see which SBOM the message names.',
  severity: 'high',
  phase: 'image',
  needs: ['sboms'],
  controls: [
    'NIST SP 800-218 1.1 PS.3.2',
    'NIST CSF 2.0 ID.AM-02',
    'NTIA Minimum Elements 2021',
    'OWASP CI/CD Top 10 2022 CICD-SEC-3',
  ],
  check(given, context): CheckResult {
    let checked = 0
    const violations: Violation[] = []
    const unknown: string[] = []
    for (const { platform, sboms } of given.platforms) {
      checked += sboms.documents.length
      for (const format of REQUIRED) {
        const fault = faultOf(sboms.documents, format, sboms.packages.length)
        if (fault !== undefined) violations.push(sbomViolation('sbom.present', { platform, format, fault }))
      }
      const scanned = scannedPackages(context, platform)
      if (sboms.packages.length === 0 && scanned > 0) {
        unknown.push(`SBOMs of ${platform}: list no packages, but the scan lists ${String(scanned)}`)
      }
    }
    return { checked: Math.max(checked, violations.length), violations, unknown }
  },
})

export const sbomSubject = defineRule({
  id: 'sbom.subject',
  title: 'Each SBOM is about exactly this image',
  why: 'An SBOM of another image, or of another platform, explains nothing about this one.',
  fix: 'Make the SBOM from the image layout that is released.',
  severity: 'high',
  phase: 'image',
  needs: ['subject', 'sboms'],
  controls: ['NIST SP 800-218 1.1 PS.3.2', 'NTIA Minimum Elements 2021'],
  check(given): CheckResult {
    let checked = 0
    const violations: Violation[] = []
    const unknown: string[] = []
    for (const { platform, sboms } of given.platforms) {
      const manifest = given.subject.platforms.find(one => one.platform === platform)?.manifest.digest
      const named = sboms.documents.filter(document => document.subject !== undefined)
      checked += named.length
      if (named.length === 0) unknown.push(`SBOMs of ${platform}: none names the image it is about`)
      for (const { format, subject } of named) {
        if (subject === manifest) continue
        const fault = `is about ${subject ?? 'nothing'}, the image is ${manifest ?? 'not known'}`
        violations.push(sbomViolation('sbom.subject', { platform, format, fault }))
      }
    }
    return { checked, violations, unknown }
  },
})

function faultOf(
  documents: readonly SbomDocument[],
  format: SbomFormat,
  packages: number,
): string | undefined {
  const found = documents.filter(document => document.format === format)
  const [document] = found
  if (document === undefined) return 'is not there'
  if (found.length > 1) return `is there ${String(found.length)} times`
  if (document.size <= 0 || !/^[0-9a-f]{64}$/.test(document.sha256)) return 'is empty'
  if (document.packages === 0 && packages > 0) return `lists none of ${String(packages)} packages`
  return undefined
}

function scannedPackages(context: RuleContext, platform: string): number {
  const scan = context.evidence.platforms.find(one => one.platform === platform)?.vulnerabilities
  return scan?.state === 'present' ? scan.value.packages.length : 0
}

function sbomViolation(
  rule: RuleId,
  found: { readonly platform: string; readonly format: SbomFormat; readonly fault: string },
): Violation {
  return {
    rule,
    thing: `${found.format} of ${found.platform}`,
    platforms: [found.platform],
    severity: 'high',
    message: `The SBOM ${found.format} of ${found.platform} ${found.fault}`,
    fix: 'run the inspection of this image again',
    origin: 'unknown',
    fingerprint: fingerprint({ rule, advisory: `${found.format} ${found.platform}` }),
  }
}
