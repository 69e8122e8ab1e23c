import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { z } from 'zod'

const data = fileURLToPath(new URL('../../../data/', import.meta.url))
const files = ['pypi', 'debian', 'npm', 'alpine'].map(name => join(data, `${name}-advisories.jsonl`))
const metadata = z.object({
  Version: z.literal(2),
  UpdatedAt: z.iso.datetime(),
  NextUpdate: z.iso.datetime(),
})
const toolchain = z.object({ 'fixture-db': z.object({ path: z.string() }) })

function fixtureDb(...args: string[]): string {
  const list = process.env['PORTCULLIS_TOOLCHAIN']
  if (list === undefined) throw new Error('PORTCULLIS_TOOLCHAIN does not name the list of built tools')
  const { path } = toolchain.parse(JSON.parse(readFileSync(list, 'utf8')))['fixture-db']
  return execFileSync(path, args, {
    encoding: 'utf8',
    maxBuffer: 64 << 20,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
}

let folder = ''
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'demo-db-'))
})
afterEach(() => {
  rmSync(folder, { recursive: true })
})

it('the shipped database holds what its rows give', () => {
  execFileSync('tar', ['-xzf', join(data, 'demo-db.tar.gz'), '-C', folder])
  const shipped = metadata.parse(JSON.parse(readFileSync(join(folder, 'metadata.json'), 'utf8')))
  fixtureDb('--rows', ...files, '--out', join(folder, 'again'), '--updated', shipped.UpdatedAt)
  const again = metadata.parse(JSON.parse(readFileSync(join(folder, 'again/db/metadata.json'), 'utf8')))
  expect(again).toEqual(shipped)
  const lines = fixtureDb('--list', join(folder, 'trivy.db'))
  expect(lines.split('\n').length).toBeGreaterThan(4000)
  expect(fixtureDb('--list', join(folder, 'again/db/trivy.db'))).toBe(lines)
})

it('the same rows in another order give the same bytes', () => {
  const date = ['--updated', '2026-11-22T00:00:00Z']
  fixtureDb('--rows', ...files, '--out', join(folder, 'a'), ...date)
  fixtureDb('--rows', ...files.toReversed(), '--out', join(folder, 'b'), ...date)
  const [a, b] = ['a', 'b'].map(name => readFileSync(join(folder, name, 'db/trivy.db')))
  expect(b?.equals(a ?? Buffer.alloc(0))).toBe(true)
})

it('severities come from vectors alone, and dates are in the form the scanner reads', () => {
  fixtureDb('--rows', ...files, '--out', folder)
  const entries = new Map(
    fixtureDb('--list', join(folder, 'db/trivy.db'))
      .trim()
      .split('\n')
      .map((line): [string, string] => [
        line.slice(0, line.indexOf('\t')),
        line.slice(line.indexOf('\t') + 1),
      ]),
  )
  const vulnerability = z.object({
    Severity: z.string(),
    CVSS: z.unknown().optional(),
    PublishedDate: z.iso.datetime().optional(),
  })
  const severityOf = (id: string) =>
    vulnerability.parse(JSON.parse(entries.get(`vulnerability / ${id}`) ?? '')).Severity
  expect(severityOf('CVE-2023-43804')).toBe('HIGH') // 8.1
  expect(severityOf('CVE-2021-44906')).toBe('CRITICAL') // 9.8
  expect(severityOf('CVE-2023-26136')).toBe('MEDIUM') // 6.5
  expect(severityOf('CVE-2024-45490')).toBe('UNKNOWN') // no vector in any row
  for (const [key, text] of entries) {
    if (!key.startsWith('vulnerability / ')) continue
    const { Severity, CVSS } = vulnerability.parse(JSON.parse(text))
    if (CVSS === undefined) expect(Severity).toBe('UNKNOWN')
  }
})

it.each([
  [
    'an unknown ecosystem',
    { ecosystem: 'cobol', package: 'x', id: 'CVE-2024-0001', fixed: '1' },
    'unknown ecosystem',
  ],
  ['a row without versions', { ecosystem: 'npm', package: 'x', id: 'CVE-2024-0001' }, 'are needed'],
  [
    'an unknown key',
    { ecosystem: 'npm', package: 'x', id: 'CVE-2024-0001', severity: 'HIGH' },
    'unknown field',
  ],
  [
    'a vector of another version',
    { ecosystem: 'npm', package: 'x', id: 'CVE-2024-0001', ranges: [{ fixed: '1' }], cvss: 'CVSS:4.0/AV:N' },
    'only versions 3.0 and 3.1',
  ],
])('refuses %s', (_, row, message) => {
  writeFileSync(join(folder, 'rows.jsonl'), `${JSON.stringify(row)}\n`)
  expect(() => fixtureDb('--rows', join(folder, 'rows.jsonl'), '--out', folder)).toThrow(message)
})
