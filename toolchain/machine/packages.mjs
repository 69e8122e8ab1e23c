import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { sha256File } from '../build/files.mjs'
import { MachineError, say } from './report.mjs'

/**
 * The absolute path of the Node that actions run on (`using: node24`), taken from its npm package and compared with
 * the pinned SHA-256 each time. The Node that runs this is taken when it is that very version.
 */
export async function ensureNode({ root, node }) {
  if (process.version === `v${node.version}`) return process.execPath
  const platform = `${process.platform}-${process.arch}`
  const pinned = node.platforms[platform]
  if (!pinned)
    throw new MachineError(
      `Node ${node.version} is needed and not pinned for ${platform}: put it on PATH and run again with it.`,
    )
  const folder = join(root, 'node', `${node.version}-${platform}`)
  const path = join(folder, 'node_modules', pinned.package, 'bin', 'node')
  if (existsSync(path) && (await sha256File(path)) === pinned.sha256) return path
  say(`unpacking Node ${node.version} from ${pinned.package}`)
  fill(folder, temp => {
    const flags = [
      '--prefix',
      temp,
      '--no-save',
      '--no-package-lock',
      '--ignore-scripts',
      '--no-audit',
      '--no-fund',
    ]
    run('npm', ['install', ...flags, `${pinned.package}@${node.version}`], temp)
  })
  const found = await sha256File(path)
  if (found !== pinned.sha256)
    throw new MachineError(`${path} has SHA-256 ${found}, machine.json pins ${pinned.sha256}`)
  return path
}

/** The absolute path of zizmor in a virtual environment of its own; pip compares the wheel with its pinned hash. */
export async function ensureZizmor({ root, python, requirements }) {
  return await ensureEnvironment({ root, python, requirements, name: 'zizmor', program: 'zizmor' })
}

/** The Python of a virtual environment that validates SBOMs: PyPI's spdx-tools and cyclonedx-python-lib, pinned. */
export async function ensureSbomPython({ root, python, requirements }) {
  return await ensureEnvironment({ root, python, requirements, name: 'sbom', program: 'python3' })
}

async function ensureEnvironment({ root, python, requirements, name, program }) {
  const folder = join(root, name, (await sha256File(requirements)).slice(0, 16))
  const path = join(folder, 'bin', program)
  if (existsSync(path)) return path
  say(`installing ${name} into a virtual environment`)
  fill(folder, temp => {
    run(python, ['-m', 'venv', temp], dirname(temp))
    const flags = ['--quiet', '--no-deps', '--only-binary', ':all:', '--require-hashes', '-r', requirements]
    run(join(temp, 'bin', 'python3'), ['-m', 'pip', 'install', ...flags], temp)
  })
  return path
}

/** Fills a temporary folder and moves it into place in one step, so that a half-filled one is never used. */
function fill(folder, work) {
  mkdirSync(dirname(folder), { recursive: true })
  const temp = mkdtempSync(`${folder}.`)
  try {
    work(temp)
    rmSync(folder, { recursive: true, force: true })
    renameSync(temp, folder)
  } finally {
    rmSync(temp, { recursive: true, force: true })
  }
}

function run(file, args, cwd) {
  try {
    execFileSync(file, args, { cwd, stdio: ['ignore', 2, 2] })
  } catch (error) {
    throw new MachineError(
      `"${file} ${args[0]} ${args[1]}" failed (${error.code ?? `exit code ${error.status}`})`,
    )
  }
}
