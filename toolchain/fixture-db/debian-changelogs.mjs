// Prints advisory rows for Debian 12, read out of changelogs: one row per CVE that an upload for bookworm
// (+deb12uN, ~deb12uN) names for the first time. What a changelog does not say (severity) is not in the row.
//   node debian-changelogs.mjs SOURCE… [--docs /usr/share/doc] > rows.jsonl
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'

const args = process.argv.slice(2)
const at = args.indexOf('--docs')
const docs = at < 0 ? '/usr/share/doc' : args.splice(at, 2)[1]
const wanted = new Set(args)
// Lines that mention a CVE without fixing it for the first time.
const aside = /regression|follow-up|upstreamed|amend|wider mitigation|not affected|revert/i

function entriesOf(text) {
  return text.split(/^(?=\S+ \([^)]+\) [^;\n]+;)/m).flatMap(entry => {
    const head = /^(\S+) \(([^)]+)\) ([^;]+);/.exec(entry)
    const date = /^ -- .*> {2}(.*)$/m.exec(entry)
    return head && date
      ? [{ source: head[1], version: head[2], suite: head[3], date: new Date(date[1]), entry }]
      : []
  })
}

function rowsOf(text) {
  const seen = new Set()
  const rows = []
  for (const { source, version, suite, date, entry } of entriesOf(text).reverse()) {
    for (const line of entry.split('\n').slice(1)) {
      for (const id of line.match(/CVE-\d{4}-\d{4,}/g) ?? []) {
        if (seen.has(id)) continue
        seen.add(id)
        if (!/deb12u\d+$/.test(version) || !suite.startsWith('bookworm') || aside.test(line)) continue
        const published = date.toISOString().replace('.000Z', 'Z')
        const from = `changelog of ${source} ${version} (${suite}), entry of ${published.slice(0, 10)}`
        rows.push({
          ecosystem: 'debian 12',
          package: source,
          id,
          aliases: [],
          fixed: version,
          published,
          sources: [from],
        })
      }
    }
  }
  return rows
}

const done = new Map()
for (const name of readdirSync(docs).sort()) {
  let text
  try {
    text = gunzipSync(readFileSync(join(docs, name, 'changelog.Debian.gz'))).toString('utf8')
  } catch {
    continue
  }
  const source = /^(\S+) \(/.exec(text)?.[1]
  if (wanted.has(source) && !done.has(source)) done.set(source, rowsOf(text))
}
for (const source of [...wanted].sort()) {
  if (!done.has(source)) throw new Error(`no changelog of ${source} below ${docs}`)
  for (const row of done.get(source)) console.log(JSON.stringify(row))
}
