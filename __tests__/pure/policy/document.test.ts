import { describe, expect, test } from '@jest/globals'
import { GateError } from '../../../src/errors.js'
import { readPolicyDocument } from '../../../src/policy/document.js'

const HEAD = 'apiVersion: portcullis/v1\nkind: ImagePolicy\n'

function mistakesOf(text: string): string[] {
  try {
    readPolicyDocument(text, 'p.yml')
  } catch (thrown) {
    if (!(thrown instanceof GateError)) throw thrown
    expect([thrown.code, thrown.reason]).toEqual(['config', 'policy-invalid'])
    return thrown.message.split('\n').slice(1)
  }
  return []
}

const EXCEPTION = 'owner: me, reason: r, created: 2026-11-01, expires: 2026-12-01'

describe('readPolicyDocument', () => {
  test('reads a whole policy', () => {
    const text = `${HEAD}profiles: [recommended]
mode: audit
bind: [{image: ghcr.io/acme/api}]
trust: {isolation: none-accepted}
vulnerabilities: {fail_on: medium, fixable_only: false, grace_days: {critical: 0}}
database: {max_age_hours: 24}
image: {required_labels: [a.b]}
rules:
  database.age: {mode: off, reason: the demo ships a dated database}
  image.pin: {mode: off}
exceptions:
  - {id: CVE-2026-12345, package: "pkg:deb/debian/libexpat1", ${EXCEPTION}}
`
    const document = readPolicyDocument(text, 'p.yml')
    expect(document.values.vulnerabilities).toEqual({
      fail_on: 'medium',
      fixable_only: false,
      grace_days: { critical: 0 },
    })
    expect(document.values.exceptions?.[0]?.expires).toBe('2026-12-01')
    expect(document.lines['vulnerabilities.fail_on']).toBe(7)
  })

  test.each([
    [
      'unknown key',
      'vulnerabilitys: {}\n',
      ['p.yml:3:1 vulnerabilitys: expected a known key; nearest known key vulnerabilities'],
    ],
    [
      'unknown key, deeper',
      'vulnerabilities:\n  fail-on: high\n',
      ['p.yml:4:3 vulnerabilities.fail-on: expected a known key; nearest known key fail_on'],
    ],
    ['later topic', 'extends: x\n', ['p.yml:3:1 extends: expected no such key: no rule uses this yet']],
    [
      'later topic, deeper',
      'trust: {branches: [main]}\n',
      ['p.yml:3:9 trust.branches: expected no such key: no rule uses this yet'],
    ],
    [
      'wrong value',
      'vulnerabilities: {fail_on: hihg}\n',
      [
        'p.yml:3:28 vulnerabilities.fail_on: expected one of critical, high, medium, low, found hihg; nearest known value high',
      ],
    ],
    [
      'wrong type',
      'vulnerabilities: {fixable_only: "yes"}\n',
      ['p.yml:3:33 vulnerabilities.fixable_only: expected true or false, found text'],
    ],
    [
      'wrong number',
      'database: {max_age_hours: 1.5}\n',
      ['p.yml:3:27 database.max_age_hours: expected a whole number, found the number 1.5'],
    ],
    [
      'number too small',
      'database: {max_age_hours: 0}\n',
      ['p.yml:3:27 database.max_age_hours: expected at least 1'],
    ],
    [
      'duplicate key',
      'mode: audit\nmode: enforce\n',
      ['p.yml:4:1 mode: expected each key once, but it is repeated'],
    ],
    [
      'anchor and alias',
      'trust: &t {}\nimage: *t\n',
      [
        'p.yml:3:9 trust: expected no anchor (&)',
        'p.yml:4:9 image: expected a value of its own, but found an alias (*)',
        'p.yml:4:9 image: expected a map, found nothing',
      ],
    ],
    ['custom tag', 'mode: !x audit\n', ['p.yml:3:7 mode: expected no tag (!)']],
    [
      'merge key',
      'trust:\n  <<: {isolation: required}\n',
      ['p.yml:4:3 trust: expected plain keys, but found a merge key (<<)'],
    ],
    [
      'not a number',
      'database: {max_age_hours: .nan}\n',
      [
        'p.yml:3:27 database.max_age_hours: expected a number between -2^53 and 2^53, found .nan',
        'p.yml:3:27 database.max_age_hours: expected at least 1',
      ],
    ],
    [
      'huge number',
      'database: {max_age_hours: 99999999999999999999}\n',
      [
        'p.yml:3:27 database.max_age_hours: expected a number between -2^53 and 2^53, found 99999999999999999999',
        'p.yml:3:27 database.max_age_hours: expected at least 1',
      ],
    ],
    ['several documents', '---\nmode: audit\n', ['p.yml:1:1: expected one document, but found several']],
    [
      'unknown rule',
      'rules: {vulnerability.sevrity: {mode: warn}}\n',
      [
        'p.yml:3:9 rules.vulnerability.sevrity: expected a known key; nearest known key vulnerability.severity',
      ],
    ],
    [
      'weakened without reason',
      'rules: {secret.found: {mode: warn}}\n',
      [
        'p.yml:3:23 rules.secret.found.reason: expected a reason, because the profile enforces this rule and mode warn weakens it',
      ],
    ],
    [
      'exception for everything',
      `exceptions: [{id: CVE-2026-1, ${EXCEPTION}}]\n`,
      ['p.yml:3:14 exceptions[0]: expected package or path: an exception for a whole image is not possible'],
    ],
    [
      'exception without owner, with a wildcard',
      'exceptions:\n  - id: CVE-2026-1\n    package: "pkg:deb/*"\n    reason: r\n    created: 2026-11-01\n    expires: 2026-13-01\n',
      [
        'p.yml:4:5 exceptions[0].owner: expected text; the key is missing',
        'p.yml:5:14 exceptions[0].package: expected a package name or a purl, without qualifiers and wildcards',
        'p.yml:8:14 exceptions[0].expires: expected a day that the calendar has',
      ],
    ],
    [
      'exception that ends before it begins',
      'exceptions: [{id: CVE-1, package: a, owner: o, reason: r, created: 2026-11-02, expires: 2026-11-01}]\n',
      ['p.yml:3:89 exceptions[0].expires: expected a day not before created (2026-11-02)'],
    ],
    [
      'image name with a tag',
      'bind: [{image: "ghcr.io/acme/api:latest"}]\n',
      ['p.yml:3:16 bind[0].image: expected a lower-case image name with its registry, without tag or digest'],
    ],
    [
      'syntax error alone',
      'mode: [\nkind: 3\n',
      ['p.yml:4:1: expected valid YAML, but deficient indentation'],
    ],
    ['null', 'mode:\n', ['p.yml:3:1 mode: expected one of enforce, audit, found null']],
  ])('%s', (_, text, expected) => {
    expect(mistakesOf(`${HEAD}${text}`)).toEqual(expected)
  })

  test('says every mistake at once, in the order of the file', () => {
    const text = `${HEAD.replace('v1', 'v9')}mood: x\nmode: 1\nrules: {secret.found: {mode: off}}\nvex: 1\n`
    expect(mistakesOf(text)).toEqual([
      'p.yml:1:13 apiVersion: expected portcullis/v1, found portcullis/v9',
      'p.yml:3:1 mood: expected a known key; nearest known key mode',
      'p.yml:4:7 mode: expected one of enforce, audit, found 1',
      'p.yml:5:23 rules.secret.found.reason: expected a reason, because the profile enforces this rule and mode off weakens it',
      'p.yml:6:1 vex: expected no such key: no rule uses this yet',
    ])
  })

  test.each([
    ['', 'p.yml:1:1: expected a map, but the document is empty'],
    ['- a\n', 'p.yml:1:1: expected a map, found a list'],
    [`${HEAD}# ${'x'.repeat(256 * 1024)}`, 'p.yml:1:1: expected at most 262144 bytes'],
    [`${HEAD}# ${'é'.repeat(128 * 1024)}`, 'p.yml:1:1: expected at most 262144 bytes'],
    ['a: '.concat('['.repeat(30)), 'p.yml:1:23: expected valid YAML, but nesting exceeded maxDepth (20)'],
    ['? [a]\n: 1\n', 'p.yml:1:3: expected a key of plain text'],
  ])('refuses the document %#', (text, first) => {
    expect(mistakesOf(text)).toContain(first)
  })

  test('a key __proto__ is a key like any other', () => {
    expect(mistakesOf(`${HEAD}__proto__: {mode: audit}\n`)[0]).toContain('__proto__: expected a known key')
    expect(mistakesOf(`${HEAD}rules: {__proto__: {mode: off}}\n`)[0]).toContain(
      '__proto__: expected a known key',
    )
  })

  test('foreign words in messages are printable and short', () => {
    const said = mistakesOf(`${HEAD}"\\e[31m\\u202E${'k'.repeat(200)}": 1\n`)[0] ?? ''
    expect(said).toMatch(/^[\x20-\x7e]+$/)
    expect(said.length).toBeLessThan(500)
  })

  test('never more than fifty lines', () => {
    const keys = Array.from({ length: 80 }, (_, index) => `zzzzzzzzzzz${String(index)}: 1`).join('\n')
    const said = mistakesOf(`${HEAD}${keys}\n`)
    expect(said).toHaveLength(51)
    expect(said[50]).toBe('and 30 more')
  })
})
