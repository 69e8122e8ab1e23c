import { parseImageName, type ImageReference } from '../evidence/reference.js'
import { releaseImage } from '../release/release.js'
import type { ReleaseOutcome } from '../release/request.js'
import { bundleVerifyCommand } from '../release/verify-command.js'
import { programVersion } from '../version.js'
import type { Commands } from '../tools/command.js'
import { serveRegistry } from '../tools/crane.js'
import { ancestryOf, type CommitPlace } from '../tools/git.js'
import { toolOf } from '../tools/tool-set.js'
import { provenanceOf } from './provenance-facts.js'
import { registryCommands } from './registry-commands.js'
import { signingOf } from './signing.js'
import { reportFolder, type Given, type ReleaseInput } from './run.js'

/** Stage 8: hands the judged image to the room `release`, with the registry and the credentials that were asked for. */
export async function releaseSubject(given: Given, input: ReleaseInput): Promise<ReleaseOutcome> {
  const { services, request } = given
  const { commands, close } = await registryCommands(given)
  try {
    const image = await targetImage(given, commands, input)
    const commit = commitOf(given)
    const provenance = provenanceOf(given, input)
    const outcome = await releaseImage(
      {
        commands,
        crane: toolOf(input.tools, 'crane').program,
        cosign: toolOf(input.tools, 'cosign').program,
        signal: services.signal,
        now: services.clock,
        environment: services.environment,
        note: text => services.progress.note(text),
      },
      {
        layout: input.built.layout,
        image,
        ...input.plan.tags,
        ...(commit === undefined ? {} : { descends: revision => ancestryOf(commands, commit, revision) }),
        ...(provenance === undefined ? {} : { provenance }),
        signing: signingOf(given, input.plan, image),
        policy: input.policy,
        evidence: input.evidence,
        verdict: input.verdict,
        version: programVersion(),
        reportDir: reportFolder({ request }, given.facts),
        workDir: services.workDir,
      },
    )
    return request.embeddedRegistry
      ? withLastingCommand(outcome, reportFolder({ request }, given.facts))
      : outcome
  } finally {
    await close()
  }
}

/** The commit that is released, and where its history is; only an event knows it. */
function commitOf({ facts }: Given): CommitPlace | undefined {
  const { trigger, workspace } = facts.context ?? {}
  if (trigger?.commit === undefined || workspace === undefined) return undefined
  return { commit: trigger.commit, repository: workspace }
}

/** An embedded registry is gone when the run ends: what stays true is the signature bundle beside the record. */
function withLastingCommand(outcome: ReleaseOutcome, dir: string): ReleaseOutcome {
  const verifyCommand = bundleVerifyCommand(outcome.record, { cosign: 'cosign', dir })
  return verifyCommand === undefined ? outcome : { ...outcome, record: { ...outcome.record, verifyCommand } }
}

/** The name to push to: as asked, or the same path in a registry that lives as long as this stage. */
async function targetImage(given: Given, commands: Commands, input: ReleaseInput): Promise<ImageReference> {
  const image = parseImageName(given.request.image)
  if (!given.request.embeddedRegistry) return image
  const registry = await serveRegistry({ commands, program: toolOf(input.tools, 'crane').program })
  given.services.progress.note(`embedded registry at ${registry.host}, gone when this run ends`)
  return parseImageName(`${registry.host}/${image.path}`)
}
