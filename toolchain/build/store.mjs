import { execFile } from 'node:child_process'
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { BuildError, readJson, say, sha256File } from './files.mjs'
import { goBuild, goEnvironment } from './go.mjs'

const run = promisify(execFile)
const TEMP = '.build-'

/**
 * The SHA-256 of a program that is already built, or undefined when there is none that may be used. The file is
 * hashed each time: it must have the hash written beside it at build time and, where `expected` is known, that one.
 * Anything else in its place is reported and left to be rebuilt.
 */
export async function cached(plan, expected) {
  if (!existsSync(plan.folder)) return undefined
  const wrong = await whatIsWrong(plan, expected).catch(error => error.message)
  if (wrong === undefined) return readJson(recordPath(plan)).sha256
  say(`WARNING: the cached ${plan.name} is not what was built: ${wrong}. It is built again: ${plan.folder}`)
  return undefined
}

async function whatIsWrong(plan, expected) {
  if (!lstatSync(plan.path).isFile()) return 'it is not a plain file'
  const noted = readJson(recordPath(plan))
  if (noted.key !== plan.key) return 'its record is that of another build'
  const found = await sha256File(plan.path)
  if (noted.sha256 !== found)
    return `its SHA-256 is ${found}, ${noted.sha256} was written down when it was built`
  // A build that did not reproduce is noted as such, and not repeated in each run.
  if (expected && found !== expected && noted.expected !== expected)
    return `its SHA-256 is ${found}, hashes.json says ${expected}`
  return undefined
}

/**
 * Builds one program into a temporary folder, has it say its version, writes its hash beside it and moves the folder
 * into place in one step. Returns the SHA-256 as hex. Nothing half-built is ever visible under the final name.
 */
export async function build({ plan, root, go, expected }) {
  mkdirSync(join(root, 'toolchain'), { recursive: true })
  const temp = mkdtempSync(join(root, 'toolchain', TEMP))
  try {
    const out = join(temp, plan.name)
    const env = goEnvironment({ root, modules: go.modules, extra: plan.tool.env })
    await goBuild({ tool: plan.tool, name: plan.name, cwd: plan.dir, out, env })
    chmodSync(out, 0o755)
    await requireVersion(plan, out, temp)
    const sha256 = await sha256File(out)
    writeFileSync(
      join(temp, `${plan.name}.json`),
      `${JSON.stringify({ sha256, key: plan.key, expected: expected ?? null })}\n`,
    )
    chmodSync(temp, 0o755)
    rmSync(plan.folder, { recursive: true, force: true })
    renameSync(temp, plan.folder)
    return sha256
  } finally {
    rmSync(temp, { recursive: true, force: true })
  }
}

async function requireVersion(plan, out, home) {
  const { versionArgs, version } = plan.tool
  if (!versionArgs) return
  const env = { PATH: '/usr/bin:/bin', HOME: home, TMPDIR: home }
  const { stdout, stderr } = await run(out, versionArgs, { env, cwd: home, timeout: 60_000 })
  if (`${stdout}\n${stderr}`.includes(version)) return
  throw new BuildError(
    `${plan.name} was built but does not say ${version}: ${stdout.trim() || stderr.trim()}`,
  )
}

/** Deletes what interrupted builds left behind; only the holder of the build lock may call this. */
export function sweep(root) {
  const folder = join(root, 'toolchain')
  for (const name of readdirSync(folder)) {
    if (name.startsWith(TEMP)) rmSync(join(folder, name), { recursive: true, force: true })
  }
}

function recordPath(plan) {
  return `${plan.path}.json`
}
