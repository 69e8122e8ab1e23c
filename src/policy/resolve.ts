import { canonicalJson, sha256Hex } from '../evidence/canonical.js'
import type { AllowedIdentity } from '../evidence/identity.js'
import type { Isolation } from '../evidence/tooling.js'
import type { Severity } from '../evidence/scan.js'
import type { AttestationKind } from '../evidence/verification.js'
import type { PolicyDocument } from './document.js'
import { readProfile } from './profiles.js'
import { RULE_IDS } from './rule-ids.js'
import type { RuleId } from './rule-ids.js'
import type { PolicyException, PolicySigner, PolicyValues } from './schema.js'
import type { PolicyIdentity, RuleMode } from './verdict.js'

export interface RuleSetting {
  readonly mode: RuleMode
  readonly reason?: string
}

/** Everything a policy decides, nothing left open. Days and hours are whole numbers. */
export interface PolicyTerms {
  readonly mode: 'enforce' | 'audit'
  readonly bind: readonly { readonly image: string }[]
  /** Who may sign without a key; empty: whoever runs this gate. */
  readonly identities: readonly AllowedIdentity[]
  readonly trust: { readonly isolation: 'required' | 'none-accepted' }
  readonly vulnerabilities: {
    readonly failOn: Exclude<Severity, 'unknown'>
    readonly fixableOnly: boolean
    readonly graceDays: Readonly<Record<Severity, number>>
  }
  /** `minSizeBytes` absent: nobody said, so the size is held against the public floor and the last one. */
  readonly database: { readonly maxAgeHours: number; readonly minSizeBytes?: number }
  readonly image: { readonly requiredLabels: readonly string[] }
  /** Null: of any age. */
  readonly attestations: { readonly require: readonly AttestationKind[]; readonly maxAgeDays: number | null }
  readonly inventory: { readonly unexplained: { readonly max: number } }
  /** Percent of the minimum elements. */
  readonly sbom: { readonly minimum: number }
  readonly rules: Readonly<Record<RuleId, RuleSetting>>
  readonly exceptions: readonly PolicyException[]
}

/**
 * A policy ready to judge by: frozen. `digest` is the SHA-256 (hex) of the canonical JSON of its terms and
 * profiles, so it does not change with file name, comments or order. `origins` says for each value that the
 * document sets where it stands (`file:line`); every other value is the profile's.
 */
export interface ResolvedPolicy extends PolicyTerms, PolicyIdentity {
  readonly file: string | null
  readonly origins: Readonly<Record<string, string>>
}

/**
 * Lays a document over its profile; `document: null` means the profile `recommended` alone. `origin` says where
 * the document was taken from (`working tree`, a commit). Lists replace, maps merge key by key.
 */
export function resolvePolicy(source: {
  readonly document: PolicyDocument | null
  readonly file: string | null
  readonly origin: string
}): ResolvedPolicy {
  const { document, file, origin } = source
  const profiles = document?.values.profiles ?? (['recommended'] as const)
  const layers = [
    ...profiles.map(name => readProfile(name).values),
    ...(document === null ? [] : [document.values]),
  ]
  const terms = termsOf(layers)
  return deepFreeze({
    ...terms,
    digest: sha256Hex(canonicalJson({ profiles, terms })),
    origin,
    profiles,
    file,
    origins: originsOf(document),
  })
}

/** True when this repository may release an image of that name: nothing bound, or the name is listed. */
export function mayRelease(policy: Pick<PolicyTerms, 'bind'>, image: string): boolean {
  return policy.bind.length === 0 || policy.bind.some(entry => entry.image === image)
}

/**
 * Why the confinement of the scanners does not do, or undefined when it does. Only `none` together with signing
 * is refused, and only where the policy does not accept it.
 */
export function isolationProblem(
  policy: Pick<PolicyTerms, 'trust'>,
  isolation: Isolation,
  signs: boolean,
): string | undefined {
  if (isolation !== 'none' || !signs || policy.trust.isolation === 'none-accepted') return undefined
  return (
    'the scanners ran without confinement on a machine that signs; ' +
    'allow user namespaces or passwordless sudo, or set trust.isolation: none-accepted in the policy'
  )
}

