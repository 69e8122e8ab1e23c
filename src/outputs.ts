import { join } from 'node:path'
import { SEVERITIES } from './evidence/scan.js'
import type { RunRecord } from './record/record.js'

/** Outputs in the order of the README, each with its line of documentation. */
export const OUTPUTS: Readonly<Record<string, string>> = {
  verdict: 'pass, fail or incomplete.',
  reason: 'Stable word for the outcome: clean, a rule id, or what went wrong.',
  digest: 'Digest of the image that was judged (index or manifest).',
  'image-ref': 'Reference by digest of the image that was pushed; empty when nothing was pushed.',
  'image-id': 'Digest of the image configuration.',
  platforms: 'JSON list of the platforms that were judged.',
  tags: 'JSON list of the tags that were set or kept.',
  violations: 'Number of violations of enforced rules.',
  critical: 'Number of critical findings.',
  high: 'Number of high findings.',
  medium: 'Number of medium findings.',
  low: 'Number of low findings.',
  unknown: 'Number of findings without a severity.',
  record: 'Path of portcullis.json.',
  'report-dir': 'Path of the folder with all reports.',
  'sbom-spdx': 'JSON list of the SPDX files.',
  'sbom-cyclonedx': 'JSON list of the CycloneDX files.',
  bundles: 'JSON list of the bundles that were attached.',
  exceptions: 'Number of policy exceptions that were used.',
  'verify-command':
    'Command with which anyone can verify the released image; empty when nothing was released.',
}

/**
 * Values of all outputs. Only digests, numbers, JSON, validated references and our own words:
 * no string of the image or of a tool can reach a workflow expression.
 */
export function recordOutputs(record: RunRecord, reportDir: string): Readonly<Record<string, string>> {
  const files = (kind: string): string =>
    JSON.stringify(record.files.filter(file => file.kind === kind).map(file => join(reportDir, file.path)))
  const pushed = record.release.state === 'pushed' || record.release.state === 'released'
  return {
    verdict: record.outcome,
    reason: record.reason,
    digest: record.subject?.digest ?? '',
    'image-ref': pushed && record.release.digest ? `${record.request.image}@${record.release.digest}` : '',
    'image-id': record.imageId ?? '',
    platforms: JSON.stringify(record.subject?.platforms.map(child => child.platform) ?? []),
    tags: JSON.stringify(record.release.tags.map(tag => tag.tag)),
    violations: String(enforcedViolations(record)),
    ...Object.fromEntries(SEVERITIES.map(severity => [severity, String(record.counts[severity])])),
    record: join(reportDir, 'portcullis.json'),
    'report-dir': reportDir,
    'sbom-spdx': files('sbom-spdx'),
    'sbom-cyclonedx': files('sbom-cyclonedx'),
    bundles: files('bundle'),
    exceptions: String(record.verdict?.exceptions.filter(use => use.state === 'used').length ?? 0),
    'verify-command': record.release.verifyCommand ?? '',
  }
}

function enforcedViolations(record: RunRecord): number {
  const results = record.verdict?.results ?? []
  return results
    .filter(result => result.mode === 'enforce')
    .reduce((sum, result) => sum + result.violations.length, 0)
}
