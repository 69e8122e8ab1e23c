import { configParts, manifestParts } from '../../../src/evidence/config-parts.js'
import { parseSecretReport, type Searched } from '../../../src/evidence/secret-report.js'
import { reasonOf } from '../../support/reasons.js'
import { BASE, REPORTED, SECRETS, TOP } from '../../support/scanner-reports.js'

const TOKEN = ['ghp', 'a1'.repeat(18)].join('_')
const KEY = '-----BEGIN PRIVATE KEY-----\nMIIBIjANBgkq\nhkiG9w0BAQEF\n-----END PRIVATE KEY-----'
const FILE = { kind: 'file', path: 'app/tests/a.py', layer: TOP, binary: false, lines: 0, bytes: 0 } as const

function row(target: string, more: object = {}): object {
  const secret = { RuleID: 'github-pat', Category: 'GitHub', Severity: 'CRITICAL', Title: 'Token', ...more }
  return { Target: `/${target}`, Class: 'secret', Secrets: [secret] }
}

function report(...rows: readonly object[]): string {
  return JSON.stringify({ ...SECRETS, Results: [...rows, row('c.pyc')] })
}

function index(given: Readonly<Record<string, Searched>>): ReadonlyMap<string, Searched> {
  return new Map([...Object.entries(given), ['c.pyc', { kind: 'canary' }]])
}

function read(searched: Searched, ...more: readonly object[]) {
  const rows = more.map(one => row('0.pyc', one))
  return parseSecretReport(report(...rows), REPORTED, index({ '0.pyc': searched }))
}

describe('the secret report of Trivy, mapped back', () => {
  const shared = { rule: 'github-pat', category: 'GitHub', severity: 'critical', title: 'Token' }

  test.each<[string, Searched, object, object]>([
    ['a file', FILE, { StartLine: 3 }, { line: 3 }],
    ['a later piece of a file', { ...FILE, lines: 1000 }, { StartLine: 3 }, { line: 1003 }],
    ['a file of a package', { ...FILE, owner: 'pkg:npm/a@1' }, {}, { owner: 'pkg:npm/a@1' }],
    ['a file of the lower layer', { ...FILE, layer: BASE }, {}, { layer: BASE }],
    ['a binary file, in which lines mean nothing', { ...FILE, binary: true }, { StartLine: 3 }, {}],
  ])('%s', (_what, searched, secret, expected) => {
    const { findings } = read(searched, secret)
    const where = { path: 'app/tests/a.py', layer: TOP, platform: 'linux/amd64' }
    expect(findings).toEqual([{ ...shared, ...where, ...expected }])
  })

  test('one secret in the overlap of two pieces is one finding, two secrets are two', () => {
    const pieces = { '0.pyc': FILE, '1.pyc': { ...FILE, bytes: 4096, lines: 10 } } as const
    const rows = [row('0.pyc', { Offset: 4100, StartLine: 11 }), row('1.pyc', { Offset: 4, StartLine: 1 })]
    const again = row('1.pyc', { Offset: 900, StartLine: 2 })
    const { findings } = parseSecretReport(report(...rows, again), REPORTED, index(pieces))
    expect(findings.map(found => found.line)).toEqual([11, 12])
  })

  test('the configuration: the part is named, and the secret is cut out of it for others to hide', () => {
    const text = `TOKEN=${TOKEN} # of the build`
    const match = { Offset: 6, StartLine: 1, EndLine: 1, Match: `TOKEN=${'*'.repeat(40)} # of the build` }
    const { findings, exposed } = read({ kind: 'part', part: { name: 'ENV TOKEN', text } }, match)
    expect(findings).toEqual([{ ...shared, path: 'image configuration: ENV TOKEN', platform: 'linux/amd64' }])
    expect(exposed).toEqual([TOKEN])
  })

  test.each([
    ['that spans lines, line by line', { Offset: 2, StartLine: 1, EndLine: 4, Match: `K=${'*'.repeat(27)}` }],
    ['whose place cannot be told, with all around it', { StartLine: 1, EndLine: 4 }],
  ])('a secret %s', (_what, match) => {
    const { exposed } = read({ kind: 'part', part: { name: 'history 2', text: `K=${KEY}` } }, match)
    expect(exposed.join('\n').replace(/^K=/, '')).toBe(KEY)
  })

  test('a name that is the secret itself is not printed', () => {
    const parts = configParts(JSON.stringify({ config: { Labels: { [TOKEN]: 'yes' } } }))
    const searched = Object.fromEntries(
      parts.map((part, at): [string, Searched] => [`${at}.pyc`, { kind: 'part', part }]),
    )
    const match = { StartLine: 1, EndLine: 1, Match: '*'.repeat(40) }
    const text = report(...parts.map((_part, at) => row(`${at}.pyc`, match)))
    const { findings, exposed } = parseSecretReport(text, REPORTED, index(searched))
    expect(findings.map(found => found.path)).toEqual(['image configuration: label 1 (in its name)'])
    expect(exposed).toEqual([TOKEN])
  })
})

