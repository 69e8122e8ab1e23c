#!/usr/bin/env node
// Builds the pinned tools, and our own Go programs, from the Go module proxy: see README.md beside this file.
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { BuildError, readJson, requireDisk, say } from './build/files.mjs'
import { askGo, emptyGoCaches, goEnvironment, goFolders } from './build/go.mjs'
import { withLock } from './build/lock.mjs'
import { planBuilds } from './build/plan.mjs'
import { build, cached, sweep } from './build/store.mjs'
import { cacheRoot } from './cache-root.mjs'

const USAGE = `usage: node toolchain/build.mjs [NAME...] [--json] [--out FILE] [--write-hashes] [--keep-go-cache]
  Builds what is missing and prints where it is. --out also writes the JSON to FILE after each program.
  --write-hashes notes the hashes of the pinned tools in hashes.json. --toolchain DIR uses another folder.`

async function main() {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      ...{ json: { type: 'boolean' }, help: { type: 'boolean' }, 'write-hashes': { type: 'boolean' } },
      ...{ 'keep-go-cache': { type: 'boolean' }, out: { type: 'string' }, toolchain: { type: 'string' } },
    },
  })
  if (values.help) return console.log(USAGE)
  const toolchain = resolve(values.toolchain ?? dirname(fileURLToPath(import.meta.url)))
  const root = cacheRoot()
  mkdirSync(join(root, 'toolchain'), { recursive: true })
  const go = await askGo(readJson(join(toolchain, 'tools.json')).go, root)
  const hashes = readJson(join(toolchain, 'hashes.json'))
  const plans = planBuilds({ toolchain, root, names: positionals, go })
  const { result, failed } = await buildAll({
    plans,
    root,
    go,
    hashes,
    out: values.out,
    keep: values['keep-go-cache'],
  })
  if (values['write-hashes']) writeHashes({ toolchain, hashes, go, plans, result })
  if (values.json) console.log(JSON.stringify(result, null, 2))
  else for (const [name, { path }] of Object.entries(result)) console.log(`${name} ${path}`)
  if (failed.length > 0) throw new BuildError(`not built: ${failed.join(', ')}`)
}

async function buildAll({ plans, root, go, hashes, out, keep }) {
  const state = { result: {}, failed: [], times: [], built: 0 }
  const context = { root, go, hashes, state, out }
  const missing = []
  for (const plan of plans) if (!(await useCached(plan, context))) missing.push(plan)
  if (missing.length > 0)
    await withLock(join(root, 'toolchain', 'build.lock'), () => buildMissing(missing, context, keep))
  if (state.built > 0) for (const line of state.times) say(line)
  return state
}

async function buildMissing(missing, context, keep) {
  const { root, go, state } = context
  sweep(root)
  for (const plan of missing) {
    if (await useCached(plan, context)) continue
    await buildOne(plan, context).catch(error => {
      if (!(error instanceof BuildError)) throw error
      say(error.message)
      state.failed.push(plan.name)
    })
  }
  if (!keep && state.built > 0) await emptyGoCaches(root, goEnvironment({ root, modules: go.modules }))
}

async function useCached(plan, context) {
  const sha256 = await cached(plan, expectedHash(plan, context))
  if (sha256 === undefined) return false
  note(plan, sha256, 'cached', context)
  return true
}

async function buildOne(plan, context) {
  const { root, go, state } = context
  const expected = expectedHash(plan, context)
  requireDisk(root, plan.tool.diskMiB ?? 1000, plan.name)
  say(
    `building ${plan.name} ${plan.version} with ${go.version} for ${go.platform}; the big ones take minutes`,
  )
  const started = Date.now()
  const used = isUsed(goFolders(root).GOCACHE)
  state.built += 1
  let sha256 = await build({ plan, root, go, expected })
  if (expected && sha256 !== expected && used) {
    say(`WARNING: ${plan.name} is not the program hashes.json expects; building again without Go's caches`)
    await emptyGoCaches(root, goEnvironment({ root, modules: go.modules }))
    sha256 = await build({ plan, root, go, expected })
  }
  if (expected && sha256 !== expected)
    say(`WARNING: ${plan.name} has SHA-256 ${sha256}, hashes.json expects ${expected}`)
  note(plan, sha256, `${((Date.now() - started) / 1000).toFixed(0)} s`, context)
}

function note(plan, sha256, time, context) {
  const { version, platform } = context.go
  const expected = expectedHash(plan, context)
  context.state.result[plan.name] = {
    path: plan.path,
    sha256,
    version: plan.version,
    go: version,
    platform,
    expected,
  }
  context.state.times.push(`${plan.name.padEnd(14)} ${plan.version.padEnd(22)} ${time.padStart(8)}`)
  if (context.out) writeFileSync(context.out, `${JSON.stringify(context.state.result, null, 2)}\n`)
}

function expectedHash(plan, { hashes, go }) {
  return hashes[go.version]?.[go.platform]?.[plan.name] ?? null
}

function isUsed(folder) {
  return existsSync(folder) && readdirSync(folder).length > 0
}

function writeHashes({ toolchain, hashes, go, plans, result }) {
  const pinned = plans
    .filter(({ name, tool }) => !tool.own && result[name])
    .map(({ name }) => [name, result[name].sha256])
  const platforms = {
    ...hashes[go.version],
    [go.platform]: { ...hashes[go.version]?.[go.platform], ...Object.fromEntries(pinned) },
  }
  writeFileSync(
    join(toolchain, 'hashes.json'),
    `${JSON.stringify({ ...hashes, [go.version]: platforms }, null, 2)}\n`,
  )
}

main().catch(error => {
  process.stderr.write(`toolchain: ${error instanceof BuildError ? error.message : error.stack}\n`)
  process.exitCode = 1
})
