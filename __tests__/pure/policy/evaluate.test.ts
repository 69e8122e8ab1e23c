import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import type { Evidence, PlatformEvidence } from '../../../src/evidence/evidence.js'
import { present } from '../../../src/evidence/known.js'
import { SEVERITIES } from '../../../src/evidence/scan.js'
import { enforcedOutcome, judge } from '../../../src/policy/evaluate.js'
import { RULE_IDS } from '../../../src/policy/rule-ids.js'
import { RULES } from '../../../src/policy/rules/index.js'
import type { Outcome } from '../../../src/policy/verdict.js'
import {
  AMD,
  ARM,
  gone,
  goodEvidence,
  imageId,
  NOW,
  platformWith,
  policyOf,
  sampleConfig,
  sampleFinding,
  samplePlatform,
  sampleSecret,
  sampleSubject,
  verdictOf,
} from './sample.js'

const bad = goodEvidence({ platforms: [platformWith([sampleFinding()])] })
const RANK: Readonly<Record<Outcome, number>> = { pass: 0, fail: 1, incomplete: 2 }

describe('judge', () => {
  test('good evidence passes and does not block', () => {
    const verdict = verdictOf(goodEvidence())
    expect(verdict).toMatchObject({ outcome: 'pass', blocks: false, mode: 'enforce', warnings: [] })
    expect(verdict.decidedAt).toBe(NOW.toISOString())
    expect(verdict.subject?.digest).toBe(sampleSubject().digest)
    expect(verdict.policy.digest).toBe(policyOf().digest)
    expect(verdict.results.map(result => result.rule)).toEqual(RULE_IDS.filter(id => id !== 'sign.present'))
  })

  test('what no canary could prove in the image is a warning, and not more', () => {
    const expected = [{ id: 'CVE-1', purl: 'pkg:npm/a@1', severity: 'critical', found: true }]
    const inBand = expected.map(one => ({ ...one, platform: AMD, ecosystem: 'npm' }))
    const canary = present({ expected, inBand, notCovered: [`${AMD}, rpm: nothing can be added`] })
    expect(verdictOf(goodEvidence({ canary }))).toMatchObject({
      outcome: 'pass',
      warnings: [`Not proved by a canary in the image: ${AMD}, rpm: nothing can be added.`],
    })
  })

  test('a violation of an enforced rule fails and blocks', () => {
    expect(verdictOf(bad)).toMatchObject({ outcome: 'fail', blocks: true })
  })

  test('what cannot be known outranks what fails', () => {
    const evidence = { ...bad, canary: gone<never>() }
    expect(verdictOf(evidence)).toMatchObject({ outcome: 'incomplete', blocks: true })
  })

  test('a warning rule neither fails nor makes incomplete', () => {
    expect(verdictOf(goodEvidence({ dockerfile: gone() })).outcome).toBe('pass')
    const root = present(sampleSubject([AMD], sampleConfig({ user: '' })))
    expect(verdictOf(goodEvidence({ subject: root })).outcome).toBe('pass')
    const enforced = policyOf('rules: {user.nonroot: {mode: enforce}, image.pin: {mode: enforce}}\n')
    expect(verdictOf(goodEvidence({ subject: root }), enforced).outcome).toBe('fail')
    expect(verdictOf(goodEvidence({ dockerfile: gone() }), enforced).outcome).toBe('incomplete')
  })

  test('audit keeps the outcome and does not block, but incomplete blocks', () => {
    const audit = policyOf('mode: audit\n')
    const verdict = verdictOf(bad, audit)
    expect(verdict).toMatchObject({ outcome: 'fail', blocks: false, mode: 'audit' })
    expect(verdict.warnings).toContain(
      'The policy is in mode audit: this would have failed, and it does not block.',
    )
    expect(verdictOf(goodEvidence({ canary: gone() }), audit)).toMatchObject({
      outcome: 'incomplete',
      blocks: true,
    })
  })

  test.each([
    ['no subject', goodEvidence({ subject: gone() })],
    ['subject not configured', goodEvidence({ subject: { state: 'not-configured' } })],
    [
      'no platforms',
      goodEvidence({ subject: present({ ...sampleSubject(), platforms: [] }), platforms: [] }),
    ],
  ])('%s is never a pass, whatever the rules', (_, evidence) => {
    const off = RULE_IDS.map(id => `  ${id}: {mode: off, reason: test}`).join('\n')
    expect(verdictOf(evidence).outcome).toBe('incomplete')
    expect(verdictOf(evidence, policyOf(`rules:\n${off}\n`)).outcome).toBe('incomplete')
  })

  test('no enforced rule that applies is never a pass', () => {
    const off = RULE_IDS.map(id => `  ${id}: {mode: off, reason: test}`).join('\n')
    const verdict = verdictOf(goodEvidence(), policyOf(`rules:\n${off}\n`))
    expect(verdict).toMatchObject({ outcome: 'incomplete', blocks: true })
    expect(verdict.warnings).toEqual(['No enforced rule applies, so nothing was decided.'])
    expect(verdictOf(goodEvidence(), policyOf(), ['released']).outcome).toBe('incomplete')
    expect(verdictOf(goodEvidence(), policyOf(), []).outcome).toBe('incomplete')
  })

  test('phase source alone stops only by its enforced rules', () => {
    const pinned = policyOf('rules: {image.pin: {mode: enforce}}\n')
    const sources: Evidence = { ...goodEvidence(), subject: { state: 'not-configured' }, platforms: [] }
    expect(verdictOf(sources, pinned, ['source']).outcome).toBe('pass')
    expect(enforcedOutcome(verdictOf(sources, policyOf(), ['source']).results)).toBeNull()
    const lost = verdictOf({ ...sources, dockerfile: gone() }, pinned, ['source'])
    expect(enforcedOutcome(lost.results)).toBe('incomplete')
  })

  test('an old list of exploited vulnerabilities is a warning with its date, no change of outcome', () => {
    const kev = present({
      version: '2025.08.25',
      date: '2025-08-25',
      entries: { 'CVE-2021-44228': '2021-12-10' },
    })
    const verdict = verdictOf(goodEvidence({ kev }))
    expect(verdict.outcome).toBe('pass')
    expect(verdict.warnings).toEqual([
      'The list of known exploited vulnerabilities is of 2025-08-25, 454 days old; newer entries are not known to this verdict.',
    ])
  })

  test('the same input gives the same verdict', () => {
    expect(JSON.stringify(verdictOf(bad))).toBe(JSON.stringify(verdictOf(bad)))
  })
})

