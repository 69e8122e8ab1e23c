import type { BuildFacts, BuildParameters } from '../evidence/provenance.js'
import type { BuildRecord } from '../record/record.js'
import type { Request } from '../request.js'
import { programVersion } from '../version.js'
import type { Given, ReleaseInput } from './run.js'

/** What a build was asked from outside, for the record; values of build secrets are not in it. */
export function buildRecord(request: Request, startedAt: Date): BuildRecord {
  const { image, context, file, target, buildArgs, platforms, labels, network, secrets } = request
  const parameters: BuildParameters = {
    ...{ image, context, file, buildArgs, platforms, labels },
    ...(target === undefined ? {} : { target }),
    ...(network === undefined ? {} : { network }),
    secrets: secrets.map(secret => secret.id),
  }
  return { parameters, startedAt: startedAt.toISOString() }
}

/** The facts of the provenance of what this run, or the one that sealed it, built; undefined for a ready image. */
export function provenanceOf(
  given: Given,
  input: ReleaseInput,
): Omit<BuildFacts, 'image' | 'rehearsal'> | undefined {
  const { build, bases = [], engine } = input.built
  if (build === undefined || engine === null) return undefined
  const { environment } = given.services
  const trigger = given.facts.context?.trigger
  const server = environment['GITHUB_SERVER_URL'] ?? ''
  const workflow = environment['GITHUB_WORKFLOW_REF'] ?? ''
  const { tools } = input.evidence
  const onEvent = trigger?.kind === 'event'
  return {
    builder: onEvent ? 'workflow-step' : 'terminal',
    version: programVersion(),
    parameters: (given.facts.exposed ?? []).length === 0 ? build.parameters : withoutValues(build.parameters),
    ...(onEvent && trigger.repository !== undefined && trigger.commit !== undefined && server !== ''
      ? {
          source: {
            repository: `${server}/${trigger.repository}`,
            commit: trigger.commit,
            ...(trigger.ref === undefined ? {} : { ref: trigger.ref }),
          },
        }
      : {}),
    ...(onEvent && workflow !== '' ? { workflow } : {}),
    bases: bases.flatMap(base =>
      base.state === 'unresolved' ? [] : [{ reference: base.reference, digest: base.digest }],
    ),
    engine: { name: engine.name, version: engine.version },
    tools: tools.state === 'present' ? tools.value : [],
    ...(trigger?.runUrl === undefined ? {} : { invocation: trigger.runUrl }),
    startedOn: build.startedAt,
    finishedOn: input.verdict.decidedAt,
  }
}

/** Where the image's own configuration holds a secret, what was handed to the build may be where it came from. */
function withoutValues(parameters: BuildParameters): BuildParameters {
  const { buildArgs, labels } = parameters
  return {
    ...parameters,
    buildArgs: buildArgs.map(argument => `${argument.split('=')[0] ?? ''}=***`),
    labels: Object.fromEntries(Object.keys(labels).map(name => [name, '***'])),
  }
}
