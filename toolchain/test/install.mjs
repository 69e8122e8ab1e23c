import { createHash } from 'node:crypto'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** Whether `npm ci` has to run: no node_modules, or not the one of this lock file and this package.json. */
export function needsInstall(repo) {
  return !existsSync(stampPath(repo)) || readFileSync(stampPath(repo), 'utf8') !== lockHash(repo)
}

/** Notes beside the packages which lock file they were installed from. */
export function noteInstall(repo) {
  writeFileSync(stampPath(repo), lockHash(repo))
}

function stampPath(repo) {
  return join(repo, 'node_modules', '.installed-from')
}

function lockHash(repo) {
  const hash = createHash('sha256')
  for (const file of ['package.json', 'package-lock.json'])
    hash.update(readFileSync(join(repo, file))).update('\0')
  return hash.digest('hex')
}
