// Writes what is made from the source: the JSON Schemas and the page of the rules.
//   node toolchain/schemas.mjs           writes schemas/*.schema.json and docs/rules.md
//   node toolchain/schemas.mjs --check   writes nothing and fails when one of them differs
import { build } from 'esbuild'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { pathToFileURL } from 'node:url'

const ROOT = join(import.meta.dirname, '..')
/** File -> module and function that say what is in it. */
const MADE = {
  'schemas/policy.schema.json': ['src/policy/json-schema.ts', 'policySchemaText'],
  'schemas/record.schema.json': ['src/record/json-schema.ts', 'recordSchemaText'],
  'docs/rules.md': ['src/policy/rules-page.ts', 'rulesPageText'],
}

async function textOf(module, name, folder) {
  const outfile = join(folder, `${name}.mjs`)
  await build({
    absWorkingDir: ROOT,
    entryPoints: [module],
    outfile,
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    loader: { '.yaml': 'text' },
    logLevel: 'warning',
  })
  const loaded = await import(pathToFileURL(outfile).href)
  return loaded[name]()
}

const check = process.argv.includes('--check')
const folder = mkdtempSync(join(tmpdir(), 'portcullis-schemas-'))
try {
  for (const [file, [module, name]] of Object.entries(MADE)) {
    const text = await textOf(module, name, folder)
    const path = join(ROOT, file)
    const same = existsSync(path) && readFileSync(path, 'utf8') === text
    if (same) continue
    if (check) {
      console.error(`${file} is not what ${module} makes. Run: npm run schemas`)
      process.exitCode = 1
    } else {
      mkdirSync(dirname(path), { recursive: true })
      writeFileSync(path, text)
      console.log(`wrote ${file}`)
    }
  }
} finally {
  rmSync(folder, { recursive: true, force: true })
}
