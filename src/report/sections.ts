import type { RunRecord } from '../record/record.js'
import type { Suppressed, Tolerated, Violation } from '../policy/verdict.js'

/** Everything a rule saw and did not count, of all rules. */
export function toleratedOf(record: RunRecord): readonly Tolerated[] {
  return (record.verdict?.results ?? []).flatMap(result => result.tolerated)
}

/** Violations that an exception permits. */
export function suppressedOf(record: RunRecord): readonly Suppressed[] {
  return (record.verdict?.results ?? []).flatMap(result => result.suppressed)
}

/** Where a violation comes from, in words: the source line, the path in the image, the platforms. */
export function whereOf(violation: Violation, platforms: number): readonly string[] {
  const { location, imagePath } = violation
  return [
    ...(location ? [`${location.file}:${location.line}`] : []),
    ...(imagePath === undefined ? [] : [imagePath]),
    ...(violation.origin === 'base' ? ['base image'] : []),
    ...(platforms > 1 ? [violation.platforms.join(', ')] : []),
  ]
}

/** `12 have no fix yet`, `1 within its grace`, … for what did not count. */
export function toleratedWords(tolerated: readonly Tolerated[]): readonly string[] {
  const count = (why: Tolerated['why']): number => tolerated.filter(item => item.why === why).length
  const words: readonly (readonly [number, string])[] = [
    [count('unfixable'), 'without a fix yet'],
    [count('grace'), 'within the grace after publication'],
    [count('below-threshold'), 'below the threshold'],
  ]
  return words.filter(([number]) => number > 0).map(([number, text]) => `${number} ${text}`)
}

/** Bytes as a person reads them. */
export function size(bytes: number): string {
  if (bytes < 1000) return `${bytes} B`
  const units = ['kB', 'MB', 'GB', 'TB']
  let value = bytes / 1000
  let unit = 0
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000
    unit += 1
  }
  return `${value.toFixed(1)} ${units[unit] ?? 'TB'}`
}

/** Milliseconds as seconds with one digit. */
export function seconds(milliseconds: number): string {
  return `${(milliseconds / 1000).toFixed(1)} s`
}

/** The chain of custody: pairs of what and value, every value a digest, date, count or our own word. */
export function custody(record: RunRecord): readonly (readonly [string, string])[] {
  const { subject, release, verdict, database } = record
  return [
    ...(subject ? [['Judged digest', subject.digest] as const] : []),
    ...(record.imageId ? [['Image id', record.imageId] as const] : []),
    ...(release.digest ? [['Pushed digest', release.digest] as const] : []),
    ...(release.served
      ? [
          [
            'Read back',
            `${release.served.objects} objects, ${size(release.served.bytes)}, every hash equal`,
          ] as const,
        ]
      : []),
    ...(release.bundles.length > 0
      ? [['Signed and verified', `${release.bundles.length} statements, twice each`] as const]
      : []),
    ...(release.signer ? [['Signer key', `sha256:${release.signer}`] as const] : []),
    ...(verdict
      ? [
          [
            'Policy',
            `${verdict.policy.origin}, sha256:${verdict.policy.digest.replace('sha256:', '')}`,
          ] as const,
        ]
      : []),
    ...(record.evidence
      ? [['Evidence', `${record.evidence.path}, sha256:${record.evidence.sha256}`] as const]
      : []),
    ...(database ? [['Advisories', `${database.updatedAt}, sha256:${database.sha256}`] as const] : []),
    ['Scanners ran as', isolationWords(record.isolation)] as const,
  ]
}

function isolationWords(isolation: RunRecord['isolation']): string {
  switch (isolation) {
    case 'other-user':
      return 'another user, without network, in own process and mount namespaces'
    case 'user-namespace':
      return 'in a user namespace, without network'
    case 'bubblewrap':
      return 'in bubblewrap, without network'
    case 'none':
      return 'not confined'
    case null:
      return 'did not run'
  }
}
