import { renderAnnotations } from '../../../src/report/annotations.js'
import { changesOf } from '../../../src/report/changes.js'
import { headline } from '../../../src/report/headline.js'
import { renderReport } from '../../../src/report/render.js'
import { renderSummary } from '../../../src/report/summary.js'
import { renderTerminal } from '../../../src/report/terminal.js'
import type { Violation } from '../../../src/policy/verdict.js'
import type { RunRecord } from '../../../src/record/record.js'
import { NOTHING_PUSHED, aFinding, aRecord, aResult, aVerdict, aViolation } from '../../support/records.js'
import { reasonOf } from '../../support/reasons.js'

const BUDGET = 900_000
const SEVERITIES = ['low', 'medium', 'unknown', 'high', 'critical'] as const

function failed(violations: readonly Violation[], warned: readonly Violation[] = []): RunRecord {
  const results = [
    aResult({ violations }),
    aResult({ rule: 'image.pin', mode: 'warn', violations: warned, outcome: 'fail' }),
  ]
  return aRecord({
    outcome: 'fail',
    exitCode: 1,
    reason: 'vulnerability.severity',
    verdict: aVerdict({ results }),
    release: { ...NOTHING_PUSHED, state: 'refused' },
  })
}

function findings(count: number, text = ''): readonly Violation[] {
  return Array.from({ length: count }, (_, at) =>
    aFinding({
      name: `package${at}${text}`,
      id: `CVE-2026-${at}`,
      severity: SEVERITIES[at % 5] ?? 'low',
      title: text,
      location: { file: 'Dockerfile', line: (at % 400) + 1 },
      imagePath: `app/${at}/${text}`,
    }),
  )
}

describe('20,000 violations', () => {
  const long = '&<>|@a`\u4e00'.repeat(200)
  const record = {
    ...failed(findings(20_000, long), findings(20_000, long)),
    problems: Array.from({ length: 500 }, (_, at) => {
      return {
        stage: 'build',
        code: 'tool',
        reason: `failed-${at}`,
        message: `${long}\n`.repeat(100),
      } as const
    }),
    warnings: Array.from({ length: 500 }, () => long),
  }

  it('stay below the budget of the summary, in whole rows, with how many more and where', () => {
    const summary = renderSummary(record)
    expect(Buffer.byteLength(summary)).toBeLessThan(BUDGET)
    expect(summary).not.toContain('more sections')
    expect(summary.match(/<details>/g)).toHaveLength(summary.match(/<\/details>/g)?.length ?? 0)
    for (const row of summary.split('\n').filter(line => line.startsWith('|'))) expect(row).toMatch(/ \|$/)
    const rows = summary.match(/^\| \d+ \|/gm)?.length ?? 0
    expect(rows).toBeGreaterThan(20)
    expect(summary).toContain(`_And ${20_000 - rows} more in portcullis.json._`)
  })

  it('end a plain summary after one hundred rows', () => {
    const summary = renderSummary(failed(findings(20_000)))
    expect(summary.match(/^\| \d+ \|/gm)).toHaveLength(100)
    expect(summary).toContain('_And 19900 more in portcullis.json._')
    expect(summary).toMatch(/^\| 1 \| Critical: /m)
    expect(summary).not.toMatch(/\| (?:High|Medium|Low|Unknown): /)
  })

  it('become at most ten annotations of each level, which say how many more places there are', () => {
    const annotations = renderAnnotations(record)
    for (const level of ['error', 'warning'] as const) {
      const shown = annotations.filter(annotation => annotation.level === level)
      expect(shown).toHaveLength(10)
      expect(shown.at(-1)?.message).toMatch(/^and \d+ more places in the job summary and portcullis\.json$/)
    }
    const plain = renderAnnotations(failed(findings(20_000)))
    expect(plain.at(-1)?.message).toMatch(/^and 391 more places/)
  })

  it('in audit share the ten warnings with the rest', () => {
    const audited = { ...record, problems: [], exitCode: 0 } as const
    expect(renderAnnotations(audited).map(annotation => annotation.level)).toEqual(
      Array.from({ length: 10 }, () => 'warning'),
    )
  })

  it('fill a page or two of a terminal', () => {
    const text = renderTerminal(failed(findings(20_000)))
    expect(text.split('\n').length).toBeLessThan(150)
    expect(text).toContain('and 19975 more in portcullis.json')
  })
})

