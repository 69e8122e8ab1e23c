import { constants, copyFile, mkdir, rm } from 'node:fs/promises'
import { join, relative, resolve } from 'node:path'
import pc from 'picocolors'
import { engineAnswers } from '../build/docker.js'
import { GateError } from '../errors.js'
import { repositoriesOf } from '../registry/catalog.js'
import { bundleVerifyCommand } from '../release/verify-command.js'
import type { RunRecord } from '../record/record.js'
import type { ReleaseOutcome } from '../release/request.js'
import { readInputs } from '../inputs.js'
import type { Environment, Services } from '../services.js'
import { generateKeyPair } from '../tools/cosign.js'
import { serveRegistry } from '../tools/crane.js'
import { installTools } from '../tools/install.js'
import { toolOf, type ToolSet } from '../tools/tool-set.js'
import { gate } from './gate.js'
import { ROAD } from './road.js'
import { withSession } from './session.js'
import { toolServices } from './tool-services.js'
import { terminalSurface } from './terminal-surface.js'

const MINUTES = 30
const PASSWORD = 'rehearsal'

interface Demo {
  readonly services: Services
  readonly tools: ToolSet
  readonly output: string
  readonly engine: 'docker' | 'layout'
  readonly host: string
}

/**
 * The main job for real, on an example: the vulnerable variant is refused and nothing is pushed, the fixed one is
 * released to an embedded registry, verified and tagged. Resolves with 0 only when both went as they must.
 */
export async function demo(given: {
  readonly environment: Environment
  readonly output: string
  readonly tools: string
}): Promise<number> {
  const output = resolve(given.output)
  const environment = { ...given.environment, COSIGN_PASSWORD: PASSWORD }
  return await withSession(
    { environment, target: process.stderr, timeoutMs: MINUTES * 60_000 },
    async services => await rehearse(services, output, given.tools),
  )
}

async function rehearse(services: Services, output: string, source: string): Promise<number> {
  await mkdir(join(output, 'bin'), { recursive: true })
  const commands = services.newCommands()
  say('Portcullis demo: one example, gated twice. Keys and registry live on this machine only.')
  const tools = await installTools(toolServices(services, commands), {
    source,
    names: ['trivy', 'syft', 'cosign', 'crane'],
    allowSource: true,
  })
  const cosign = toolOf(tools, 'cosign').program
  // Whatever lies there, a link too, is replaced and not written through.
  await rm(join(output, 'bin', 'cosign'), { force: true })
  await copyFile(cosign.path, join(output, 'bin', 'cosign'), constants.COPYFILE_EXCL)
  await generateKeyPair({ commands, program: cosign }, join(services.workDir, 'rehearsal'), PASSWORD)
  const engine = (await engineAnswers(commands)) ? 'docker' : 'layout'
  say(
    engine === 'docker'
      ? 'Docker answers: it builds the example.'
      : "No Docker answers: the example's ready layout is used.",
  )
  const crane = { commands, program: toolOf(tools, 'crane').program }
  const registry = await serveRegistry(crane)
  const run: Demo = { services, tools, output, engine, host: registry.host }

  const refused = await gateVariant(run, 'vulnerable')
  const after = await repositoriesOf(registry.host)
  say(`The registry now holds ${after.length === 0 ? 'nothing' : after.join(', ')}.`)
  services.signal.throwIfAborted()
  const released = await gateVariant(run, 'fixed')
  services.signal.throwIfAborted()
  const good = refused.exitCode === 1 && after.length === 0 && released.release.state === 'released'
  closing(run, released, good)
  return good ? 0 : 3
}

async function gateVariant(run: Demo, variant: 'vulnerable' | 'fixed'): Promise<RunRecord> {
  const example = relative(process.cwd(), join(run.services.programRoot, 'examples', 'app'))
  say(`\n${variant === 'vulnerable' ? '1. The vulnerable variant' : '2. The fixed variant'}`)
  const values: Readonly<Record<string, string>> = {
    image: `${run.host}/demo/app`,
    context: join(example, variant),
    ...(run.engine === 'layout'
      ? { subject: `oci-layout:${join(example, 'layouts', variant)}` }
      : { engine: run.engine }),
    policy: join(example, variant, '.github', 'portcullis.yml'),
    database: join(run.services.programRoot, 'data', 'demo-db.tar.gz'),
    publish: 'always',
    tags: '1.0.0',
    sign: 'key',
    key: join(run.services.workDir, 'rehearsal.key'),
    output: join(run.output, variant),
  }
  return await gate({
    services: run.services,
    request: readInputs(name => values[name] ?? '', { sigil: '--' }),
    kind: 'terminal',
    surfaces: reportHere,
    road: {
      ...ROAD,
      tools: () => Promise.resolve({ value: run.tools, detail: 'verified at the start of the demo' }),
      release: async (given, input) => {
        const released = await ROAD.release(given, input)
        return { ...released, value: lasting(run, released.value) }
      },
    },
  })
}

/** The report on this terminal without its verify command: the demo ends with it. */
async function reportHere(record: RunRecord, reportDir: string): Promise<void> {
  const { verifyCommand, ...release } = record.release
  const shown = verifyCommand === undefined ? record : { ...record, release }
  await terminalSurface(process.stdout, pc.isColorSupported)(shown, reportDir)
}

/** The registry is gone when the demo ends: what lasts is the signature's bundle, so the command is about that. */
function lasting(run: Demo, outcome: ReleaseOutcome): ReleaseOutcome {
  const verifyCommand = bundleVerifyCommand(outcome.record, {
    cosign: here(join(run.output, 'bin', 'cosign')),
    dir: here(join(run.output, 'fixed')),
  })
  return verifyCommand === undefined ? outcome : { ...outcome, record: { ...outcome.record, verifyCommand } }
}

function here(path: string): string {
  return relative(process.cwd(), path) || '.'
}

function closing(run: Demo, released: RunRecord, good: boolean): void {
  if (!good) {
    say('\nThe demo did not go as it must: the records say why.')
    say(
      `  ${here(join(run.output, 'vulnerable', 'portcullis.json'))}\n  ${here(join(run.output, 'fixed', 'portcullis.json'))}`,
    )
    return
  }
  const fixed = join(run.output, 'fixed')
  const command = released.release.verifyCommand
  if (command === undefined) {
    throw new GateError('tool', {
      reason: 'demo-without-signature',
      message: 'The release has no signature bundle.',
    })
  }
  say(`
Refused, then released. The demo's registry is gone; the signature is in its bundle. Verify it yourself:

  ${command}

Reports, as a job would show them, and the record they are made from:

  ${here(join(run.output, 'vulnerable', 'summary.md'))}
  ${here(join(fixed, 'summary.md'))}
  ${here(join(fixed, 'portcullis.json'))}

Your own image next: README.md, "On a terminal".`)
}

function say(text: string): void {
  process.stdout.write(`${text}\n`)
}
