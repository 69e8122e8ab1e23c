// Builds dist/ (esbuild, unminified CommonJS for Node 20 and later) with a file of licences.
//   node toolchain/bundle.mjs           writes dist/
//   node toolchain/bundle.mjs --check   builds aside and fails when dist/ differs
import { build } from 'esbuild'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const ROOT = join(import.meta.dirname, '..')
const BANNER = "const importMetaUrl = require('node:url').pathToFileURL(__filename).href;"

async function bundle(outdir) {
  const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'))
  const result = await build({
    absWorkingDir: ROOT,
    entryPoints: ['index', 'post', 'cli'].map(name => ({ in: `src/${name}.ts`, out: name })),
    outdir,
    bundle: true,
    platform: 'node',
    format: 'cjs',
    target: 'node20',
    outExtension: { '.js': '.cjs' },
    banner: { js: BANNER },
    define: { 'import.meta.url': 'importMetaUrl', PORTCULLIS_VERSION: JSON.stringify(version) },
    loader: { '.yaml': 'text' },
    conditions: ['import', 'node'],
    mainFields: ['module', 'main'],
    legalComments: 'none',
    charset: 'utf8',
    metafile: true,
    logLevel: 'warning',
  })
  writeFileSync(join(outdir, 'licenses.txt'), licences(Object.keys(result.metafile.inputs)))
}

/** Name, version and licence text of every package that has a file in the bundle, sorted. */
function licences(inputs) {
  const folders = new Set()
  for (const input of inputs) {
    const match = /^(.*node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(input)
    if (match) folders.add(match[1])
  }
  const entries = [...folders].map(folder => {
    const manifest = JSON.parse(readFileSync(join(ROOT, folder, 'package.json'), 'utf8'))
    const file = readdirSync(join(ROOT, folder)).find(name => /^licen[cs]e/i.test(name))
    const text = file
      ? readFileSync(join(ROOT, folder, file), 'utf8').trim()
      : 'No licence file in the package.'
    return { title: `${manifest.name} ${manifest.version} (${manifest.license})`, text }
  })
  entries.sort((a, b) => (a.title < b.title ? -1 : 1))
  return entries.map(({ title, text }) => `${title}\n\n${text}\n`).join(`\n${'-'.repeat(80)}\n\n`)
}

function differences(fresh, committed) {
  const names = new Set([...readdirSync(fresh), ...(existsSync(committed) ? readdirSync(committed) : [])])
  return [...names].filter(name => {
    const [a, b] = [join(fresh, name), join(committed, name)]
    return !existsSync(a) || !existsSync(b) || !readFileSync(a).equals(readFileSync(b))
  })
}

const dist = join(ROOT, 'dist')
if (process.argv.includes('--check')) {
  const fresh = mkdtempSync(join(tmpdir(), 'portcullis-dist-'))
  try {
    await bundle(fresh)
    const changed = differences(fresh, dist)
    if (changed.length > 0) {
      console.error(`dist/ is not what src/ builds: ${changed.join(', ')}. Run: npm run build`)
      process.exitCode = 1
    }
  } finally {
    rmSync(fresh, { recursive: true, force: true })
  }
} else {
  rmSync(dist, { recursive: true, force: true })
  mkdirSync(dist)
  await bundle(dist)
}
