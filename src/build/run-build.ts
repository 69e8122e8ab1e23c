import type { Command, Commands } from '../tools/command.js'
import { redact } from '../tools/output.js'
import { buildFailed } from './failed-step.js'
import type { SecretInputs } from './secrets.js'

const BUILD_MS = 6 * 60 * 60_000
const TAIL_CHARACTERS = 64 * 1024
const MAX_PRINTED = 256 * 1024 * 1024

/**
 * Runs one build to its end with the secrets it was given; its failure is `build-failed` with the step and the last
 * lines, in which no secret stands.
 */
export async function runBuild(
  commands: Commands,
  build: Pick<Command, 'program' | 'args' | 'variables' | 'stdin' | 'cwd'>,
  secrets: SecretInputs,
): Promise<void> {
  const running = commands.stream({
    ...build,
    grant: 'engine',
    timeoutMs: BUILD_MS,
    maxOutputBytes: MAX_PRINTED,
    variables: { ...build.variables, ...secrets.variables },
    redacted: secrets.redacted,
  })
  let tail = ''
  running.stdout.setEncoding('utf8')
  running.stdout.on('data', (text: string) => {
    tail = (tail + text).slice(-TAIL_CHARACTERS)
  })
  try {
    await running.done
  } catch (thrown) {
    throw buildFailed(thrown, redact(tail, secrets.redacted))
  }
}
