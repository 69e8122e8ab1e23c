// Writes data/kev.json, the compact form that is bundled, from the catalogue beside it: CVE -> day it was added.
import { readFileSync, writeFileSync } from 'node:fs'

const here = new URL('.', import.meta.url)
const catalogue = JSON.parse(readFileSync(new URL('kev-2025-08-25.json', here), 'utf8'))
const pairs = catalogue.vulnerabilities.map(({ cveID, dateAdded }) => [cveID, dateAdded])
const entries = Object.fromEntries(pairs.sort(([a], [b]) => (a < b ? -1 : 1)))
if (Object.keys(entries).length !== catalogue.count)
  throw new Error('the catalogue does not hold what it counts')
const compact = {
  source: 'CISA Known Exploited Vulnerabilities catalogue (https://github.com/cisagov/kev-data)',
  version: catalogue.catalogVersion,
  date: catalogue.dateReleased.slice(0, 10),
  licence: 'CC0-1.0',
  entries,
}
writeFileSync(process.argv[2] ?? new URL('kev.json', here), `${JSON.stringify(compact, null, 1)}\n`)
