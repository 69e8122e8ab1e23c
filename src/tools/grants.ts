import type { Grant } from './command.js'

/** What one kind of process may see of the environment. */
interface GrantList {
  /** Names that are taken over from the environment of the run when they are set there. */
  readonly inherited: readonly string[]
  /** Names that only the caller may set, one by one (`Command.variables`); never taken over. */
  readonly settable: readonly string[]
  /** True: HOME, TMPDIR and the XDG folders are fresh ones, and PATH is the system's. */
  readonly fresh: boolean
}

const PROXY = [
  ...['HTTP_PROXY', 'HTTPS_PROXY', 'NO_PROXY', 'ALL_PROXY'],
  ...['http_proxy', 'https_proxy', 'no_proxy', 'all_proxy'],
]
const CERTIFICATES = ['SSL_CERT_FILE', 'SSL_CERT_DIR']
const LIMITS = ['GOMAXPROCS', 'GOMEMLIMIT', 'SOURCE_DATE_EPOCH']
const DOCKER_CLIENT = [
  ...['DOCKER_HOST', 'DOCKER_CONTEXT', 'DOCKER_CONFIG', 'DOCKER_CERT_PATH', 'DOCKER_TLS_VERIFY'],
  ...['DOCKER_API_VERSION', 'BUILDX_CONFIG', 'BUILDX_BUILDER', 'BUILDKIT_HOST'],
]
/** Values of build secrets go to an engine under these names alone, never under names that a program may act on. */
export const BUILD_SECRET_VARIABLES: readonly string[] = Array.from(
  { length: 32 },
  (_, index) => `PORTCULLIS_BUILD_SECRET_${index}`,
)
const KMS = [
  ...['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY', 'AWS_SESSION_TOKEN', 'AWS_REGION', 'AWS_DEFAULT_REGION'],
  ...['AWS_ROLE_ARN', 'AWS_WEB_IDENTITY_TOKEN_FILE', 'AWS_PROFILE', 'AWS_CONFIG_FILE'],
  ...['AWS_SHARED_CREDENTIALS_FILE', 'AZURE_CLIENT_ID', 'AZURE_CLIENT_SECRET', 'AZURE_TENANT_ID'],
  ...['AZURE_FEDERATED_TOKEN_FILE', 'AZURE_CLIENT_CERTIFICATE_PATH', 'GOOGLE_APPLICATION_CREDENTIALS'],
  ...['VAULT_ADDR', 'VAULT_TOKEN', 'VAULT_NAMESPACE', 'TRANSIT_SECRET_ENGINE_PATH'],
]

const GRANTS: Readonly<Record<Grant, GrantList>> = {
  scanner: {
    inherited: [],
    settable: ['SYFT_CHECK_FOR_APP_UPDATE', 'SYFT_PARALLELISM', 'SYFT_CACHE_DIR', ...LIMITS],
    fresh: true,
  },
  engine: {
    inherited: [
      ...['PATH', 'HOME', 'USER', 'TMPDIR', 'XDG_RUNTIME_DIR', 'SSH_AUTH_SOCK'],
      ...[...DOCKER_CLIENT, ...PROXY, ...CERTIFICATES],
    ],
    settable: [
      ...[
        'DOCKER_BUILDKIT',
        'BUILDKIT_PROGRESS',
        'BUILDX_NO_DEFAULT_ATTESTATIONS',
        'BUILDX_METADATA_PROVENANCE',
      ],
      ...['BUILDAH_ISOLATION', 'STORAGE_DRIVER', 'REGISTRY_AUTH_FILE', ...LIMITS],
      ...BUILD_SECRET_VARIABLES,
    ],
    fresh: false,
  },
  registry: {
    inherited: [
      ...['PATH', 'HOME', 'TMPDIR', 'XDG_RUNTIME_DIR', 'DOCKER_CONFIG', 'REGISTRY_AUTH_FILE'],
      ...[...PROXY, ...CERTIFICATES],
    ],
    settable: [...LIMITS],
    fresh: false,
  },
  signer: {
    inherited: [...PROXY, ...CERTIFICATES],
    settable: ['COSIGN_PASSWORD', 'TUF_ROOT', 'HOME', ...KMS, ...LIMITS],
    fresh: true,
  },
  toolchain: {
    inherited: [
      ...['PATH', 'HOME', 'TMPDIR', 'XDG_CACHE_HOME', 'PORTCULLIS_CACHE'],
      ...[
        'GOPROXY',
        'GOSUMDB',
        'GONOSUMDB',
        'GONOPROXY',
        'GOPRIVATE',
        'GOINSECURE',
        ...PROXY,
        ...CERTIFICATES,
      ],
    ],
    settable: [
      'GIT_CONFIG_NOSYSTEM',
      'GIT_CONFIG_GLOBAL',
      'GIT_NO_REPLACE_OBJECTS',
      'GIT_TERMINAL_PROMPT',
      ...LIMITS,
    ],
    fresh: false,
  },
}

/** The PATH of processes that have no business with the user's own programs. */
export const SYSTEM_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'

/** Every name that a grant can ever hand to a process; for tests and for the documentation. */
export function grantedNames(grant: Grant): readonly string[] {
  const { inherited, settable, fresh } = GRANTS[grant]
  return [...inherited, ...settable, ...(fresh ? ['PATH', 'HOME', 'TMPDIR', 'LANG'] : ['LANG'])]
}

/** True when the grant's processes get a HOME and a TMPDIR of their own. */
export function needsFreshFolders(grant: Grant): boolean {
  return GRANTS[grant].fresh
}

/**
 * The whole environment of one process. Nothing outside the grant's literal lists comes through; a variable in
 * `variables` that is not on them is a defect of the caller and thrown as TypeError.
 */
export function grantEnvironment(
  grant: Grant,
  source: Readonly<Record<string, string | undefined>>,
  given: {
    readonly variables?: Readonly<Record<string, string>>
    readonly folders?: { readonly home: string; readonly tmp: string }
  },
): Record<string, string> {
  const list = GRANTS[grant]
  const result: Record<string, string> = { LANG: 'C.UTF-8' }
  for (const name of list.inherited) {
    const value = source[name]
    if (value !== undefined) result[name] = value
  }
  if (list.fresh) {
    if (given.folders === undefined) throw new TypeError(`the grant ${grant} needs fresh folders`)
    Object.assign(result, { PATH: SYSTEM_PATH, HOME: given.folders.home, TMPDIR: given.folders.tmp })
  }
  for (const [name, value] of Object.entries(given.variables ?? {})) {
    if (!list.settable.includes(name) && !list.inherited.includes(name))
      throw new TypeError(`the grant ${grant} does not hold the variable ${name}`)
    result[name] = value
  }
  return result
}