describe('properties', () => {
  const finding = fc.record({
    severity: fc.constantFrom(...SEVERITIES),
    id: fc.constantFrom('CVE-1', 'CVE-2021-44228', 'CVE-3'),
    fixedIn: fc.constantFrom([], ['9.9']),
    status: fc.constantFrom('fixed', 'affected', 'unknown'),
    published: fc.constantFrom('', '2018-01-01T00:00:00Z', '2026-11-21T00:00:00Z'),
  })

  test('one more finding never improves the outcome', () => {
    fc.assert(
      fc.property(fc.array(finding, { maxLength: 4 }), finding, (list, more) => {
        const before = list.map(changes => sampleFinding(changes))
        const after = [...before, sampleFinding(more)]
        const outcomes = [before, after].map(
          findings => verdictOf(goodEvidence({ platforms: [platformWith(findings)] })).outcome,
        )
        expect(RANK[outcomes[1] ?? 'pass']).toBeGreaterThanOrEqual(RANK[outcomes[0] ?? 'incomplete'])
      }),
      { numRuns: 200 },
    )
  })

  test('one more secret never improves the outcome', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom('app/a', 'usr/bin/python3'), { maxLength: 3 }), paths => {
        const secrets = { imageId: imageId(AMD), findings: paths.map(path => sampleSecret({ path })) }
        const { outcome } = verdictOf(
          goodEvidence({ platforms: [samplePlatform(AMD, { secrets: present(secrets) })] }),
        )
        expect(outcome).toBe(paths.includes('app/a') ? 'fail' : 'pass')
      }),
    )
  })

  const kinds = ['subject', 'tools', 'database', 'canary', 'kev'] as const
  const perPlatform = ['contents', 'vulnerabilities', 'secrets', 'sboms'] as const
  const states = [gone<never>(), { state: 'not-configured' } as const]

  test('evidence that is missing or was never collected never passes', () => {
    fc.assert(
      fc.property(
        fc.subarray([...kinds]),
        fc.subarray([...perPlatform]),
        fc.constantFrom(AMD, ARM),
        fc.constantFrom(...states),
        (image, platform, where, state) => {
          const lost = (one: string): PlatformEvidence => {
            const changes = one === where ? platform.map(kind => [kind, state]) : []
            return samplePlatform(one, Object.fromEntries(changes) as Partial<PlatformEvidence>)
          }
          const evidence: Evidence = {
            ...goodEvidence({
              subject: present(sampleSubject([AMD, ARM])),
              platforms: [lost(AMD), lost(ARM)],
            }),
            ...(Object.fromEntries(image.map(kind => [kind, state])) as Partial<Evidence>),
          }
          const whole = image.length + platform.length === 0
          expect(verdictOf(evidence).outcome).toBe(whole ? 'pass' : 'incomplete')
        },
      ),
      { numRuns: 300 },
    )
  })

  test('each kind of evidence that an enforced rule needs makes just the rules that need it unknown', () => {
    for (const kind of [...kinds, ...perPlatform]) {
      const evidence = perPlatform.some(one => one === kind)
        ? goodEvidence({ platforms: [samplePlatform(AMD, { [kind]: gone() })] })
        : goodEvidence({ [kind]: gone() })
      for (const result of verdictOf(evidence).results) {
        const rule = RULES.find(one => one.id === result.rule)
        const needsIt = rule?.needs.some(need => need === kind) === true
        const needsPlatforms = rule?.needs.some(need => perPlatform.some(one => one === need)) === true
        const touched = needsIt || (kind === 'subject' && needsPlatforms)
        expect([result.rule, kind, result.outcome === 'unknown']).toEqual([result.rule, kind, touched])
      }
    }
  })
})

test('20,000 findings of two platforms and 500 exceptions are judged', () => {
  const findings = Array.from({ length: 10_000 }, (_, index) =>
    sampleFinding({
      id: `CVE-2020-${index % 20}`,
      purl: `pkg:deb/debian/lib${Math.floor(index / 20)}@1?arch=amd64`,
    }),
  )
  const exceptions = Array.from(
    { length: 500 },
    (_, index) =>
      `  - {id: CVE-2020-${index % 20}, package: "pkg:deb/debian/lib${index}", owner: o, reason: r, created: 2026-11-01, expires: 2027-01-01}`,
  )
  const policy = policyOf(`exceptions:\n${exceptions.join('\n')}\n`)
  const evidence = goodEvidence({
    subject: present(sampleSubject([AMD, ARM])),
    platforms: [
      platformWith(findings),
      platformWith(
        findings.map(one => ({ ...one, platform: ARM })),
        ARM,
      ),
    ],
  })
  const [result] = judge({ policy, evidence, phases: ['image'], now: NOW }).results
  expect(result?.suppressed).toHaveLength(500)
  expect(result?.violations).toHaveLength(9_500)
})
