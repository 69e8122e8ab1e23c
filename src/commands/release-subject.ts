import { parseImageName, type ImageReference } from '../evidence/reference.js'
import { releaseImage } from '../release/release.js'
import type { ReleaseOutcome, Signing } from '../release/request.js'
import { bundleVerifyCommand } from '../release/verify-command.js'
import { programVersion } from '../version.js'
import type { Commands } from '../tools/command.js'
import { serveRegistry } from '../tools/crane.js'
import { toolOf } from '../tools/tool-set.js'
import { registryCommands } from './registry-commands.js'
import { reportFolder, type Given, type ReleaseInput } from './run.js'

/** Stage 8: hands the judged image to the room `release`, with the registry and the credentials that were asked for. */
export async function releaseSubject(given: Given, input: ReleaseInput): Promise<ReleaseOutcome> {
  const { services, request } = given
  const { commands, close } = await registryCommands(given)
  try {
    const image = await targetImage(given, commands, input)
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
        tags: request.tags,
        signing: signing(given, input, image),
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

/** An embedded registry is gone when the run ends: what stays true is the signature bundle beside the record. */
function withLastingCommand(outcome: ReleaseOutcome, dir: string): ReleaseOutcome {
  const verifyCommand = bundleVerifyCommand(outcome.record, { cosign: 'cosign', dir })
  return verifyCommand === undefined ? outcome : { ...outcome, record: { ...outcome.record, verifyCommand } }
}

/** A release to a registry on loopback is a rehearsal, and its statements say so. */
function signing(given: Given, input: ReleaseInput, image: ImageReference): Signing {
  const { request, services } = given
  if (input.plan.sign === 'none' || request.key === undefined) return { kind: 'none' }
  const password = services.environment['COSIGN_PASSWORD'] ?? ''
  return { kind: 'key', key: request.key, password, rehearsal: image.loopback }
}

/** The name to push to: as asked, or the same path in a registry that lives as long as this stage. */
async function targetImage(given: Given, commands: Commands, input: ReleaseInput): Promise<ImageReference> {
  const image = parseImageName(given.request.image)
  if (!given.request.embeddedRegistry) return image
  const registry = await serveRegistry({ commands, program: toolOf(input.tools, 'crane').program })
  given.services.progress.note(`embedded registry at ${registry.host}, gone when this run ends`)
  return parseImageName(`${registry.host}/${image.path}`)
}
