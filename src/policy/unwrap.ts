import type { Evidence, PlatformEvidence } from '../evidence/evidence.js'
import type { Known } from '../evidence/known.js'
import type { ImageSubject } from '../evidence/subject.js'
import type { Need, PlatformNeed, Present } from './needs.js'

/** The needed evidence, or why it is not there. */
export type Unwrapped<K extends Need> =
  | { readonly state: 'present'; readonly value: Present<K> }
  | { readonly state: 'unmet'; readonly why: readonly string[] }
  | { readonly state: 'not-applicable'; readonly why: string }

const WORDS: Readonly<Record<Need, string>> = {
  subject: 'image',
  dockerfile: 'Dockerfile',
  tools: 'list of tools',
  isolation: 'confinement of the scanners',
  database: 'vulnerability database',
  canary: 'canary of the scanner',
  kev: 'list of known exploited vulnerabilities',
  released: 'released image',
  contents: 'contents of the image',
  vulnerabilities: 'vulnerability scan',
  secrets: 'secret scan',
  sboms: 'SBOMs',
  inventory: 'comparison of inventories',
}

/** What nobody may have asked for. Every other kind belongs to each judgement: without it nothing is known. */
const OPTIONAL: ReadonlySet<Need> = new Set<Need>(['dockerfile', 'released', 'isolation', 'inventory'])
const PER_PLATFORM: ReadonlySet<Need> = new Set<Need>([
  'contents',
  'vulnerabilities',
  'secrets',
  'sboms',
  'inventory',
])

/**
 * Takes the evidence that a rule needs out of its `Known`. Missing evidence is unmet, with its reason and
 * platform. Evidence never asked for makes a rule not applicable where that is possible (Dockerfile, release),
 * else it is unmet too. Each platform of the subject must have its evidence exactly once, and a scan must be
 * bound to the configuration digest of its platform.
 */
export function unwrap<K extends Need>(evidence: Evidence, needs: readonly K[]): Unwrapped<K> {
  const unmet: string[] = []
  const absent: string[] = []
  const image: Record<string, unknown> = {}
  const names: readonly Need[] = needs
  for (const need of names) {
    if (!isPlatformNeed(need)) image[need] = take(evidence[need], need, { unmet, absent })
  }
  const platformNeeds = names.filter(isPlatformNeed)
  const platforms =
    platformNeeds.length === 0 ? [] : takePlatforms(evidence, platformNeeds, { unmet, absent })
  const first = absent[0]
  if (unmet.length > 0) return { state: 'unmet', why: unmet }
  if (first !== undefined) return { state: 'not-applicable', why: first }
  // The loop above put a present value under every name of K; the compiler cannot follow it there.
  return { state: 'present', value: { ...image, platforms } as unknown as Present<K> }
}

interface Gaps {
  readonly unmet: string[]
  readonly absent: string[]
}

function take(known: Known<unknown>, need: Need, gaps: Gaps, platform?: string): unknown {
  const where = platform === undefined ? '' : ` of ${platform}`
  if (known.state === 'present') return known.value
  if (known.state === 'missing') gaps.unmet.push(`${WORDS[need]}${where}: ${known.why}`)
  else if (OPTIONAL.has(need)) gaps.absent.push(`no ${WORDS[need]}${where} to look at`)
  else gaps.unmet.push(`${WORDS[need]}${where}: was never collected`)
  return undefined
}

function takePlatforms(
  evidence: Evidence,
  needs: readonly PlatformNeed[],
  gaps: Gaps,
): Record<string, unknown>[] {
  if (evidence.subject.state !== 'present') {
    take(evidence.subject, 'subject', gaps)
    return []
  }
  const subject = evidence.subject.value
  if (subject.platforms.length === 0) gaps.unmet.push('the image has no platform')
  for (const { platform } of evidence.platforms) {
    const known = subject.platforms.some(child => child.platform === platform)
    if (!known) gaps.unmet.push(`there is evidence of ${platform}, which the image does not have`)
  }
  return subject.platforms.map(child => {
    const found = evidence.platforms.filter(one => one.platform === child.platform)
    const [only] = found
    if (only === undefined || found.length > 1) {
      gaps.unmet.push(`evidence of ${child.platform}: expected once, found ${String(found.length)} times`)
      return {}
    }
    refuseOtherImage(only, subject, { needs, gaps })
    const taken = needs.map((need): [string, unknown] => [need, take(only[need], need, gaps, only.platform)])
    return { platform: only.platform, ...Object.fromEntries(taken) }
  })
}

/** A scan of another image is no evidence about this one. */
function refuseOtherImage(
  one: PlatformEvidence,
  subject: ImageSubject,
  asked: { readonly needs: readonly PlatformNeed[]; readonly gaps: Gaps },
): void {
  const expected = subject.platforms.find(child => child.platform === one.platform)?.configDigest
  for (const need of ['vulnerabilities', 'secrets'] as const) {
    const known = one[need]
    if (!asked.needs.includes(need) || known.state !== 'present' || known.value.imageId === expected) continue
    asked.gaps.unmet.push(
      `${WORDS[need]} of ${one.platform}: is about another image (${known.value.imageId})`,
    )
  }
}

function isPlatformNeed(need: Need): need is PlatformNeed {
  return PER_PLATFORM.has(need)
}
