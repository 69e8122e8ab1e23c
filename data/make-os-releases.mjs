// Writes data/os-releases.json: the operating system releases whose packages the scanner has advisories for.
//   node data/make-os-releases.mjs --distro-info DIR --trivy DIR --date YYYY-MM-DD > data/os-releases.json
// --distro-info: debian.csv and ubuntu.csv of Debian's package distro-info-data (usr/share/distro-info).
// --trivy: the source of the pinned Trivy (the Go module's folder); facts alone are read from its detectors.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'

const { values } = parseArgs({
  options: { 'distro-info': { type: 'string' }, trivy: { type: 'string' }, date: { type: 'string' } },
})
const distroInfo = values['distro-info']
const { trivy, date } = values
if (!distroInfo || !trivy || !date) throw new Error('give --distro-info, --trivy and --date')

/** Releases that were out on the day of the list, with the end of their free support (Debian: with LTS). */
function released(file, column) {
  const [head, ...rows] = readFileSync(join(distroInfo, file), 'utf8').trim().split('\n')
  const names = head.split(',')
  return Object.fromEntries(
    rows.flatMap(row => {
      const cells = row.split(',')
      const cell = name => cells[names.indexOf(name)] ?? ''
      if (cell('release') === '' || cell('release') > date) return []
      return [[cell('version').replace(/ LTS$/, ''), cell(column) || cell('eol')]]
    }),
  )
}

/** A table `"version": time.Date(y, m, d, …)` of one detector; 3000 and 9999 stand for a day nobody named. */
function table(path, from = '') {
  const text = readFileSync(join(trivy, 'pkg/detector/ospkg', path), 'utf8')
  const start = text.indexOf(from)
  if (start === -1) throw new Error(`${path} has no ${from}`)
  const end = text.indexOf('\n\t}', start)
  const block = text.slice(start, text.indexOf('\n}', start) < end || end === -1 ? text.indexOf('\n}', start) : end)
  const rows = block.matchAll(/^\s*"([^"]+)":\s+time\.Date\((\d+), (\d+), (\d+),/gm)
  const pad = number => number.padStart(2, '0')
  const found = [...rows].map(([, version, year, month, day]) => [
    version,
    Number(year) >= 3000 ? '' : `${year}-${pad(month)}-${pad(day)}`,
  ])
  if (found.length === 0) throw new Error(`${path} has no table`)
  return Object.fromEntries(found)
}

const only = (releases, test) => Object.fromEntries(Object.entries(releases).filter(([version]) => test(version)))
/** Trivy matches packages of Red Hat by content sets, and knows those of these releases alone. */
const hasContentSets = version => ['6', '7', '8', '9'].includes(version)

/** `by`: how VERSION_ID names a release. exact: as it stands; major, minor: its first one or two numbers. */
const system = (id, database, by, releases, family = id) => ({ id, family, database, by, releases })
const rolling = (id, database, family = id) => ({ id, family, database, by: 'rolling', releases: {} })

const redhat = 'redhat/redhat.go'
const suse = 'suse/suse.go'
const micro = table(suse, 'slemicroEolDates')
const list = {
  date,
  sources: [
    'distro-info-data (Debian package, ISC licence): Debian, Ubuntu',
    'Trivy 0.74.0 (Apache-2.0), facts read from its detectors: everything else',
  ],
  systems: [
    system('debian', 'dpkg', 'major', released('debian.csv', 'eol-lts')),
    system('ubuntu', 'dpkg', 'exact', released('ubuntu.csv', 'eol')),
    rolling('echo', 'dpkg'),
    system('alpine', 'apk', 'minor', only(table('alpine/alpine.go', 'eolDates'), version => version !== 'edge')),
    rolling('wolfi', 'apk'),
    rolling('chainguard', 'apk'),
    rolling('minimos', 'apk'),
    system('rhel', 'rpm', 'major', only(table(redhat, 'redhatEOLDates'), hasContentSets), 'redhat'),
    system('centos', 'rpm', 'major', only(table(redhat, 'centosEOLDates'), hasContentSets)),
    system('rocky', 'rpm', 'major', table('rocky/rocky.go', 'eolDates')),
    system('almalinux', 'rpm', 'major', table('alma/alma.go', 'eolDates'), 'alma'),
    system('ol', 'rpm', 'major', table('oracle/oracle.go', 'eolDates'), 'oracle'),
    system('amzn', 'rpm', 'major', table('amazon/amazon.go', 'eolDates'), 'amazon'),
    system('photon', 'rpm', 'exact', table('photon/photon.go', 'eolDates')),
    system('azurelinux', 'rpm', 'minor', { '3.0': '' }),
    system('mariner', 'rpm', 'minor', { '1.0': '', '2.0': '' }, 'cbl-mariner'),
    system('sles', 'rpm', 'exact', table(suse, 'slesEolDates')),
    ...['sle-micro', 'sl-micro', 'sle-micro-rancher'].map(id => system(id, 'rpm', 'exact', micro, 'slem')),
    ...['opensuse-leap', 'opensuse'].map(id =>
      system(id, 'rpm', 'exact', table(suse, 'opensuseEolDates'), 'opensuse-leap'),
    ),
    rolling('opensuse-tumbleweed', 'rpm'),
  ],
}
process.stdout.write(`${JSON.stringify(list, null, 1)}\n`)
