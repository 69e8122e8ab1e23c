import type { BuildRequest } from './build-request.js'
import type { SecretInputs } from './secrets.js'

/**
 * Flags that `docker build` and `buildx build` share, in the words of both. Nothing of the request that has a shared
 * flag is left out; what has none (platforms in the plural, annotations, builder, caches to write) is the engine's.
 */
export function sharedFlags(
  request: BuildRequest,
  given: {
    readonly dockerfile: string
    readonly buildContexts: Readonly<Record<string, string>>
    readonly secrets: SecretInputs
  },
): readonly string[] {
  return [
    ...['--file', given.dockerfile],
    ...(request.target === undefined ? [] : ['--target', request.target]),
    ...request.buildArgs.flatMap(argument => ['--build-arg', argument]),
    ...(request.platforms.length === 0 ? [] : ['--platform', request.platforms.join(',')]),
    ...pairs('--label', request.labels),
    ...pairs('--build-context', given.buildContexts),
    ...given.secrets.args,
    ...request.ssh.flatMap(agent => ['--ssh', agent]),
    ...request.cacheFrom.flatMap(cache => ['--cache-from', cache]),
    ...(request.network === undefined ? [] : ['--network', request.network]),
    ...(request.pull ? ['--pull'] : []),
  ]
}

/** One flag for each `NAME=VALUE`. */
export function pairs(flag: string, values: Readonly<Record<string, string>>): readonly string[] {
  return Object.entries(values).flatMap(([name, value]) => [flag, `${name}=${value}`])
}
