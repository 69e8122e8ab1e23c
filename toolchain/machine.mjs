#!/usr/bin/env node
// Makes a machine ready for the tests: Node for actions, Debian programs, zizmor. See README.md beside this file.
import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { BuildError, readJson } from './build/files.mjs'
import { withLock } from './build/lock.mjs'
import { cacheRoot } from './cache-root.mjs'
import { ensureNode, ensureSbomPython, ensureZizmor } from './machine/packages.mjs'
import { ensurePrograms } from './machine/system.mjs'

const USAGE = `usage: node toolchain/machine.mjs [--only-node] [--json] [--out FILE]
  Prints the absolute path of each program; --only-node stops after Node.`

async function main() {
  const { values } = parseArgs({
    options: {
      ...{ json: { type: 'boolean' }, help: { type: 'boolean' } },
      ...{ 'only-node': { type: 'boolean' }, out: { type: 'string' } },
    },
  })
  if (values.help) return console.log(USAGE)
  const root = cacheRoot()
  mkdirSync(root, { recursive: true })
  const found = await withLock(join(root, 'machine.lock'), () => ensureAll(root, values['only-node']))
  const text = JSON.stringify(found, null, 2)
  if (values.out) writeFileSync(values.out, `${text}\n`)
  if (values.json) console.log(text)
  else for (const [name, path] of Object.entries(found)) console.log(`${name} ${path}`)
}

async function ensureAll(root, onlyNode) {
  const here = dirname(fileURLToPath(import.meta.url))
  const wanted = readJson(join(here, 'machine.json'))
  const node24 = await ensureNode({ root, node: wanted.node })
  if (onlyNode) return { node24 }
  const programs = ensurePrograms(wanted)
  const requirements = join(here, 'machine', 'requirements.txt')
  const zizmor = await ensureZizmor({ root, python: programs.python3, requirements })
  const sbom = join(here, 'machine', 'sbom.txt')
  const sbomPython = await ensureSbomPython({ root, python: programs.python3, requirements: sbom })
  return { node24, ...programs, zizmor, sbomPython }
}

main().catch(error => {
  process.stderr.write(`machine: ${error instanceof BuildError ? error.message : error.stack}\n`)
  process.exitCode = 1
})
