import { describe, expect, test } from '@jest/globals'
import { present } from '../../../src/evidence/known.js'
import { judge } from '../../../src/policy/evaluate.js'
import { purlParts } from '../../../src/policy/purl.js'
import type { Verdict } from '../../../src/policy/verdict.js'
import {
  AMD,
  gone,
  goodEvidence,
  imageId,
  NOW,
  platformWith,
  policyOf,
  sampleFinding,
  samplePlatform,
  sampleSecret,
} from './sample.js'

const evidence = goodEvidence({ platforms: [platformWith([sampleFinding()])] })

function verdictWith(
  scope: string,
  changes: { now?: Date; expires?: string; id?: string; of?: typeof evidence } = {},
): Verdict {
  const { now = NOW, expires = '2027-06-30', id = 'CVE-2018-18074' } = changes
  const policy = policyOf(
    `exceptions:\n  - {id: ${id}, ${scope}, owner: "@acme/api", reason: never called, created: 2026-11-01, expires: ${expires}}\n`,
  )
  return judge({ policy, evidence: changes.of ?? evidence, phases: ['image'], now })
}

describe('what an exception permits', () => {
  test.each([
    ['package: requests', true],
    ['package: "pkg:pypi/requests"', true],
    ['package: "pkg:pypi/Requests"', true],
    ['package: "pkg:pypi/requests@2.19.0"', true],
    ['package: "pkg:pypi/requests@2.19.1"', false],
    ['package: "pkg:pypi/request"', false],
    ['package: "pkg:pypi/requests-toolbelt"', false],
    ['package: "pkg:npm/requests"', false],
    ['package: "pkg:pypi"', false],
    ['package: reques', false],
    ['path: app/requests.dist-info/METADATA', true],
    ['path: /app/requests.dist-info/METADATA', true],
    ['path: app', false],
    ['package: requests, path: other/METADATA', false],
    ['package: urllib3, path: app/requests.dist-info/METADATA', false],
  ])('%s: %s', (scope, permitted) => {
    const verdict = verdictWith(scope)
    expect(verdict.outcome).toBe(permitted ? 'pass' : 'fail')
    expect(verdict.exceptions[0]?.state).toBe(permitted ? 'used' : 'unused')
  })

  test('an alias and another case of the id do', () => {
    expect(verdictWith('package: requests', { id: 'ghsa-x84v-xcm2-53pg' }).outcome).toBe('pass')
    expect(verdictWith('package: requests', { id: 'CVE-2018-18075' }).outcome).toBe('fail')
  })

  test('what is suppressed stays listed with owner, reason and end', () => {
    const [result] = verdictWith('package: requests').results
    expect(result?.violations).toEqual([])
    expect(result?.suppressed[0]).toMatchObject({
      violation: { advisory: 'CVE-2018-18074', severity: 'high' },
      exception: { owner: '@acme/api', reason: 'never called', expires: '2027-06-30' },
    })
  })

  test('of two versions only the named one', () => {
    const both = [sampleFinding(), sampleFinding({ version: '2.19.1', purl: 'pkg:pypi/requests@2.19.1' })]
    const of = goodEvidence({ platforms: [platformWith(both)] })
    const verdict = verdictWith('package: "pkg:pypi/requests@2.19.0"', { of })
    expect(verdict.outcome).toBe('fail')
    expect(verdict.results[0]?.violations.map(one => one.thing)).toEqual(['requests 2.19.1 (CVE-2018-18074)'])
    expect(verdict.results[0]?.suppressed).toHaveLength(1)
  })

  test('never a known exploited one', () => {
    const of = goodEvidence({ platforms: [platformWith([sampleFinding({ id: 'CVE-2021-44228' })])] })
    const verdict = verdictWith('package: requests', { of, id: 'CVE-2021-44228' })
    expect(verdict.outcome).toBe('fail')
    const states = Object.fromEntries(verdict.results.map(result => [result.rule, result.outcome]))
    expect(states).toMatchObject({ 'vulnerability.severity': 'pass', 'vulnerability.kev': 'fail' })
  })

  test('never a secret', () => {
    const secrets = present({ imageId: imageId(AMD), findings: [sampleSecret()] })
    const of = goodEvidence({ platforms: [samplePlatform(AMD, { secrets })] })
    expect(verdictWith('path: app/config.env', { of, id: 'github-pat' }).outcome).toBe('fail')
  })

  test('never missing evidence', () => {
    const of = goodEvidence({ platforms: [samplePlatform(AMD, { vulnerabilities: gone() })] })
    const verdict = verdictWith('package: requests', { of })
    expect(verdict.outcome).toBe('incomplete')
    expect(verdict.exceptions[0]).toMatchObject({ state: 'unused', detail: 'not judged in this run' })
  })
})

describe('until when', () => {
  test.each([
    ['2026-11-22T23:59:59.999Z', 'pass', 'expiring', 'ends on 2026-11-22, in 1 days; permits one finding'],
    ['2026-11-23T00:00:00Z', 'fail', 'expired', 'ended on 2026-11-22: permits nothing; remove or renew it'],
    ['2026-11-08T23:59:59Z', 'pass', 'used', 'permits one finding'],
    ['2026-11-09T00:00:00Z', 'pass', 'expiring', 'ends on 2026-11-22, in 14 days; permits one finding'],
  ])('at %s: %s, %s', (now, outcome, state, detail) => {
    const verdict = verdictWith('package: requests', {
      now: new Date(now),
      expires: '2026-11-22',
      of: fresh(now),
    })
    expect(verdict.outcome).toBe(outcome)
    expect(verdict.exceptions).toEqual([
      { id: 'CVE-2018-18074', owner: '@acme/api', expires: '2026-11-22', state, detail },
    ])
    const warned = verdict.warnings.some(warning =>
      warning.startsWith('Exception CVE-2018-18074 of @acme/api'),
    )
    expect(warned).toBe(state !== 'used')
  })

  test('an unused one is said', () => {
    const verdict = verdictWith('package: urllib3', { of: goodEvidence() })
    expect(verdict.outcome).toBe('pass')
    expect(verdict.warnings).toEqual([
      'Exception CVE-2018-18074 of @acme/api: permits nothing in this image; remove it.',
    ])
  })
})

test.each([
  ['pkg:deb/debian/libexpat1@2.5.0-1?arch=amd64&distro=debian-12', 'pkg:deb/debian/libexpat1', '2.5.0-1'],
  ['pkg:npm/%40babel/core@7.0.0', 'pkg:npm/@babel/core', '7.0.0'],
  ['pkg:npm/@babel/core@7.0.0', 'pkg:npm/@babel/core', '7.0.0'],
  ['pkg:npm/@babel/core', 'pkg:npm/@babel/core', ''],
  ['pkg:PyPI/Zope.Interface@5', 'pkg:pypi/zope-interface', '5'],
  ['pkg:golang/github.com/a/b@v1.0.0#sub', 'pkg:golang/github.com/a/b', 'v1.0.0'],
  ['not a purl', 'not a purl', ''],
  ['pkg:npm/%zz@1', 'pkg:npm/%zz', '1'],
])('purlParts %s', (purl, key, version) => {
  expect(purlParts(purl)).toMatchObject({ key, version })
})

/** The evidence with a database that is an hour old. */
function fresh(now: string): typeof evidence {
  const updatedAt = new Date(Date.parse(now) - 3_600_000).toISOString()
  return { ...evidence, database: present({ sha256: 'd'.repeat(64), size: 1, updatedAt, origin: 'folder' }) }
}
