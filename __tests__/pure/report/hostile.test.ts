import fc from 'fast-check'
import { renderAnnotations } from '../../../src/report/annotations.js'
import { inline, visible } from '../../../src/report/markdown.js'
import { REPORT_FORMATS, renderReport } from '../../../src/report/render.js'
import type { RunRecord } from '../../../src/record/record.js'
import {
  NOTHING_PUSHED,
  aFinding,
  aRecord,
  aRelease,
  aResult,
  aSubject,
  aVerdict,
  aViolation,
} from '../../support/records.js'

const HOSTILE: Readonly<Record<string, string>> = {
  command: '::error::pwned',
  'command after blanks': ' \t ::add-mask::a',
  'command on its own line': 'x\n::set-output name=a::b\r\n::stop-commands::t',
  'old command': 'x ##[warning]pwned',
  'old command, twice': '####[error]##[error]a',
  colours: '\u001b[31mred\u001b[0m\u009b31m',
  title: '\u001b]0;title\u0007',
  markup: '<script>alert(1)</script><img src=x onerror=alert(1)>',
  details: '</details></summary><h1>ok',
  link: '[click](https://evil.example) ![i](http://evil.example/x.png)',
  'open link': 'x](https://evil.example)',
  address: 'https://evil.example www.evil.example a@evil.example',
  mention: '@org/team @user #1 owner/repo#2',
  backticks: '` `` ``` ~~~',
  pipes: 'a | b || c \\| d',
  emphasis: '**bold** _it_ ~~gone~~ $x$ # head',
  lines: 'one\ntwo\r\nthree\u2028four\u2029five\u0085six\vseven',
  direction: 'user\u202Egnp.exe \u2066x\u2069 \u200Fy',
  invisible: 'a\u200bb\u2060c\ufeffd\u00ade',
  nul: 'a\0b\u007f\u0080c',
  surrogate: 'a\ud800b\udfffc',
  tags: '\u{E0041}\u{E0042}',
  long: 'A'.repeat(1024 * 1024),
  'long of commands': '##['.repeat(350_000),
  'long of blanks': ' '.repeat(1024 * 1024),
  emojis: '🙂'.repeat(300_000),
  list: '- item',
  rule: '---',
  entity: '&lt;script&gt; &#64;org',
  empty: '',
}

/** A record that holds one text wherever foreign text can stand. */
function recordOf(text: string): RunRecord {
  const finding = aFinding({
    name: text,
    version: text,
    id: text,
    fixed: text,
    title: text,
    location: { file: text, line: 1 },
    imagePath: text,
    platforms: [text],
    purl: `pkg:generic/${text}`,
  })
  const other = aViolation({
    thing: text,
    message: text,
    fix: text,
    imagePath: text,
    platforms: [text],
    location: { file: text, line: 2 },
  })
  const verdict = aVerdict({
    results: [
      aResult({
        violations: [finding, { ...finding, advisory: `${text}2`, imagePath: `${text}/2` }, other],
        suppressed: [
          { violation: finding, exception: { id: text, owner: text, reason: text, expires: text } },
        ],
        tolerated: [{ thing: `${text}3`, why: 'grace', severity: 'high', until: text }],
      }),
      aResult({ rule: 'secret.found', unknown: [text] }),
      aResult({ rule: 'image.pin', mode: 'warn', violations: [other] }),
      aResult({ rule: 'label.required', mode: 'warn', outcome: 'not-applicable', notApplicable: text }),
    ],
    exceptions: [{ id: text, state: 'expired', owner: text, expires: text, detail: text }],
    policy: { digest: 'e'.repeat(64), origin: text, profiles: [text] },
  })
  const [stage] = aRecord().stages
  return aRecord({
    trigger: { kind: 'event', event: text, ref: text, trusted: true },
    request: { image: text, subject: 'build', publish: 'auto', sign: 'key', tags: [text] },
    outcome: 'fail',
    exitCode: 1,
    reason: 'vulnerability.severity',
    problems: [{ stage: 'build', code: 'tool', reason: 'build-failed', message: `${text}\n${text}` }],
    stages: stage === undefined ? [] : [{ ...stage, detail: text }],
    subject: aSubject(text, 'linux/arm64'),
    engine: { name: text, version: text },
    tools: aRecord().tools.map(tool => ({ ...tool, version: text })),
    database: { sha256: '9'.repeat(64), size: 1, updatedAt: text, origin: text },
    evidence: { path: text, sha256: '8'.repeat(64) },
    verdict,
    warnings: [text],
    release: aRelease({ state: 'failed', tags: [{ tag: text, state: 'created' }], verifyCommand: text }),
  })
}

/** Characters that move the cursor, turn the reading direction, or cannot be seen; our own few are let through. */
const UNSEEN = /[^\n\P{Cc}]|[\u200e\u200f\u202a-\u202e\u2066-\u2069\u{E0000}-\u{E007F}]/u

