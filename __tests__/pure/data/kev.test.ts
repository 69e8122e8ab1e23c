import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { z } from 'zod'

const data = fileURLToPath(new URL('../../../data/', import.meta.url))
const day = z.string().regex(/^\d{4}-\d{2}-\d{2}$/)
const compact = z.strictObject({
  source: z.string(),
  version: z.literal('2025.08.25'),
  date: z.literal('2025-08-25'),
  licence: z.literal('CC0-1.0'),
  entries: z.record(z.string().regex(/^CVE-\d{4}-\d{4,}$/), day),
})
const catalogue = z.object({
  count: z.number(),
  vulnerabilities: z.array(z.object({ cveID: z.string(), dateAdded: day })),
})

it('the bundled list holds every entry of the catalogue with its day, and is what its script writes', () => {
  const text = readFileSync(join(data, 'kev.json'), 'utf8')
  const full = catalogue.parse(JSON.parse(readFileSync(join(data, 'kev-2025-08-25.json'), 'utf8')))
  const { entries } = compact.parse(JSON.parse(text))
  expect(Object.keys(entries)).toHaveLength(full.count)
  for (const { cveID, dateAdded } of full.vulnerabilities) expect(entries[cveID]).toBe(dateAdded)

  const folder = mkdtempSync(join(tmpdir(), 'kev-'))
  try {
    execFileSync(process.execPath, [join(data, 'make-kev.mjs'), join(folder, 'kev.json')])
    expect(readFileSync(join(folder, 'kev.json'), 'utf8')).toBe(text)
  } finally {
    rmSync(folder, { recursive: true })
  }
})