describe('the secret report of Trivy is refused', () => {
  test.each([
    ['empty', '', 'trivy-secrets-no-output'],
    ['cut', '{"a', 'trivy-secrets-output-truncated'],
    ['about a file that was not searched', report(row('other')), 'trivy-secrets-output-unexpected'],
    ['without the canary', JSON.stringify({ ...SECRETS, Results: [] }), 'secret-canary-not-found'],
    [
      'with the canary under another rule',
      JSON.stringify({ ...SECRETS, Results: [row('c.pyc', { RuleID: 'x' })] }),
      'secret-canary-not-found',
    ],
    [
      'with the canary as something harmless',
      JSON.stringify({ ...SECRETS, Results: [row('c.pyc', { Severity: 'LOW' })] }),
      'secret-canary-not-found',
    ],
    [
      'about another image',
      report().replaceAll(REPORTED.imageId, `sha256:${'9'.repeat(64)}`),
      'report-of-another-image',
    ],
  ])('%s', (_what, text, reason) => {
    expect(reasonOf(() => parseSecretReport(text, REPORTED, index({ '0.pyc': FILE })))).toBe(reason)
  })

  test('where no canary was planted', () => {
    const text = JSON.stringify({ ...SECRETS, Results: [] })
    expect(reasonOf(() => parseSecretReport(text, REPORTED, new Map()))).toBe('secret-canary-not-found')
  })
})

describe('the parts of an image configuration', () => {
  test.each<[string, object, readonly (readonly [string, string])[]]>([
    ['a variable', { config: { Env: ['A=b'] } }, [['ENV A', 'A=b']]],
    ['a label', { config: { Labels: { 'org.x': 'v' } } }, [['label org.x', 'org.x=v']]],
    ['a command', { config: { Cmd: ['sh', '-c', 'x y'] } }, [['CMD', 'sh -c x y']]],
    ['a health check', { config: { Healthcheck: { Test: ['CMD', 'a'] } } }, [['HEALTHCHECK', 'Test CMD a']]],
    ['of the build', { container_config: { Env: ['A=b'] } }, [['container_config: ENV A', 'A=b']]],
    [
      'history with build arguments',
      { history: [{}, { created_by: 'RUN |1 T=x /bin/sh' }] },
      [['history 2', 'created_by\nRUN |1 T=x /bin/sh']],
    ],
    ['a field nobody knows', { 'x-y': { z: 'w' } }, [['another field', 'w']]],
    ['the author', { author: 'me' }, [['another field', 'me']]],
    ['digests of layers', { rootfs: { diff_ids: ['sha256:1'] } }, []],
  ])('%s', (_what, config, expected) => {
    const parts = configParts(JSON.stringify(config)).map(part => [part.name, part.text])
    expect(parts).toEqual(expect.arrayContaining([...expected]))
    if (expected.length === 0) expect(parts.map(part => part[1])).not.toContain('sha256:1')
  })

  test('text below any depth is still text', () => {
    let deep: unknown = 'at the bottom'
    for (let at = 0; at < 60; at += 1) deep = [deep]
    expect(configParts(JSON.stringify({ deep })).some(part => part.text.includes('at the bottom'))).toBe(true)
  })

  test('annotations of the manifest', () => {
    const parts = manifestParts(JSON.stringify({ annotations: { a: 'b' }, layers: [] }))
    expect(parts.map(part => part.name)).toEqual(['annotation a', 'annotation 1 (in its name)'])
  })
})
