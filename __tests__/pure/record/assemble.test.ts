import type { Evidence } from '../../../src/evidence/evidence.js'
import { missing, notConfigured, present } from '../../../src/evidence/known.js'
import type { Finding, Severity } from '../../../src/evidence/scan.js'
import type { RuleResult } from '../../../src/policy/verdict.js'
import {
  countFindings,
  countPackages,
  countSecretSearch,
  endingOf,
  withReleasedResults,
  type Ending,
  type EndingFacts,
} from '../../../src/record/assemble.js'
import type { Problem } from '../../../src/record/record.js'
import {
  NOTHING_PUSHED,
  aFinding,
  aRelease,
  aResult,
  aVerdict,
  aViolation,
  digestOf,
} from '../../support/records.js'

const CODES = ['config', 'tool', 'integrity', 'evidence', 'service', 'defect', 'cancelled'] as const

function problem(code: Problem['code'], reason = `${code}-reason`): Problem {
  return { stage: 'inspect', code, reason, message: 'What failed, and what to do.' }
}

const PASSED = aVerdict()
const FAILED = aVerdict({ results: [aResult({ violations: [aFinding()] })] })
const AUDITED = aVerdict({ mode: 'audit', results: [aResult({ violations: [aFinding()] })] })
const UNDECIDED = aVerdict({ results: [aResult({ rule: 'database.age', unknown: ['no database'] })] })
const VERDICTS = { none: null, PASSED, FAILED, AUDITED, UNDECIDED }

function ending(facts: Partial<EndingFacts>): Ending {
  return endingOf({ verdict: PASSED, problems: [], release: NOTHING_PUSHED, ...facts })
}

function incomplete(reason: string, exitCode: Ending['exitCode'] = 3): Ending {
  return { outcome: 'incomplete', exitCode, reason }
}

describe('endingOf', () => {
  const fail = (exitCode: 0 | 1): Ending => {
    return { outcome: 'fail', exitCode, reason: 'vulnerability.severity' }
  }
  it.each<[string, Partial<EndingFacts>, Ending]>([
    ['a clean verdict', {}, { outcome: 'pass', exitCode: 0, reason: 'clean' }],
    ['a released image', { release: aRelease() }, { outcome: 'pass', exitCode: 0, reason: 'clean' }],
    [
      'a pass whose release was refused',
      { release: { ...NOTHING_PUSHED, state: 'refused' } },
      incomplete('release-refused'),
    ],
    ['a violation', { verdict: FAILED }, fail(1)],
    ['a violation in audit', { verdict: AUDITED }, fail(0)],
    ['an undecided rule', { verdict: UNDECIDED }, incomplete('database.age')],
    ['no verdict', { verdict: null }, incomplete('no-verdict')],
    ['no rules', { verdict: aVerdict({ results: [], outcome: 'pass' }) }, incomplete('no-rule-applied')],
    [
      'no rules, and a verdict that says so',
      { verdict: aVerdict({ results: [], outcome: 'incomplete' }) },
      incomplete('no-rule-applied'),
    ],
    [
      'only warnings',
      { verdict: aVerdict({ results: [aResult({ mode: 'warn' })] }) },
      incomplete('no-rule-applied'),
    ],
    [
      'only rules that do not apply',
      { verdict: aVerdict({ results: [aResult({ outcome: 'not-applicable', notApplicable: 'none' })] }) },
      incomplete('no-rule-applied'),
    ],
    ['no subject', { verdict: aVerdict({ subject: null }) }, incomplete('no-subject')],
    [
      'a release that failed without a problem',
      { release: aRelease({ state: 'failed' }) },
      incomplete('release-failed'),
    ],
    [
      'a violation and a release that failed',
      { verdict: AUDITED, release: aRelease({ state: 'failed' }) },
      incomplete('release-failed'),
    ],
    [
      'a verdict that calls a violation a pass',
      { verdict: aVerdict({ outcome: 'pass', results: [aResult({ violations: [aFinding()] })] }) },
      fail(1),
    ],
    [
      'a verdict that calls an undecided rule a pass',
      { verdict: aVerdict({ outcome: 'pass', results: [aResult({ unknown: ['why'] })] }) },
      incomplete('vulnerability.severity'),
    ],
    [
      'a verdict that calls an undecided rule a fail',
      {
        verdict: aVerdict({
          outcome: 'fail',
          results: [aResult({ violations: [aFinding()] }), aResult({ rule: 'kev', unknown: ['why'] })],
        }),
      },
      incomplete('kev'),
    ],
    ['SIGINT', { signal: 'SIGINT' }, incomplete('cancelled', 130)],
    ['SIGTERM', { signal: 'SIGTERM' }, incomplete('cancelled', 143)],
    [
      'SIGINT over configuration',
      { signal: 'SIGINT', problems: [problem('config')] },
      incomplete('cancelled', 130),
    ],
  ])('%s', (_, facts, expected) => {
    expect(ending(facts)).toEqual(expected)
  })

  it.each(
    CODES.flatMap(code =>
      Object.entries(VERDICTS).map(([name, verdict]) => {
        return { code, name, verdict }
      }),
    ),
  )('a $code problem outranks the verdict $name', ({ code, verdict }) => {
    const exitCode = code === 'config' ? 2 : 3
    const expected = incomplete(`${code}-reason`, exitCode)
    expect(ending({ verdict, problems: [problem(code)], release: aRelease() })).toEqual(expected)
  })

  it('names the first problem, and blames the configuration only when nothing else went wrong', () => {
    const problems = [problem('tool', 'first'), problem('service', 'second')]
    expect(ending({ problems })).toEqual(incomplete('first'))
    expect(ending({ problems: [...problems, problem('config')] })).toEqual(incomplete('first'))
    expect(ending({ problems: [problem('config')] })).toEqual(incomplete('config-reason', 2))
  })
})

