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

/** Longest value that is handed out; the runner takes one megabyte. */
const MAX_VALUE = 200_000
const PLATFORM = /^[a-z0-9._-]{1,64}(?:\/[a-z0-9._-]{1,64}){1,2}$/
const TAG = /^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$/
const REASON = /^[a-z0-9][a-z0-9.-]{0,199}$/
const IMAGE = /^[A-Za-z0-9][A-Za-z0-9._:/-]{0,254}$/
const FILE = /^[A-Za-z0-9._@+/-]{1,1024}$/

/**
 * Values of all outputs. Only digests, numbers, JSON lists, validated names and our own words: what an image or a
 * tool says reaches a workflow expression only in the form these have; anything else is left out, or `unforeseen`.
 */
export function recordOutputs(record: RunRecord, reportDir: string): Readonly<Record<string, string>> {
  const files = (kind: string): string =>
    jsonList(
      record.files.filter(file => file.kind === kind && FILE.test(file.path)),
      file => join(reportDir, file.path),
    )
  const command = record.release.verifyCommand ?? ''
  return {
    verdict: record.outcome,
    reason: REASON.test(record.reason) ? record.reason : 'unforeseen',
    digest: record.subject?.digest ?? '',
    'image-ref': pushedReference(record),
    'image-id': record.imageId ?? '',
    platforms: jsonList(
      (record.subject?.platforms ?? []).filter(child => PLATFORM.test(child.platform)),
      child => child.platform,
    ),
    tags: jsonList(
      record.release.tags.filter(tag => TAG.test(tag.tag)),
      tag => tag.tag,
    ),
    violations: String(enforcedViolations(record)),
    ...Object.fromEntries(SEVERITIES.map(severity => [severity, String(record.counts[severity])])),
    record: join(reportDir, 'portcullis.json'),
    'report-dir': reportDir,
    'sbom-spdx': files('sbom-spdx'),
    'sbom-cyclonedx': files('sbom-cyclonedx'),
    bundles: files('bundle'),
    exceptions: String(record.verdict?.exceptions.filter(use => use.state === 'used').length ?? 0),
    'verify-command':
      /[\p{Cc}\p{Cf}\u2028\u2029]/u.test(command) || command.length > MAX_VALUE ? '' : command,
  }
}

/** The list as JSON, or as much of its beginning as one output may hold. */
function jsonList<T>(items: readonly T[], text: (item: T) => string): string {
  const kept: string[] = []
  let length = 2
  for (const item of items) {
    const value = text(item)
    length += JSON.stringify(value).length + 1
    if (length > MAX_VALUE) break
    kept.push(value)
  }
  return JSON.stringify(kept)
}

function pushedReference(record: RunRecord): string {
  const { state, digest } = record.release
  if (digest === undefined || (state !== 'pushed' && state !== 'released')) return ''
  return IMAGE.test(record.request.image) ? `${record.request.image}@${digest}` : ''
}

function enforcedViolations(record: RunRecord): number {
  const results = record.verdict?.results ?? []
  return results
    .filter(result => result.mode === 'enforce')
    .reduce((sum, result) => sum + result.violations.length, 0)
}
