import type { Digest } from './evidence/digest.js'
import { pinnedReference, type ImageReference } from './evidence/reference.js'

/** One input of the action, which is also one flag of the terminal. The only list of names there is. */
export interface InputSpec {
  readonly name: string
  readonly description: string
  readonly default?: string
  /** Literal values that this version takes; others of the interface are refused by name. */
  readonly values?: readonly string[]
  /** Values of the interface that this version refuses as "not available yet". */
  readonly later?: readonly string[]
  /** False: the whole input is not available yet; giving it is a configuration error. */
  readonly available: boolean
}

const SURFACE = { default: 'never', values: ['never'], later: ['auto', 'always'], available: true } as const

function later(name: string, description: string): InputSpec {
  return { name, description, available: false }
}

/** Inputs in the order of the README. */
export const INPUTS: readonly InputSpec[] = [
  { name: 'image', description: 'Name to release, without tag: registry/path.', available: true },
  {
    name: 'subject',
    description:
      'An image that exists already, as oci-layout:DIR, archive:FILE, docker:REF or registry:REF@sha256:…. Empty: build the context.',
    available: true,
  },
  { name: 'context', description: 'Build context, a folder.', default: '.', available: true },
  {
    name: 'file',
    description: 'Dockerfile, relative to the context.',
    default: 'Dockerfile',
    available: true,
  },
  { name: 'target', description: 'Build stage to build.', available: true },
  { name: 'build-args', description: 'Build arguments, one NAME=VALUE a line.', available: true },
  {
    name: 'build-contexts',
    description:
      'Named build contexts, one NAME=VALUE a line: a folder, oci-layout://DIR, docker-image://REF or a URL.',
    available: true,
  },
  {
    name: 'secrets',
    description: 'Build secrets, one a line: id=NAME,src=FILE or id=NAME,env=VARIABLE.',
    available: true,
  },
  {
    name: 'ssh',
    description: 'SSH agents for the build, one a line: default or ID=SOCKET.',
    available: true,
  },
  {
    name: 'platforms',
    description: 'Platforms such as linux/amd64, separated by commas or lines. Empty: that of the engine.',
    available: true,
  },
  { name: 'labels', description: 'Image labels, one NAME=VALUE a line.', available: true },
  {
    name: 'annotations',
    description: 'Annotations of the manifest of each image, one NAME=VALUE a line.',
    available: true,
  },
  {
    name: 'network',
    description: 'Network mode of RUN steps: default, none or host.',
    values: ['default', 'none', 'host'],
    available: true,
  },
  {
    name: 'cache-from',
    description: 'Build caches to read, one a line, such as type=registry,ref=REF.',
    available: true,
  },
  {
    name: 'cache-to',
    description: 'Build caches to write, one a line; only after the verdict pass, on trusted refs.',
    available: true,
  },
  { name: 'builder', description: 'Name of an existing builder of buildx.', available: true },
  {
    name: 'engine',
    description: 'Build engine: auto, buildx, docker or buildah.',
    default: 'auto',
    values: ['auto', 'buildx', 'docker', 'buildah'],
    available: true,
  },
  {
    name: 'no-cache',
    description: 'Build without the cache of the engine.',
    default: 'false',
    available: true,
  },
  {
    name: 'pull',
    description: 'Always ask the registry for newer bases.',
    default: 'false',
    available: true,
  },
  {
    name: 'policy',
    description: 'Policy file. Default: .github/portcullis.yml or .yaml, else the profile recommended.',
    available: true,
  },
  {
    name: 'publish',
    description: 'auto: on pushes to the default branch; never; always: publish or fail.',
    default: 'auto',
    values: ['auto', 'never', 'always'],
    available: true,
  },
  {
    name: 'tags',
    description:
      'Tags to set at the very end, separated by commas or lines: names, full references of the image, or auto (v1.2.3 gives 1.2.3, 1.2, 1, latest; a branch gives sha-COMMIT, edge).',
    available: true,
  },
  {
    name: 'overwrite',
    description: 'Those of the tags that may be moved, forward in the history of the commits alone.',
    available: true,
  },
  {
    name: 'sign',
    description:
      'keyless: sign as this job (default on events); key: with a Cosign key; none: push by digest and do not tag.',
    values: ['keyless', 'key', 'none'],
    later: ['kms'],
    available: true,
  },
  {
    name: 'key',
    description: 'Cosign private key: a file, or env://NAME. Its password is in COSIGN_PASSWORD.',
    available: true,
  },
  {
    name: 'signing-config',
    description: 'Signing configuration of an own Sigstore, a file. Default: the public Sigstore.',
    available: true,
  },
  {
    name: 'trusted-root',
    description: 'Trusted root of an own Sigstore, a file. Default: the public Sigstore.',
    available: true,
  },
  {
    name: 'registry',
    description: 'embedded: a registry of this run on loopback. Default: the host of the image name.',
    available: true,
  },
  { name: 'registry-username', description: 'User name at the registry.', available: true },
  { name: 'registry-password', description: 'Password or token at the registry.', available: true },
  {
    name: 'tools',
    description: 'Where the programs come from: auto, release, mirror:URL, dir:PATH, path or source.',
    default: 'auto',
    available: true,
  },
  {
    name: 'database',
    description: 'Vulnerability database: a folder, a .tar.gz file or URL, or an OCI reference.',
    available: true,
  },
  later('kev', 'Another list of known exploited vulnerabilities.'),
  {
    name: 'output',
    description: 'Folder for the record and the reports.',
    default: 'portcullis-report',
    available: true,
  },
  later('github-token', 'Token for comments, checks and uploads.'),
  { name: 'comment', description: 'Comment on the pull request.', ...SURFACE },
  { name: 'check', description: 'Check run on the head commit.', ...SURFACE },
  { name: 'sarif', description: 'Upload to code scanning.', ...SURFACE },
  { name: 'snapshot', description: 'Dependency snapshot.', ...SURFACE },
  { name: 'attestations', description: 'Copy of the attestations at GitHub.', ...SURFACE },
  { name: 'artifact', description: 'Upload of the report folder.', ...SURFACE },
  { name: 'timeout', description: 'Minutes for the whole run.', default: '60', available: true },
]