describe('withReleasedResults', () => {
  const signed = aResult({ rule: 'sign.present', phase: 'released' })
  const unsigned = aResult({
    rule: 'sign.present',
    phase: 'released',
    violations: [aViolation({ rule: 'sign.present' })],
  })
  const unread = aResult({
    rule: 'sign.present',
    phase: 'released',
    unknown: ['the registry did not answer'],
  })
  const warned: RuleResult = { ...unsigned, mode: 'warn' }

  it.each([
    ['pass', PASSED, [signed], 'pass', false],
    ['pass, nothing released', PASSED, [], 'pass', false],
    ['pass, unsigned', PASSED, [unsigned], 'fail', true],
    ['pass, unread', PASSED, [unread], 'incomplete', true],
    ['pass, a warning', PASSED, [warned], 'pass', false],
    ['fail, signed', FAILED, [signed], 'fail', true],
    ['fail, unread', FAILED, [unread], 'incomplete', true],
    ['audit, signed', AUDITED, [signed], 'fail', false],
    ['audit, unsigned', AUDITED, [unsigned], 'fail', false],
    ['audit, unread', AUDITED, [unread], 'incomplete', true],
    ['incomplete, signed', UNDECIDED, [signed], 'incomplete', true],
    ['incomplete, unsigned', UNDECIDED, [unsigned], 'incomplete', true],
    ['unread and unsigned', PASSED, [unsigned, unread], 'incomplete', true],
  ] as const)('%s', (_, verdict, released, outcome, blocks) => {
    const joined = withReleasedResults(verdict, released)
    expect({ outcome: joined.outcome, blocks: joined.blocks }).toEqual({ outcome, blocks })
    expect(joined.results).toEqual([...verdict.results, ...released])
  })

  it('replaces released results, and keeps all others', () => {
    const before = withReleasedResults(PASSED, [unread])
    expect(withReleasedResults(PASSED, [signed]).results).toEqual([...PASSED.results, signed])
    expect(withReleasedResults(before, [signed]).results).toEqual([...PASSED.results, signed])
    expect(withReleasedResults(before, [signed]).outcome).toBe('incomplete')
  })
})

function finding(overrides: Partial<Finding>): Finding {
  return {
    id: 'CVE-1',
    aliases: [],
    purl: 'pkg:deb/debian/zlib1g@1.3?arch=amd64',
    package: 'zlib1g',
    version: '1.3',
    platform: 'linux/amd64',
    severity: 'high',
    status: 'affected',
    fixedIn: [],
    ...overrides,
  }
}

