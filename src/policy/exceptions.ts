import { purlParts } from './purl.js'
import type { PurlParts } from './purl.js'
import type { PolicyException } from './schema.js'
import type { ExceptionUse, Suppressed, Violation } from './verdict.js'

const DAY = 86_400_000
const EXPIRING_DAYS = 14

export interface Sifted {
  readonly violations: readonly Violation[]
  readonly suppressed: readonly Suppressed[]
  /** How many violations each exception permitted, by its index in the policy. */
  readonly used: ReadonlyMap<number, number>
}

/**
 * Takes out the violations that an exception permits today. An exception permits one advisory (or an alias of
 * it) in one package or file; one without package and path permits nothing. It holds to the end of the day
 * `expires` in UTC. Where several fit, the first of the policy is named.
 */
export function applyExceptions(
  violations: readonly Violation[],
  exceptions: readonly PolicyException[],
  now: Date,
): Sifted {
  const byId = indexed(exceptions, now)
  const used = new Map<number, number>()
  const kept: Violation[] = []
  const suppressed: Suppressed[] = []
  for (const violation of violations) {
    const ids = [violation.advisory ?? '', ...(violation.aliases ?? [])]
    const candidates = ids.flatMap(id => byId.get(id.toUpperCase()) ?? [])
    const found = candidates.length === 0 ? undefined : firstThatPermits(candidates, violation)
    if (found === undefined) {
      kept.push(violation)
      continue
    }
    used.set(found.index, (used.get(found.index) ?? 0) + 1)
    const { id, owner, reason, expires } = found.exception
    suppressed.push({ violation, exception: { id, owner, reason, expires } })
  }
  return { violations: kept, suppressed, used }
}

/**
 * What became of each exception: expired before expiring before used or unused. `used: null` says that the
 * findings were not judged, so that nothing is known about use.
 */
export function exceptionUses(
  exceptions: readonly PolicyException[],
  used: ReadonlyMap<number, number> | null,
  now: Date,
): ExceptionUse[] {
  return exceptions.map((exception, index) => {
    const count = used?.get(index) ?? 0
    const daysLeft = Math.ceil((endOfDay(exception.expires) - now.getTime()) / DAY)
    const use = used === null ? 'not judged in this run' : useWords(count)
    const said = { id: exception.id, owner: exception.owner, expires: exception.expires }
    if (daysLeft <= 0) {
      return {
        ...said,
        state: 'expired',
        detail: `ended on ${exception.expires}: permits nothing; remove or renew it`,
      }
    }
    if (daysLeft <= EXPIRING_DAYS) {
      return {
        ...said,
        state: 'expiring',
        detail: `ends on ${exception.expires}, in ${String(daysLeft)} days; ${use}`,
      }
    }
    return { ...said, state: count > 0 ? 'used' : 'unused', detail: use }
  })
}

function useWords(count: number): string {
  if (count === 0) return 'permits nothing in this image; remove it'
  return count === 1 ? 'permits one finding' : `permits ${String(count)} findings`
}

/** An exception that holds now, with its package taken apart once. */
interface Permit {
  readonly index: number
  readonly exception: PolicyException
  readonly purl: PurlParts | null
}

/** The exceptions that hold now, by advisory id in upper case. */
function indexed(exceptions: readonly PolicyException[], now: Date): Map<string, Permit[]> {
  const byId = new Map<string, Permit[]>()
  exceptions.forEach((exception, index) => {
    if (!(now.getTime() < endOfDay(exception.expires))) return
    const id = exception.id.toUpperCase()
    const wanted = exception.package
    const purl = wanted !== undefined && /^pkg:/i.test(wanted) ? purlParts(wanted) : null
    const permits = byId.get(id)
    if (permits === undefined) byId.set(id, [{ index, exception, purl }])
    else permits.push({ index, exception, purl })
  })
  return byId
}

function firstThatPermits(candidates: readonly Permit[], violation: Violation): Permit | undefined {
  const have = violation.purl === undefined ? undefined : purlParts(violation.purl)
  return candidates
    .filter(permit => permits(permit, violation, have))
    .reduce<Permit | undefined>(
      (first, one) => (first !== undefined && first.index < one.index ? first : one),
      undefined,
    )
}

function permits(permit: Permit, violation: Violation, have: PurlParts | undefined): boolean {
  const { package: wanted, path } = permit.exception
  if (wanted === undefined && path === undefined) return false
  if (wanted !== undefined && (have === undefined || !fitsPackage(permit, wanted, have))) return false
  return path === undefined || path.replace(/^\/+/, '') === violation.imagePath
}

/** A purl fits the same package, with a version only that version; a bare name fits the package's name. */
function fitsPackage(permit: Permit, wanted: string, have: PurlParts): boolean {
  const want = permit.purl
  if (want === null) return wanted === have.name || wanted === have.fullName
  return want.key === have.key && (want.version === '' || want.version === have.version)
}

/** The first instant after a day YYYY-MM-DD in UTC. */
function endOfDay(day: string): number {
  return Date.parse(`${day}T00:00:00Z`) + DAY
}