/** Where the image comes from. */
export type SubjectSource =
  | { readonly kind: 'build' }
  | { readonly kind: 'oci-layout'; readonly dir: string }
  /** A tar as `docker save` writes it, or an OCI archive. */
  | { readonly kind: 'archive'; readonly file: string }
  /** An image of the Docker engine here: a name, or an id. */
  | { readonly kind: 'docker'; readonly reference: string }
  /** An image in a registry, by digest alone. */
  | { readonly kind: 'registry'; readonly image: ImageReference; readonly digest: Digest }

/** The subject as it is asked for, for the record. */
export function subjectText(subject: SubjectSource): string {
  switch (subject.kind) {
    case 'build':
      return 'build'
    case 'oci-layout':
      return `oci-layout:${subject.dir}`
    case 'archive':
      return `archive:${subject.file}`
    case 'docker':
      return `docker:${subject.reference}`
    case 'registry':
      return `registry:${pinnedReference(subject.image, subject.digest)}`
  }
}

/** A secret of the build as it is asked for: a file, or the name of a variable. Never its value. */
export type SecretSource =
  { readonly id: string; readonly file: string } | { readonly id: string; readonly env: string }

/** One validated request: what action inputs and terminal flags both become. Paths are as given. */
export interface Request {
  readonly image: string
  readonly subject: SubjectSource
  readonly context: string
  readonly file: string
  readonly target?: string
  readonly buildArgs: readonly string[]
  readonly platforms: readonly string[]
  readonly labels: Readonly<Record<string, string>>
  readonly annotations: Readonly<Record<string, string>>
  readonly buildContexts: Readonly<Record<string, string>>
  readonly secrets: readonly SecretSource[]
  readonly ssh: readonly string[]
  readonly cacheFrom: readonly string[]
  readonly cacheTo: readonly string[]
  readonly builder?: string
  readonly network?: 'default' | 'none' | 'host'
  readonly engine: 'auto' | 'buildx' | 'docker' | 'buildah'
  readonly noCache: boolean
  readonly pull: boolean
  readonly policy?: string
  readonly publish: 'auto' | 'never' | 'always'
  /** May hold `auto`. */
  readonly tags: readonly string[]
  readonly overwrite: readonly string[]
  readonly sign?: 'keyless' | 'key' | 'none'
  readonly key?: string
  readonly signingConfig?: string
  readonly trustedRoot?: string
  readonly embeddedRegistry: boolean
  readonly registryUsername?: string
  readonly registryPassword?: string
  readonly tools: string
  readonly database?: string
  readonly output: string
  readonly timeoutMs: number
}