function evidence(platforms: readonly (readonly Finding[] | null)[]): Evidence {
  return {
    subject: notConfigured(),
    platforms: platforms.map((findings, at) => {
      const packages = (findings ?? []).map(({ purl, package: name, version }) => {
        return { purl, name, version, type: 'deb' }
      })
      return {
        platform: `linux/${at}`,
        contents: notConfigured(),
        vulnerabilities:
          findings === null
            ? missing('inspect', 'no report')
            : present({ imageId: digestOf('b'), packages, findings }),
        secrets: notConfigured(),
        sboms: notConfigured(),
        inventory: notConfigured(),
      }
    }),
    dockerfile: notConfigured(),
    tools: notConfigured(),
    isolation: notConfigured(),
    database: notConfigured(),
    canary: notConfigured(),
    kev: notConfigured(),
    released: notConfigured(),
  }
}

describe('counts', () => {
  const counts = (given: Partial<Record<Severity, number>>): Record<Severity, number> => {
    return { critical: 0, high: 0, medium: 0, low: 0, unknown: 0, ...given }
  }
  const arm = { purl: 'pkg:deb/debian/zlib1g@1.3?arch=arm64', platform: 'linux/arm64' }

  it.each([
    ['no evidence', null, {}, 0],
    ['no platforms', evidence([]), {}, 0],
    ['a missing scan', evidence([null]), {}, 0],
    ['one finding', evidence([[finding({})]]), { high: 1 }, 1],
    ['the same on two platforms', evidence([[finding({})], [finding(arm)]]), { high: 1 }, 1],
    [
      'the worse severity, whatever the order',
      evidence([[finding({ severity: 'low' })], [finding({ ...arm, severity: 'critical' })]]),
      { critical: 1 },
      1,
    ],
    [
      'the worse severity first',
      evidence([[finding({ severity: 'critical' })], [finding({ ...arm, severity: 'low' })]]),
      { critical: 1 },
      1,
    ],
    ['two advisories of a package', evidence([[finding({}), finding({ id: 'CVE-2' })]]), { high: 2 }, 1],
    [
      'two paths',
      evidence([[finding({ path: 'a' }), finding({ path: 'b', severity: 'unknown' })]]),
      { high: 1, unknown: 1 },
      1,
    ],
    ['one platform missing', evidence([[finding({})], null]), { high: 1 }, 1],
  ])('%s', (_, given, expected, packages) => {
    expect(countFindings(given)).toEqual(counts(expected))
    expect(countPackages(given)).toBe(packages)
  })
})

describe('what was searched for secrets', () => {
  const search = (searched: number | undefined, compressed: number) => ({
    imageId: digestOf('a'),
    findings: [],
    ...(searched !== undefined && { searched }),
    notSearched:
      compressed === 0 ? [] : [{ reason: 'compressed' as const, files: compressed, examples: ['a'] }],
  })
  const given = (...scans: readonly (ReturnType<typeof search> | null)[]): Evidence => {
    const one = evidence([[]])
    const [platform] = one.platforms
    if (platform === undefined) throw new Error('one platform was expected')
    const secretsOf = (scan: ReturnType<typeof search> | null) =>
      scan === null ? missing<never>('inspect', 'it failed') : present(scan)
    return { ...one, platforms: scans.map(scan => ({ ...platform, secrets: secretsOf(scan) })) }
  }

  it.each([
    ['one platform', given(search(3, 2)), { searched: 3, notSearched: [{ reason: 'compressed', files: 2 }] }],
    [
      'all platforms together',
      given(search(3, 2), search(4, 0)),
      { searched: 7, notSearched: [{ reason: 'compressed', files: 2 }] },
    ],
    ['a search that is missing', given(search(3, 0), null), undefined],
    ['a record that did not count', given(search(undefined, 0)), undefined],
    ['no platform', given(), undefined],
    ['nothing at all', null, undefined],
  ])('%s', (_, one, expected) => expect(countSecretSearch(one)).toEqual(expected))
})
