import { homedir } from 'node:os'
import { isAbsolute, join } from 'node:path'
import { BuildError } from './build/files.mjs'

/**
 * The folder that everything fetched or built for development lives below: `$PORTCULLIS_CACHE`, else
 * `$XDG_CACHE_HOME/portcullis`, else `~/.cache/portcullis`. Refuses a relative path, which would mean another
 * folder in each working directory.
 */
export function cacheRoot(env = process.env) {
  const own = env['PORTCULLIS_CACHE']
  if (own) return absolute('PORTCULLIS_CACHE', own)
  const xdg = env['XDG_CACHE_HOME']
  if (xdg) return join(absolute('XDG_CACHE_HOME', xdg), 'portcullis')
  return join(homedir(), '.cache', 'portcullis')
}

function absolute(name, value) {
  if (!isAbsolute(value)) throw new BuildError(`${name} must be an absolute path, but is "${value}"`)
  return value
}
