import type { Digest } from './digest.js'
import { PROJECT_URI } from './project.js'
import { allSubjects, PREDICATE, STATEMENT_TYPE, type Statement } from './statement.js'
import type { ImageSubject } from './subject.js'

/** Names the page that says what the parameters below mean: docs/build-types/image-v1.md. */
export const BUILD_TYPE = `${PROJECT_URI}/build-types/image/v1`

/** Who ran the build: a step of a workflow job, or a person. One job never claims more than level 2. */
export type BuilderKind = 'workflow-step' | 'terminal'

/** What was asked for from outside: everything a second build would need to be told. Paths as given. */
export interface BuildParameters {
  readonly image: string
  readonly context: string
  readonly file: string
  readonly target?: string
  readonly buildArgs: readonly string[]
  readonly platforms: readonly string[]
  readonly labels: Readonly<Record<string, string>>
  readonly network?: string
  /** Ids alone: the values are nowhere. */
  readonly secrets: readonly string[]
}

/** A material of the build that was fixed by a digest. */
export interface Dependency {
  readonly uri: string
  readonly digest: Readonly<Record<string, string>>
  readonly name?: string
}

/** What a provenance statement is made of. Times RFC 3339. */
export interface BuildFacts {
  readonly image: ImageSubject
  readonly builder: BuilderKind
  readonly version: string
  readonly parameters: BuildParameters
  /** The commit that was built; absent when the sources were a working tree. */
  readonly source?: { readonly repository: string; readonly commit: string; readonly ref?: string }
  /** `owner/repository/path@ref` of the workflow, as the runner names it. */
  readonly workflow?: string
  readonly bases: readonly { readonly reference: string; readonly digest: Digest }[]
  readonly engine: { readonly name: string; readonly version: string }
  readonly tools: readonly { readonly name: string; readonly version: string; readonly sha256: string }[]
  /** Address of the run. */
  readonly invocation?: string
  readonly startedOn: string
  readonly finishedOn: string
  readonly rehearsal: boolean
}

/** Identifies the builder: this project and the way it ran. */
export function builderId(kind: BuilderKind): string {
  return `${PROJECT_URI}/builders/${kind}/v1`
}

/**
 * SLSA provenance of an image that this run built (https://slsa.dev/spec/v1.2/build-provenance), over index and
 * children. Only for images that were built here: of a ready one nobody here knows how it was made.
 */
export function provenanceStatement(facts: BuildFacts): Statement {
  const { image, version, parameters, engine, invocation, startedOn, finishedOn } = facts
  return {
    _type: STATEMENT_TYPE,
    subject: allSubjects(image),
    predicateType: PREDICATE.provenance,
    predicate: {
      buildDefinition: {
        buildType: BUILD_TYPE,
        externalParameters: {
          ...parameters,
          ...(facts.source && { source: sourceUri(facts.source) }),
          ...(facts.workflow !== undefined && { workflow: facts.workflow }),
        },
        internalParameters: { engine: { name: engine.name, version: engine.version } },
        resolvedDependencies: dependenciesOf(facts),
      },
      runDetails: {
        builder: { id: builderId(facts.builder), version: { portcullis: version } },
        metadata: { ...(invocation !== undefined && { invocationId: invocation }), startedOn, finishedOn },
      },
      ...(facts.rehearsal ? { portcullis_rehearsal: true } : {}),
    },
  }
}

function sourceUri(source: NonNullable<BuildFacts['source']>): string {
  return `git+${source.repository}${source.ref === undefined ? '' : `@${source.ref}`}`
}

/** The commit, every base with its digest, and the programs that inspected what came out. */
function dependenciesOf(facts: BuildFacts): readonly Dependency[] {
  const { source, bases, tools } = facts
  return [
    ...(source === undefined
      ? []
      : [{ uri: sourceUri(source), digest: { gitCommit: source.commit }, name: 'source' }]),
    ...bases.map(({ reference, digest }) => ({
      uri: `pkg:docker/${encodeURIComponent(withoutDigest(reference)).replaceAll('%2F', '/')}`,
      digest: { sha256: digest.slice('sha256:'.length) },
      name: reference,
    })),
    ...tools.map(({ name, version, sha256 }) => ({
      uri: `pkg:generic/${name}@${version}`,
      digest: { sha256 },
      name,
    })),
  ]
}

function withoutDigest(reference: string): string {
  const at = reference.indexOf('@')
  return at < 0 ? reference : reference.slice(0, at)
}
