import { existsSync, readFileSync, readdirSync } from 'node:fs'
import { join, relative, sep } from 'node:path'
import { buildFlags } from './go.mjs'
import { BuildError, readJson, sha256 } from './files.mjs'

/**
 * What is to be built, in the order of `tools.json`: for each name its folder, its key and where the result belongs.
 * Refuses a name that `tools.json` does not know and a `go.mod` that pins another version than `tools.json`.
 */
export function planBuilds({ toolchain, root, names, go }) {
  const { tools } = readJson(join(toolchain, 'tools.json'))
  const unknown = names.filter(name => !Object.hasOwn(tools, name))
  if (unknown.length > 0) {
    throw new BuildError(`unknown: ${unknown.join(', ')}; known are ${Object.keys(tools).join(', ')}`)
  }
  const wanted = Object.entries(tools).filter(([name]) => names.length === 0 || names.includes(name))
  return wanted.map(([name, tool]) =>
    planOne({ name, tool, dir: join(toolchain, tool.folder ?? name), root, go }),
  )
}

function planOne({ name, tool, dir, root, go }) {
  if (!existsSync(join(dir, 'go.mod'))) throw new BuildError(`${name}: there is no ${join(dir, 'go.mod')}`)
  if (!tool.own) requirePin(name, tool, readFileSync(join(dir, 'go.mod'), 'utf8'))
  const key = keyOf({ name, tool, dir, go })
  const folder = join(root, 'toolchain', `${name}-${key.slice(0, 16)}`)
  return {
    name,
    tool,
    dir,
    key,
    folder,
    path: join(folder, name),
    version: tool.version ?? `source-${key.slice(0, 12)}`,
  }
}

/** The cache key: hex SHA-256 over everything that decides the bytes of the program. */
export function keyOf({ name, tool, dir, go }) {
  const files = (tool.own ? sources(dir) : ['go.mod', 'go.sum']).map(file => [
    file,
    sha256(readFileSync(join(dir, file))),
  ])
  const env = Object.entries(tool.env ?? {}).sort()
  return sha256(JSON.stringify([name, tool.package, files, buildFlags(tool), env, go.version, go.platform]))
}

/** Every file below `dir` that a build can see: all but Go's own test files and hidden files. */
function sources(dir) {
  const entries = readdirSync(dir, { recursive: true, withFileTypes: true })
  const files = entries
    .filter(entry => entry.isFile())
    .map(entry => relative(dir, join(entry.parentPath ?? entry.path, entry.name)))
  return files
    .filter(file => !file.endsWith('_test.go') && !file.split(sep).some(part => part.startsWith('.')))
    .sort()
}

function requirePin(name, tool, text) {
  const lines = text.split('\n').map(line => line.replace(/^require\s+/, '').trim())
  if (lines.some(line => line.split(/\s+/).slice(0, 2).join(' ') === `${tool.module} v${tool.version}`))
    return
  throw new BuildError(
    `${name}: tools.json pins ${tool.module} v${tool.version}, its go.mod does not require that version`,
  )
}
