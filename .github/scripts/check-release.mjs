// Refuses a release whose tag, version, changelog and address do not belong together.
// Usage: node .github/scripts/check-release.mjs --tag v1.2.3 --repository owner/name
// Reads the repository in the working directory, prints every problem at once, exits 1 with any, else 0.
import { readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'

const PROJECT_URI = /\bPROJECT_URI\s*(?::\s*string\s*)?=\s*(['"`])([^'"`]*)\1/g
const PLACEHOLDER = /github\.com\/OWNER\b/

/** All files below a folder, as paths from the working directory. A missing folder throws. */
function filesBelow(folder) {
  return readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter(entry => entry.isFile())
    .map(entry => join(entry.parentPath, entry.name))
    .sort()
}

function checkVersion(tag) {
  if (!/^v\d+\.\d+\.\d+$/.test(tag)) return [`the tag ${tag} is not of the form v1.2.3`]
  const { version } = JSON.parse(readFileSync('package.json', 'utf8'))
  return `v${version}` === tag ? [] : [`package.json says ${version}, the tag says ${tag}`]
}

function checkChangelog(tag) {
  const heading = `## [${tag.slice(1)}]`
  const found = readFileSync('CHANGELOG.md', 'utf8')
    .split('\n')
    .some(line => line.startsWith(heading))
  return found ? [] : [`CHANGELOG.md has no section "${heading}"`]
}

/** Zero declarations are a problem as well: a rename must not switch this check off. */
function checkProjectUri(repository) {
  const expected = `https://github.com/${repository}`
  const declared = filesBelow('src').flatMap(file =>
    [...readFileSync(file, 'utf8').matchAll(PROJECT_URI)].map(match => ({ file, uri: match[2] })),
  )
  if (declared.length !== 1) {
    return [`src must declare PROJECT_URI exactly once as a plain string, found ${declared.length}`]
  }
  return declared
    .filter(({ uri }) => uri !== expected)
    .map(({ file, uri }) => `${file}: PROJECT_URI is ${uri}, this repository is ${expected}`)
}

function checkPlaceholder() {
  return ['src', 'dist']
    .flatMap(filesBelow)
    .concat('action.yml')
    .filter(file => PLACEHOLDER.test(readFileSync(file, 'utf8')))
    .map(file => `${file} still holds the placeholder OWNER`)
}

const { values } = parseArgs({ options: { tag: { type: 'string' }, repository: { type: 'string' } } })
if (values.tag === undefined || values.repository === undefined) {
  console.error('check-release: --tag and --repository are needed')
  process.exit(1)
}
const problems = [
  ...checkVersion(values.tag),
  ...checkChangelog(values.tag),
  ...checkProjectUri(values.repository),
  ...checkPlaceholder(),
]
for (const problem of problems) console.error(`check-release: ${problem}`)
process.exit(problems.length === 0 ? 0 : 1)
