import { readFileSync } from 'node:fs'
import { z } from 'zod'

const row = z.strictObject({
  ecosystem: z.enum(['pip', 'npm', 'maven', 'debian 12', 'alpine 3.20']),
  package: z.string().min(1),
  id: z.string().regex(/^CVE-\d{4}-\d{4,}$/),
  aliases: z.array(z.string().min(1)),
  ranges: z
    .array(z.strictObject({ introduced: z.string().min(1), fixed: z.string().min(1) }))
    .min(1)
    .optional(),
  fixed: z.string().min(1).optional(),
  published: z.iso.datetime(),
  cvss: z
    .string()
    .regex(/^CVSS:3\.1(\/[A-Z]{1,2}:[A-Z]){8}$/)
    .optional(),
  sources: z.array(z.string().min(1)).min(1),
})

function rowsOf(name: string): unknown[] {
  const text = readFileSync(new URL(`../../../data/${name}-advisories.jsonl`, import.meta.url), 'utf8')
  return text
    .trim()
    .split('\n')
    .map((line): unknown => JSON.parse(line))
}

describe('advisory rows', () => {
  it.each([
    { name: 'npm', ecosystem: 'npm', sources: 2, distribution: false, least: 6 },
    { name: 'maven', ecosystem: 'maven', sources: 2, distribution: false, least: 1 },
    { name: 'alpine', ecosystem: 'alpine 3.20', sources: 2, distribution: true, least: 6 },
    { name: 'debian', ecosystem: 'debian 12', sources: 1, distribution: true, least: 6 },
  ])('$name: every row has its shape and its sources', given => {
    const { name, ecosystem, sources, distribution, least } = given
    const rows = rowsOf(name).map(entry => row.parse(entry))
    const keys = rows.map(({ package: of, id }) => `${of} ${id}`)
    expect(rows.length).toBeGreaterThanOrEqual(least)
    expect(new Set(keys).size).toBe(rows.length)
    for (const entry of rows) {
      expect(entry.ecosystem).toBe(ecosystem)
      expect(new Set(entry.sources).size).toBeGreaterThanOrEqual(sources)
      expect(entry.fixed !== undefined).toBe(distribution)
      expect(entry.ranges === undefined).toBe(distribution)
      // Neither changelogs nor the Alpine database give a vector: such rows stay unknown.
      if (distribution) expect(entry.cvss).toBeUndefined()
    }
  })

  it('Debian rows name the package and the version of the upload that fixed them', () => {
    for (const entry of rowsOf('debian').map(given => row.parse(given))) {
      expect(entry.fixed).toMatch(/[+~]deb12u\d+$/)
      expect(entry.sources[0]).toContain(`${entry.package} ${entry.fixed ?? ''} `)
    }
  })

  it('the PyPI file is the snapshot that is described', () => {
    const rows = rowsOf('pypi').map(given => z.object({ cvss: z.string().optional() }).parse(given))
    expect(rows).toHaveLength(2650)
    expect(rows.filter(({ cvss }) => cvss !== undefined)).toHaveLength(199)
  })
})
