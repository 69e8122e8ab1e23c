import { execFileSync, spawnSync } from 'node:child_process'
import { accessSync, constants, readFileSync } from 'node:fs'
import { MachineError, say } from './report.mjs'

/**
 * The absolute path of each Debian program the tests use. What is missing is installed on Debian as root, and said;
 * elsewhere everything that is missing is named at once and the run ends. PATH is not searched: a client of another
 * version in front of Debian's must not be taken for it.
 */
export function ensurePrograms({ programs, pythonModules }) {
  const packages = missingPackages({ programs, pythonModules })
  if (packages.length > 0) install(packages)
  const still = missingPackages({ programs, pythonModules })
  if (still.length > 0) throw new MachineError(`still missing after the installation: ${still.join(', ')}`)
  return Object.fromEntries(Object.entries(programs).map(([name, { paths }]) => [name, find(paths)]))
}

function missingPackages({ programs, pythonModules }) {
  const absent = Object.values(programs).flatMap(({ paths, package: name }) => (find(paths) ? [] : [name]))
  const python = find(programs.python3.paths)
  const modules = Object.entries(pythonModules).flatMap(([name, owner]) =>
    python && imports(python, name) ? [] : [owner],
  )
  return [...new Set([...absent, ...modules])]
}

function find(paths) {
  return paths.find(path => {
    try {
      accessSync(path, constants.X_OK)
      return true
    } catch {
      return false
    }
  })
}

function imports(python, module) {
  return spawnSync(python, ['-c', `import ${module}`], { stdio: 'ignore' }).status === 0
}

function install(packages) {
  const list = packages.join(' ')
  if (!isDebian())
    throw new MachineError(`missing programs, by their Debian package: ${list}. Install them and run again.`)
  if (process.getuid?.() !== 0) {
    throw new MachineError(
      `missing Debian packages: ${list}. Run as root: apt-get install --no-install-recommends ${list}`,
    )
  }
  say(`installing Debian packages as root: ${list}`)
  const options = { stdio: ['ignore', 2, 2], env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' } }
  execFileSync('apt-get', ['update', '-q'], options)
  execFileSync('apt-get', ['install', '-q', '-y', '--no-install-recommends', ...packages], options)
}

function isDebian() {
  try {
    return /^ID=debian$/m.test(readFileSync('/etc/os-release', 'utf8'))
  } catch {
    return false
  }
}
