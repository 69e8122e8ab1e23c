import { describe, expect, test } from '@jest/globals'
import { present } from '../../../src/evidence/known.js'
import { RULE_IDS } from '../../../src/policy/rule-ids.js'
import { RULES } from '../../../src/policy/rules/index.js'
import { rootFault } from '../../../src/policy/rules/user.js'
import {
  AMD,
  ARM,
  gone,
  goodEvidence,
  LAYER,
  platformWith,
  policyOf,
  resultOf,
  sampleContents,
  sampleFinding,
  samplePlatform,
  sampleSubject,
} from './sample.js'

import { LAYER_TABLE } from './rule-table-layers.js'
import { days, scanOf, TABLE } from './rule-table.js'

/** Rules that answer only with unknown when something is wrong. */
const NEVER_FAIL: readonly string[] = ['scanner.canary', 'database.age', 'layer.wellformed', 'inventory.os']

describe.each(RULES.map(rule => [rule.id, rule] as const))('%s', (id, rule) => {
  test.each(TABLE[id].map(row => [row[0], row[1], row[2], row[3] ?? ''] as const))(
    '%s: %s',
    (_, outcome, evidence, words) => {
      const result = resultOf(id, evidence)
      expect(result.outcome).toBe(outcome)
      if (words !== '') expect(result.unknown.join('\n')).toContain(words)
      if (outcome === 'unknown') expect(result.unknown.length).toBeGreaterThan(0)
      if (outcome === 'pass') expect(result.checked).toBeGreaterThan(0)
      for (const violation of result.violations) {
        expect(violation.fingerprint).toMatch(/^[0-9a-f]{64}$/)
        expect(violation.rule).toBe(id)
        expect(violation.message).not.toBe('')
      }
    },
  )

  test('its table has a pass and what breaks it', () => {
    const outcomes = new Set(TABLE[id].map(row => row[1]))
    expect(outcomes).toContain('pass')
    expect(outcomes).toContain('unknown')
    expect(outcomes.has('fail') || NEVER_FAIL.includes(id)).toBe(true)
  })

  test('has a card', () => {
    expect(RULE_IDS).toContain(id)
    expect(rule.controls.length).toBeGreaterThan(0)
    expect(rule.controls.every(control => /\d|Pod Security|D\d\d/.test(control))).toBe(true)
    expect(Math.min(rule.title.length, rule.why.length, rule.fix.length)).toBeGreaterThan(10)
  })

  test('turned off it is not judged', () => {
    const off = policyOf(`rules: {${id}: {mode: off, reason: test}}\n`)
    expect(resultOf(id, goodEvidence({ subject: gone() }), off)).toMatchObject({ outcome: 'off', checked: 0 })
  })
})

describe('the budget of inventory.unexplained', () => {
  const file = (path: string, setuid = false) => ({ path, size: 1, setuid, layer: LAYER })
  const unexplained = [file('a'), file('b')]
  const within = policyOf('inventory: {unexplained: {max: 2}}\n')
  const judged = (files: typeof unexplained, policy = within) =>
    resultOf(
      'inventory.unexplained',
      goodEvidence({
        platforms: [
          samplePlatform(AMD, { contents: present(sampleContents({ executables: 9, unexplained: files })) }),
        ],
      }),
      policy,
    )

  test('what is within it is listed and does not count', () => {
    expect(judged(unexplained)).toMatchObject({
      ...{ outcome: 'pass', checked: 9, violations: [] },
      tolerated: [
        { thing: 'a', why: 'within-budget' },
        { thing: 'b', why: 'within-budget' },
      ],
    })
  })

  test('one more, and all of them count', () => {
    expect(judged([...unexplained, file('c')]).violations.map(one => one.thing)).toEqual(['a', 'b', 'c'])
  })

  test('a setuid one counts always', () => {
    expect(judged([file('a'), file('b', true)]).violations.map(one => one.thing)).toEqual(['b'])
  })

  test('none is the default', () => {
    expect(judged([file('a')], policyOf()).outcome).toBe('fail')
  })
})

