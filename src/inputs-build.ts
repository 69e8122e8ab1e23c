import { assignments, booleanValue, linesOf, optional, refuse, type Reading } from './inputs-reading.js'
import type { Request, SecretSource } from './request.js'

const PLATFORM = /^[a-z0-9]+\/[a-z0-9_]+(?:\/[a-z0-9]+)?$/
const ARGUMENT = /^[A-Za-z_][A-Za-z0-9_.-]*$/
const LABEL = /^[A-Za-z0-9_][A-Za-z0-9_./-]*$/
const CONTEXT = /^[A-Za-z0-9][A-Za-z0-9._:/@-]{0,511}$/
const CONTEXT_SCHEMES = ['oci-layout', 'docker-image', 'https', 'git', 'ssh']
const SECRET = /^id=(?<id>[A-Za-z0-9_.-]{1,128}),(?:src=(?<file>.+)|env=(?<env>[A-Za-z_][A-Za-z0-9_]*))$/
const SSH = /^(?:default|[A-Za-z0-9_.-]{1,128}=.+)$/
const BUILDER = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,127}$/
/** The runner's own tokens and files are handed to no engine, by no name. */
const RUNNER_VARIABLE = /^(?:ACTIONS_|INPUT_|GITHUB_(?:ENV|PATH|OUTPUT|STATE|STEP_SUMMARY)$)/

/** Inputs that say how an image is built. They mean nothing when the image is ready. */
export const BUILD_INPUTS = [
  ...['target', 'build-args', 'build-contexts', 'secrets', 'ssh', 'platforms', 'labels', 'annotations'],
  ...['network', 'cache-from', 'cache-to', 'builder'],
] as const

type BuildInputs = Pick<
  Request,
  | 'target'
  | 'buildArgs'
  | 'platforms'
  | 'labels'
  | 'annotations'
  | 'buildContexts'
  | 'secrets'
  | 'ssh'
  | 'cacheFrom'
  | 'cacheTo'
  | 'builder'
  | 'network'
  | 'engine'
  | 'noCache'
  | 'pull'
>

/** Reads everything that says how an image is built. */
export function buildInputs(reading: Reading): BuildInputs {
  const network = reading.value('network')
  return {
    ...optional('target', reading.value('target')),
    buildArgs: assignments(reading, 'build-args', ARGUMENT).map(([name, text]) => `${name}=${text}`),
    platforms: platforms(reading),
    labels: Object.fromEntries(assignments(reading, 'labels', LABEL)),
    annotations: Object.fromEntries(assignments(reading, 'annotations', LABEL)),
    buildContexts: buildContexts(reading),
    secrets: secrets(reading),
    ssh: sshAgents(reading),
    cacheFrom: caches(reading, 'cache-from'),
    cacheTo: caches(reading, 'cache-to'),
    ...optional('builder', builder(reading)),
    ...(network === 'default' || network === 'none' || network === 'host' ? { network } : {}),
    engine: engine(reading.value('engine')),
    noCache: booleanValue(reading, 'no-cache'),
    pull: booleanValue(reading, 'pull'),
  }
}

function engine(text: string): Request['engine'] {
  return text === 'buildx' || text === 'docker' || text === 'buildah' ? text : 'auto'
}

function platforms(reading: Reading): readonly string[] {
  const list = reading
    .value('platforms')
    .split(/[\s,]+/)
    .filter(text => text !== '')
  for (const text of list) {
    if (!PLATFORM.test(text))
      refuse(reading, 'platforms', `expected os/arch or os/arch/variant, got '${text}'.`)
  }
  return [...new Set(list)]
}

function buildContexts(reading: Reading): Readonly<Record<string, string>> {
  const found = assignments(reading, 'build-contexts', CONTEXT)
  for (const [name, value] of found) {
    const scheme = /^([A-Za-z][A-Za-z0-9+.-]*):\/\//.exec(value)?.[1]
    if (value === '' || (scheme !== undefined && !CONTEXT_SCHEMES.includes(scheme))) {
      const schemes = CONTEXT_SCHEMES.map(text => `${text}://`).join(', ')
      refuse(reading, 'build-contexts', `'${name}' expects a folder, or one of ${schemes}.`)
    }
  }
  return Object.fromEntries(found)
}

function secrets(reading: Reading): readonly SecretSource[] {
  const found = new Map<string, SecretSource>()
  for (const [index, line] of linesOf(reading, 'secrets').entries()) {
    const { id, file, env } = SECRET.exec(line)?.groups ?? {}
    // The line is not shown: someone may have written the value of the secret in it.
    if (id === undefined) {
      const form = 'id=NAME,src=FILE or id=NAME,env=VARIABLE'
      refuse(reading, 'secrets', `expected ${form} on each line; line ${index + 1} is not of that form.`)
    } else if (found.has(id)) refuse(reading, 'secrets', `'${id}' is given twice.`)
    else if (env !== undefined && RUNNER_VARIABLE.test(env))
      refuse(reading, 'secrets', `${env} belongs to the runner and is handed to no build.`)
    else if (env !== undefined) found.set(id, { id, env })
    else if (file !== undefined) found.set(id, { id, file })
  }
  return [...found.values()]
}

function sshAgents(reading: Reading): readonly string[] {
  const list = linesOf(reading, 'ssh')
  for (const text of list) {
    if (!SSH.test(text)) refuse(reading, 'ssh', `expected default or ID=SOCKET on each line, got '${text}'.`)
  }
  return list
}

function caches(reading: Reading, name: 'cache-from' | 'cache-to'): readonly string[] {
  const list = linesOf(reading, name)
  for (const text of list) {
    if (/(?:^|,)type=gha(?:,|$)/.test(text)) {
      const why =
        "type=gha needs the runner's token, which no engine is given. Use type=registry or type=local."
      refuse(reading, name, why)
    } else if (name === 'cache-to' && /(?:^|,)type=inline(?:,|$)/.test(text)) {
      const why = 'type=inline would be part of the image, which is judged before any cache is written.'
      refuse(reading, name, `${why} Use type=registry or type=local.`)
    } else if (text.startsWith('-')) {
      refuse(reading, name, `expected type=TYPE,… or an image on each line, got '${text}'.`)
    }
  }
  return list
}

function builder(reading: Reading): string {
  const text = reading.value('builder')
  if (text !== '' && !BUILDER.test(text))
    refuse(reading, 'builder', `'${text}' is not the name of a builder.`)
  return text
}