function termsOf(layers: readonly PolicyValues[]): PolicyTerms {
  return {
    mode: last(layers, 'mode', values => values.mode),
    bind: layers.findLast(values => values.bind !== undefined)?.bind ?? [],
    identities: (layers.findLast(values => values.identities !== undefined)?.identities ?? []).map(allowedOf),
    trust: { isolation: last(layers, 'trust.isolation', values => values.trust?.isolation) },
    vulnerabilities: {
      failOn: last(layers, 'vulnerabilities.fail_on', values => values.vulnerabilities?.fail_on),
      fixableOnly: last(
        layers,
        'vulnerabilities.fixable_only',
        values => values.vulnerabilities?.fixable_only,
      ),
      graceDays: graceOf(layers),
    },
    database: {
      maxAgeHours: last(layers, 'database.max_age_hours', values => values.database?.max_age_hours),
      ...minSizeOf(layers),
    },
    sbom: { minimum: last(layers, 'sbom.minimum', values => values.sbom?.minimum) },
    image: { requiredLabels: last(layers, 'image.required_labels', values => values.image?.required_labels) },
    inventory: {
      unexplained: {
        max: last(layers, 'inventory.unexplained.max', values => values.inventory?.unexplained?.max),
      },
    },
    attestations: {
      require: last(layers, 'attestations.require', values => values.attestations?.require),
      maxAgeDays:
        layers.findLast(one => one.attestations?.max_age_days !== undefined)?.attestations?.max_age_days ??
        null,
    },
    rules: rulesOf(layers),
    exceptions: layers.findLast(values => values.exceptions !== undefined)?.exceptions ?? [],
  }
}

/** Ids become the decimal text that certificates hold; what is not given stays absent. */
function allowedOf(one: PolicySigner): AllowedIdentity {
  const {
    repository_id: repositoryId,
    owner_id: ownerId,
    runner_environment: runnerEnvironment,
    ...same
  } = one
  const ids = { repositoryId: repositoryId?.toString(), ownerId: ownerId?.toString(), runnerEnvironment }
  const given = Object.entries(ids).filter(([, value]) => value !== undefined)
  return { ...same, ...Object.fromEntries(given) }
}

function minSizeOf(layers: readonly PolicyValues[]): { readonly minSizeBytes?: number } {
  const said = layers.map(values => values.database?.min_size_bytes).findLast(size => size !== undefined)
  return said === undefined ? {} : { minSizeBytes: said }
}

function graceOf(layers: readonly PolicyValues[]): Record<Severity, number> {
  const of = (severity: Severity) =>
    last(
      layers,
      `vulnerabilities.grace_days.${severity}`,
      values => values.vulnerabilities?.grace_days?.[severity],
    )
  return {
    critical: of('critical'),
    high: of('high'),
    medium: of('medium'),
    low: of('low'),
    unknown: of('unknown'),
  }
}

function rulesOf(layers: readonly PolicyValues[]): Record<RuleId, RuleSetting> {
  const entries = RULE_IDS.map(id => {
    const setting = last(layers, `rules.${id}`, values => values.rules?.[id])
    return [
      id,
      setting.reason === undefined ? { mode: setting.mode } : { mode: setting.mode, reason: setting.reason },
    ]
  })
  return Object.fromEntries(entries) as Record<RuleId, RuleSetting>
}

/** The value of the last layer that has one; a profile that leaves a value open is a defect. */
function last<T>(
  layers: readonly PolicyValues[],
  path: string,
  read: (values: PolicyValues) => T | undefined,
): T {
  for (const values of layers.toReversed()) {
    const value = read(values)
    if (value !== undefined) return value
  }
  throw new Error(`no profile sets ${path}`)
}

function originsOf(document: PolicyDocument | null): Record<string, string> {
  if (document === null) return {}
  return Object.fromEntries(
    Object.entries(document.lines).map(([path, line]) => [path, `${document.file}:${line}`]),
  )
}

function deepFreeze<T extends object>(value: T): T {
  for (const inner of Object.values(value) as unknown[]) {
    if (typeof inner === 'object' && inner !== null && !Object.isFrozen(inner)) deepFreeze(inner)
  }
  return Object.freeze(value)
}
