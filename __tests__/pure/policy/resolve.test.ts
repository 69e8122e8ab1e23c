import { describe, expect, test } from '@jest/globals'
import { readPolicyDocument } from '../../../src/policy/document.js'
import { isolationProblem, mayRelease, resolvePolicy } from '../../../src/policy/resolve.js'
import { RULE_IDS } from '../../../src/policy/rule-ids.js'
import { policyOf } from './sample.js'

const bare = resolvePolicy({ document: null, file: null, origin: 'profile' })

describe('resolvePolicy', () => {
  test('recommended enforces and warns as documented', () => {
    const modes = Object.fromEntries(RULE_IDS.map(id => [id, bare.rules[id].mode]))
    expect(modes).toEqual({
      'vulnerability.severity': 'enforce',
      'vulnerability.kev': 'enforce',
      'secret.found': 'enforce',
      'sbom.present': 'enforce',
      'sbom.subject': 'enforce',
      'scanner.canary': 'enforce',
      'database.age': 'enforce',
      'tool.verified': 'enforce',
      'sign.present': 'enforce',
      'image.pin': 'warn',
      'user.nonroot': 'warn',
      'label.required': 'warn',
      'inventory.unexplained': 'warn',
      'sbom.minimum': 'warn',
      'layer.wellformed': 'enforce',
      'inventory.os': 'enforce',
      'inventory.links': 'enforce',
      'inventory.hidden': 'enforce',
      'inventory.union': 'warn',
      'base.onbuild': 'warn',
    })
    expect(bare.mode).toBe('enforce')
    expect(bare.database.maxAgeHours).toBe(48)
    expect(bare.vulnerabilities).toMatchObject({ failOn: 'high', fixableOnly: true })
    expect(bare.vulnerabilities.graceDays).toMatchObject({ critical: 3, high: 14, unknown: 14 })
    expect(bare.trust.isolation).toBe('required')
  })

  test('an empty document means the profile: same digest', () => {
    expect(policyOf().digest).toBe(bare.digest)
    expect(bare.digest).toMatch(/^[0-9a-f]{64}$/)
  })

  test('order, comments and file name do not change the digest, a value does', () => {
    const head = 'apiVersion: portcullis/v1\nkind: ImagePolicy\n'
    const digestOf = (text: string, file: string) =>
      resolvePolicy({ document: readPolicyDocument(text, file), file, origin: file }).digest
    const one = digestOf(`${head}mode: audit\ndatabase: {max_age_hours: 24}\n`, 'a.yml')
    const other = digestOf(`# words\ndatabase:\n  max_age_hours: 24\nmode: audit\n${head}`, 'b.yml')
    expect(other).toBe(one)
    expect(digestOf(`${head}mode: audit\ndatabase: {max_age_hours: 25}\n`, 'a.yml')).not.toBe(one)
  })

  test('maps merge key by key, lists replace', () => {
    const policy = policyOf(
      'vulnerabilities: {grace_days: {high: 7}}\nimage: {required_labels: []}\nrules: {image.pin: {mode: enforce}}\n',
    )
    expect(policy.vulnerabilities.graceDays).toMatchObject({ critical: 3, high: 7 })
    expect(policy.vulnerabilities.failOn).toBe('high')
    expect(policy.image.requiredLabels).toEqual([])
    expect(policy.rules['image.pin'].mode).toBe('enforce')
    expect(policy.rules['user.nonroot'].mode).toBe('warn')
    expect(policy.origins['vulnerabilities.grace_days.high']).toBe('policy.yml:3')
  })

  test('is frozen to the last leaf', () => {
    expect(Object.isFrozen(bare)).toBe(true)
    expect(Object.isFrozen(bare.vulnerabilities.graceDays)).toBe(true)
    expect(Object.isFrozen(bare.rules['image.pin'])).toBe(true)
  })

  test('bind limits what may be released', () => {
    expect(mayRelease(bare, 'any/name')).toBe(true)
    const bound = policyOf('bind: [{image: ghcr.io/acme/api}]\n')
    expect(mayRelease(bound, 'ghcr.io/acme/api')).toBe(true)
    expect(mayRelease(bound, 'ghcr.io/acme/api2')).toBe(false)
  })

  test.each([
    ['none', true, '', true],
    ['none', false, '', false],
    ['user-namespace', true, '', false],
    ['none', true, 'trust: {isolation: none-accepted}\n', false],
  ] as const)('isolation %s, signing %s, policy "%s": problem %s', (isolation, signs, text, problem) => {
    expect(isolationProblem(policyOf(text), isolation, signs) !== undefined).toBe(problem)
  })
})