function expectInert(text: string): void {
  expect(/^\s*::/m.test(text)).toBe(false)
  expect(text.includes('##[')).toBe(false)
  expect(text).not.toMatch(UNSEEN)
  expect(text.isWellFormed()).toBe(true)
}

/** Characters outside code spans and fences, with what a backslash disarms taken out. */
function livePart(markdown: string): string {
  return markdown.replace(/^(`{3,})sh\n[\s\S]*?\n\1$/m, '').replace(/\\[!-/:-@[-`{-~]|`[^`\n]*`/g, '·')
}

function expectInertMarkdown(markdown: string): void {
  const live = livePart(markdown)
  expect(live).not.toMatch(/<(?!\/?details>|\/?summary>|br>)/)
  expect(live).not.toMatch(/[[\]]|!\[|\]\(/)
  expect(live).not.toMatch(/@[A-Za-z0-9]/)
  expect(live).not.toContain('://')
  expect(live).not.toMatch(/\bwww\./i)
  expect(live).not.toMatch(/`/)
  expect(live).not.toMatch(/#\d/)
  const opened = live.match(/<details>/g)?.length ?? 0
  expect(live.match(/<\/details>/g)?.length ?? 0).toBe(opened)
  for (const table of markdown.matchAll(/(?:^\|.*\|$\n?)+/gm)) {
    const widths = table[0]
      .trimEnd()
      .split('\n')
      .map(row => row.replace(/\\./g, '').split('|').length)
    expect(new Set(widths).size).toBe(1)
  }
}

describe.each(Object.entries(HOSTILE))('a record full of: %s', (_, text) => {
  const record = recordOf(text)
  /** JSON shortens nothing: the longest texts would be hundreds of megabytes in it. */
  const shorter = recordOf(text.slice(0, 20_000))

  it.each(REPORT_FORMATS)('is inert as %s', format => {
    expectInert(renderReport(format === 'json' ? shorter : record, format))
  })

  it('is inert Markdown', () => {
    expectInertMarkdown(renderReport(record, 'summary'))
  })

  it('is the same record as JSON', () => {
    const plain: unknown = JSON.parse(JSON.stringify(shorter))
    expect(JSON.parse(renderReport(shorter, 'json'))).toEqual(plain)
  })

  it('has short lines, few of them', () => {
    expect(Buffer.byteLength(renderReport(record, 'summary'))).toBeLessThan(900_000)
    for (const line of renderReport(record, 'terminal').split('\n')) expect(line.length).toBeLessThan(25_000)
    for (const annotation of renderAnnotations(record)) {
      expect(annotation.message.length).toBeLessThanOrEqual(4096)
      expect(annotation.title.length).toBeLessThanOrEqual(255)
    }
  })
})

describe('any text at all', () => {
  const strange = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc
      .array(
        fc.constantFrom(
          ...[
            '::',
            '##',
            '[',
            ']',
            '(',
            ')',
            'error',
            '\n',
            '\r',
            '\u001b',
            ' ',
            '\0',
            '`',
            '|',
            '<',
            '@',
            'a',
          ],
          ...['\u202e', '\u2028', '://', 'www.', '\\', '#', '1', '!', '&', '\ud83d', '~'],
        ),
        { maxLength: 12 },
      )
      .map(parts => parts.join('')),
  )

  it('starts no workflow command, no escape sequence, no markup in any format', () => {
    fc.assert(
      fc.property(strange, text => {
        const record = recordOf(text)
        for (const format of REPORT_FORMATS) expectInert(renderReport(record, format))
        for (const annotation of renderAnnotations(record)) {
          expectInert(`${annotation.title}\n${annotation.message}\n${annotation.file ?? ''}`)
        }
        expectInertMarkdown(renderReport(record, 'summary'))
      }),
      { numRuns: 300 },
    )
  })

  it('keeps within the limit that is given', () => {
    fc.assert(
      fc.property(strange, fc.integer({ min: 1, max: 40 }), (text, limit) => {
        expect(visible(text, limit).length).toBeLessThanOrEqual(limit)
        expect(inline(text, limit)).not.toMatch(/\n/)
      }),
    )
  })
})

it('names no place outside the repository in an annotation', () => {
  const files = ['/etc/passwd', '../x', 'a/../../b', 'a\nb', '', 'a'.repeat(2000)]
  for (const file of files) {
    const violations = [aViolation({ location: { file, line: 1 } })]
    const record = aRecord({ verdict: aVerdict({ results: [aResult({ violations })] }), exitCode: 1 })
    expect(renderAnnotations({ ...record, outcome: 'fail', release: NOTHING_PUSHED })).toEqual([
      expect.not.objectContaining({ file }),
    ])
  }
})