test('label.required without labels does not apply', () => {
  expect(resultOf('label.required', goodEvidence(), policyOf('image: {required_labels: []}\n')).outcome).toBe(
    'not-applicable',
  )
})

test.each([
  ['', true],
  ['0', true],
  ['00', true],
  ['+0', true],
  ['-0', true],
  ['0:10001', true],
  ['root', true],
  ['toor', true],
  ['1000', true],
  ['-1', true],
  ['4294967296', true],
  ['ghost', true],
  ['10001', false],
  ['65532:65532', false],
  ['app', false],
])('rootFault %j: %s', (user, fault) => {
  const users = [
    { name: 'root', uid: 0 },
    { name: 'toor', uid: 0 },
    { name: '1000', uid: 0 },
    { name: 'app', uid: 10001 },
  ]
  expect(rootFault(user, users) !== undefined).toBe(fault)
})

test('a finding names package, fix, place in the Dockerfile and origin', () => {
  const [violation] = resultOf('vulnerability.severity', scanOf([sampleFinding()])).violations
  expect(violation).toMatchObject({
    thing: 'requests 2.19.0 (CVE-2018-18074)',
    message: 'requests 2.19.0 has CVE-2018-18074 (high), fixed in 2.20.0',
    fix: 'requests>=2.20.0',
    location: { file: 'Dockerfile', line: 4 },
    origin: 'own',
    imagePath: 'app/requests.dist-info/METADATA',
    severity: 'high',
  })
})

test('the same finding on two platforms and in two versions is one violation', () => {
  const finding = sampleFinding()
  const newer = sampleFinding({ platform: ARM, version: '2.19.1', purl: 'pkg:pypi/Requests@2.19.1?x=y' })
  const evidence = goodEvidence({
    subject: present(sampleSubject([AMD, ARM])),
    platforms: [platformWith([finding]), platformWith([newer], ARM)],
  })
  const { violations } = resultOf('vulnerability.severity', evidence)
  expect(violations).toHaveLength(1)
  expect(violations[0]?.platforms).toEqual([AMD, ARM])
  expect(violations[0]?.thing).toBe('requests 2.19.0 (CVE-2018-18074), requests 2.19.1 (CVE-2018-18074)')
})

test('what does not count is listed with its reason', () => {
  const findings = [
    sampleFinding({ severity: 'low' }),
    sampleFinding({ id: 'CVE-2', status: 'affected', fixedIn: [] }),
    sampleFinding({ id: 'CVE-3', published: days(1) }),
  ]
  expect(resultOf('vulnerability.severity', scanOf(findings)).tolerated).toEqual([
    { thing: 'requests 2.19.0 (CVE-2018-18074)', severity: 'low', why: 'below-threshold' },
    { thing: 'requests 2.19.0 (CVE-2)', severity: 'high', why: 'unfixable' },
    { thing: 'requests 2.19.0 (CVE-3)', severity: 'high', why: 'grace', until: '2026-12-05' },
  ])
})

test('fixable_only: false counts what has no fix', () => {
  const evidence = scanOf([sampleFinding({ status: 'affected', fixedIn: [] })])
  expect(
    resultOf('vulnerability.severity', evidence, policyOf('vulnerabilities: {fixable_only: false}\n'))
      .outcome,
  ).toBe('fail')
})

test('a trigger names its line, and that of FROM when it came with the base', () => {
  const [kept] = resultOf('base.onbuild', LAYER_TABLE['base.onbuild'][3][2]).violations
  expect(kept).toMatchObject({ thing: 'ONBUILD RUN make', origin: 'own', location: { line: 2 } })
  const [ran] = resultOf('base.onbuild', LAYER_TABLE['base.onbuild'][5][2]).violations
  expect(ran).toMatchObject({ thing: 'ONBUILD RUN make', origin: 'base', location: { line: 1 } })
})
