import type { BuildRequest } from '../../../src/build/build-request.js'
import type { SecretInputs } from '../../../src/build/secrets.js'

/** A request that asks for nothing but a context. */
export const PLAIN: BuildRequest = {
  context: '/context',
  dockerfile: '/context/Dockerfile',
  buildArgs: [],
  platforms: [],
  labels: {},
  annotations: {},
  buildContexts: {},
  secrets: [],
  ssh: [],
  cacheFrom: [],
  cacheTo: [],
  noCache: false,
  pull: false,
  bases: [],
}

export const NO_SECRETS: SecretInputs = { args: [], variables: {}, redacted: [] }

/** A request that asks for everything there is. */
export const EVERYTHING: BuildRequest = {
  ...PLAIN,
  target: 'final',
  buildArgs: ['A=b c', 'B=$x'],
  platforms: ['linux/amd64', 'linux/arm64'],
  labels: { one: 'a b', two: '--pull' },
  annotations: { note: 'x=y' },
  buildContexts: { lib: '/lib folder' },
  secrets: [{ id: 'npm', file: '/secret' }],
  ssh: ['default', 'key=/agent'],
  cacheFrom: ['type=registry,ref=r/c'],
  cacheTo: ['type=registry,ref=r/c,mode=max'],
  builder: 'mine',
  network: 'none',
  noCache: true,
  pull: true,
}

/** True when the arguments stand in the list one after another. */
export function holds(args: readonly string[], wanted: readonly string[]): boolean {
  return args.some((_, at) => wanted.every((text, offset) => args[at + offset] === text))
}