describe('changes', () => {
  const line = { location: { file: 'Dockerfile', line: 3 } }

  it('are one for all advisories of a package at a place, with the fix that mends all', () => {
    const [change, ...rest] = changesOf(
      failed([
        aFinding({ ...line, id: 'CVE-2', severity: 'medium', fixed: '2.9.0' }),
        aFinding({ ...line, id: 'CVE-10', severity: 'high', fixed: '2.31.0', imagePath: 'a' }),
        aFinding({ ...line, id: 'CVE-9', severity: 'high', fixed: '2.10.0', imagePath: 'b' }),
        aFinding({ ...line, id: 'CVE-3', severity: 'low', fixed: null }),
        aFinding({ ...line, id: 'CVE-2', severity: 'medium', rule: 'vulnerability.kev', fixed: '2.9.0' }),
      ]),
      'enforce',
    )
    expect(rest).toEqual([])
    expect(change).toMatchObject({
      severity: 'high',
      package: 'requests 2.19.0',
      fix: 'requests>=2.31.0',
      imagePaths: ['a', 'b'],
      rules: ['vulnerability.severity', 'vulnerability.kev'],
    })
    expect(change?.advisories.map(one => one.id)).toEqual(['CVE-2', 'CVE-9', 'CVE-10', 'CVE-3'])
    expect(change?.advisories.filter(one => one.exploited).map(one => one.id)).toEqual(['CVE-2'])
    expect(change?.advisories.filter(one => !one.fixable).map(one => one.id)).toEqual(['CVE-3'])
  })

  it.each([
    ['another version', aFinding({ ...line, version: '2.20.0' })],
    ['another place', aFinding({ location: { file: 'Dockerfile', line: 4 } })],
    ['another package', aFinding({ ...line, name: 'urllib3' })],
    ['no package', aViolation()],
  ])('are apart for: %s', (_, other) => {
    const record = failed([aFinding(line), other])
    expect(changesOf(record, 'enforce')).toHaveLength(2)
    expect(headline(record)).toContain('2 things to change')
  })

  it('are the same for qualifiers of a package, and two for two violations of another kind', () => {
    const arm = aFinding({ ...line, purl: 'pkg:deb/debian/zlib1g@1?arch=arm64', platforms: ['linux/arm64'] })
    const amd = aFinding({ ...line, purl: 'pkg:deb/debian/zlib1g@1?arch=amd64' })
    expect(changesOf(failed([arm, amd]), 'enforce')).toHaveLength(1)
    expect(changesOf(failed([aViolation(), aViolation()]), 'enforce')).toHaveLength(2)
  })

  it.each([
    ['1.2', '1.10', '1.10'],
    ['1.2~rc1', '1.2', '1.2'],
    ['9', '10', '10'],
    ['1.26.17', '2.0.6', '2.0.6'],
    ['1.2.3', '1.2.3.1', '1.2.3.1'],
  ])('take of %s and %s the fix %s', (one, other, highest) => {
    for (const [a, b] of [
      [one, other],
      [other, one],
    ] as const) {
      const record = failed([
        aFinding({ ...line, fixed: a }),
        aFinding({ ...line, fixed: b, id: 'CVE-7', severity: 'low' }),
      ])
      expect(changesOf(record, 'enforce')[0]?.fix).toBe(`requests>=${highest}`)
    }
  })

  it('come worst first, exploited before others, whatever the order of the rules', () => {
    const violations = [
      aFinding({ name: 'a', severity: 'low' }),
      aFinding({ name: 'b', severity: 'unknown' }),
      aFinding({ name: 'c', severity: 'high' }),
      aFinding({ name: 'd', severity: 'high', rule: 'vulnerability.kev' }),
      aFinding({ name: 'e', severity: 'critical' }),
      aFinding({ name: 'f', severity: 'medium' }),
    ]
    const names = (list: readonly Violation[]): readonly string[] =>
      changesOf(failed(list), 'enforce').map(change => change.package?.slice(0, 1) ?? '')
    expect(names(violations)).toEqual(['e', 'd', 'c', 'b', 'f', 'a'])
    expect(names(violations.toReversed())).toEqual(['e', 'd', 'c', 'b', 'f', 'a'])
  })
})

describe('what is never shown as clean', () => {
  it('an incomplete run does not count findings it did not look for', () => {
    const record = aRecord({ outcome: 'incomplete', exitCode: 3, reason: 'x', packages: 0 })
    for (const format of ['summary', 'terminal']) {
      expect(renderReport(record, format)).not.toMatch(/0 packages|0 findings|PASS|✅/)
    }
  })

  it('an incomplete run says that what it counted may not be all', () => {
    const record = aRecord({ outcome: 'incomplete', exitCode: 3, reason: 'x', packages: 3 })
    for (const format of ['summary', 'terminal'])
      expect(renderReport(record, format)).toContain('perhaps not all: 3 packages, 0 findings.')
  })

  it('tags that were set before a release failed are named', () => {
    const release = {
      ...NOTHING_PUSHED,
      state: 'failed',
      tags: [{ tag: '1.0.0', state: 'created' }],
    } as const
    const record = aRecord({ outcome: 'incomplete', exitCode: 3, reason: 'x', release })
    for (const format of ['summary', 'terminal'])
      expect(renderReport(record, format)).toContain('after these tags were set: 1.0.0')
  })

  it('a digest that was not pushed is not called pushed', () => {
    const release = {
      ...NOTHING_PUSHED,
      state: 'failed',
      digest: aRecord().subject?.digest ?? 'sha256:',
    } as const
    const record = aRecord({ outcome: 'incomplete', exitCode: 3, reason: 'x', release })
    expect(renderTerminal(record)).not.toContain('Pushed digest')
  })
})

describe('renderReport', () => {
  it('paints only where it is told to', () => {
    const mark = (text: string): string => `<${text}>`
    const paint = { bold: mark, dim: mark, red: mark, green: mark, yellow: mark }
    expect(renderTerminal(aRecord(), paint)).toContain('<<PASS  ')
    expect(renderTerminal(aRecord())).not.toContain('<')
  })

  it.each(['', 'sarif', 'JSON', 'json ', '__proto__', '\u001b[31m'])('refuses the format %j', format => {
    expect(reasonOf(() => renderReport(aRecord(), format))).toBe('report-format')
  })
})
