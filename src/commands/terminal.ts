import { Command, CommanderError } from 'commander'
import { describeError, GateError } from '../errors.js'
import { INPUTS } from '../request.js'
import type { Environment } from '../services.js'
import { programVersion } from '../version.js'
import { SessionStopped } from './stopped.js'
import { inertLines } from './worst.js'

/** Verbs of the interface that this version does not have. */
const LATER_VERBS = ['policy', 'init', 'aggregate', 'monitor', 'recall', 'except', 'fix', 'replay']

/** Inputs that still mean something for an image that was judged already. */
const RELEASE_FLAGS: ReadonlySet<string> = new Set([
  ...['image', 'policy', 'tags', 'overwrite', 'sign', 'key', 'signing-config', 'trusted-root'],
  ...['registry', 'registry-username', 'registry-password', 'tools', 'output', 'timeout'],
])

const AFTER_HELP = `
Examples:
  portcullis demo
  portcullis gate . --image registry.example.com/acme/api --publish never
  portcullis release portcullis-report --tags 1.2.3 --sign key --key cosign.key
  portcullis load portcullis-report --tag api:test
  portcullis verify registry.example.com/acme/api:1.2.3 --key cosign.pub
  portcullis report portcullis-report/portcullis.json --format summary

Exit codes: 0 pass, 1 fail, 2 something to correct in flags or policy,
3 incomplete (neither clean nor vulnerable), 130 and 143 stopped.`

/** Runs one verb of the terminal; resolves with the exit code. Refuses unknown verbs and flags with 2. */
export async function runTerminal(argv: readonly string[], environment: Environment): Promise<number> {
  const ending = { code: 3 }
  const program = createProgram(environment, ending)
  try {
    await program.parseAsync([...argv])
    return ending.code
  } catch (thrown) {
    if (thrown instanceof CommanderError) return thrown.exitCode === 0 ? 0 : 2
    if (thrown instanceof SessionStopped) return thrown.exitCode
    if (!(thrown instanceof GateError)) throw thrown
    process.stderr.write(inertLines(`portcullis: ${describeError(thrown)}`))
    return thrown.code === 'config' ? 2 : 3
  }
}

function createProgram(environment: Environment, ending: { code: number }): Command {
  const program = new Command('portcullis')
    .description('From a Dockerfile and a policy to a signed, verified image, or to a clear refusal.')
    .version(programVersion())
    .exitOverride()
    .showHelpAfterError('(portcullis --help shows the verbs, portcullis gate --help the flags)')
    .addHelpText('after', AFTER_HELP)
  addGate(program, environment, ending)
  addRelease(program, environment, ending)
  addLoad(program, environment, ending)
  addVerify(program, environment, ending)
  addReport(program, ending)
  addTools(program, environment, ending)
  addDemo(program, environment, ending)
  for (const verb of LATER_VERBS) {
    program
      .command(verb, { hidden: true })
      .allowUnknownOption()
      .argument('[anything...]')
      .action(() => {
        const message = `'${verb}' is not available yet in this version. There are: gate, release, load, verify, report, tools, demo.`
        throw new GateError('config', { reason: 'not-available-yet', message })
      })
  }
  return program
}

function addGate(program: Command, environment: Environment, ending: { code: number }): void {
  const command = program
    .command('gate')
    .description('Build or take an image, inspect and judge it; publish it when asked to.')
    .argument('[context]', 'build context, a folder; default: the working folder')
    .exitOverride()
  for (const input of INPUTS) {
    const text = input.available ? input.description : `${input.description} Not available yet.`
    const takesNothing = input.default === 'false'
    command.option(takesNothing ? `--${input.name}` : `--${input.name} <value>`, text)
  }
  command.action(async (context: string | undefined) => {
    const { gateAtTerminal } = await import('./terminal-gate.js')
    ending.code = await gateAtTerminal({ environment, context, option: name => flagText(command, name) })
  })
}

function addRelease(program: Command, environment: Environment, ending: { code: number }): void {
  const command = program
    .command('release')
    .description('Release what a gate with --publish never sealed: the same bytes, judged again.')
    .argument('<folder>', 'report folder of that run; FOLDER@sha256:HEX also fixes its portcullis.json')
    .exitOverride()
  for (const input of INPUTS.filter(one => RELEASE_FLAGS.has(one.name))) {
    command.option(`--${input.name} <value>`, input.description)
  }
  command.action(async (folder: string) => {
    const { releaseAtTerminal } = await import('./terminal-release.js')
    ending.code = await releaseAtTerminal({ environment, folder, option: name => flagText(command, name) })
  })
}

function addLoad(program: Command, environment: Environment, ending: { code: number }): void {
  const command = program
    .command('load')
    .description(
      'Put a sealed image into the local Docker engine, the same bytes, for tests before its release.',
    )
    .argument('<folder>', 'report folder of a gate with --publish never, or an OCI layout')
    .option('--tag <reference>', "NAME:TAG for the engine; default: the image's name with the tag sealed")
    .option('--platform <platform>', 'os/arch[/variant]; default: that of the engine')
    .exitOverride()
  command.action(async (folder: string) => {
    const { loadImage } = await import('./load.js')
    const flag = (name: string): string => flagText(command, name)
    ending.code = await loadImage(environment, { folder, tag: flag('tag'), platform: flag('platform') })
  })
}

function addVerify(program: Command, environment: Environment, ending: { code: number }): void {
  const command = program
    .command('verify')
    .description('Verify what a registry serves: digest, signature, statements, by two programs.')
    .argument('<reference>', 'NAME:TAG or NAME@sha256:…')
    .option('--key <file>', 'public key of the signer; default: the identities of the policy')
    .option('--policy <file>', 'policy that says whom to believe and what must be there')
    .option('--trusted-root <file>', 'trusted root of an own Sigstore')
    .option('--registry-username <name>', 'user name at the registry')
    .option('--registry-password <text>', 'password or token at the registry')
    .option('--tools <source>', 'auto, release, mirror:URL, dir:PATH, path or source', 'auto')
    .option('--format <format>', 'terminal or json', 'terminal')
    .exitOverride()
  command.action(async (reference: string) => {
    const { verifyImage } = await import('./verify.js')
    const flag = (name: string): string => flagText(command, name)
    ending.code = await verifyImage(environment, {
      ...{ reference, key: flag('key'), policy: flag('policy'), trustedRoot: flag('trusted-root') },
      ...{ username: flag('registry-username'), password: flag('registry-password') },
      ...{ tools: flag('tools'), format: flag('format') },
    })
  })
}

/** Value of a flag as text; '' when it was not given. Commander keeps `--no-x` as `x: false`. */
function flagText(command: Command, flag: string): string {
  const negated = flag.startsWith('no-')
  const key = flag.replace(/^no-/, '').replace(/-([a-z])/g, (_, letter: string) => letter.toUpperCase())
  const value: unknown = command.getOptionValue(key)
  if (negated) return value === false ? 'true' : ''
  return typeof value === 'string' ? value : value === true ? 'true' : ''
}

function addReport(program: Command, ending: { code: number }): void {
  program
    .command('report')
    .description('Show a finished run again, from its record.')
    .argument('<record>', 'path of portcullis.json')
    .option('--format <format>', 'json, summary, annotations or terminal', 'terminal')
    .exitOverride()
    .action(async (record: string, options: { readonly format: string }) => {
      const { reportRecord } = await import('./report.js')
      ending.code = await reportRecord(record, options.format)
    })
}

function addTools(program: Command, environment: Environment, ending: { code: number }): void {
  program
    .command('tools')
    .description('List, install or verify the pinned programs the gate runs.')
    .argument('<verb>', 'list, install or verify')
    .option('--tools <source>', 'auto, release, mirror:URL, dir:PATH, path or source', 'auto')
    .exitOverride()
    .action(async (verb: string, options: { readonly tools: string }) => {
      const { toolsVerb } = await import('./tools.js')
      ending.code = await toolsVerb({ verb, source: options.tools, environment })
    })
}

function addDemo(program: Command, environment: Environment, ending: { code: number }): void {
  program
    .command('demo')
    .description('Gate an example twice with an embedded registry: refused, then released.')
    .option('--output <folder>', 'folder for the reports', 'portcullis-demo')
    .option('--tools <source>', 'auto, release, mirror:URL, dir:PATH, path or source', 'auto')
    .exitOverride()
    .action(async (options: { readonly output: string; readonly tools: string }) => {
      const { demo } = await import('./demo.js')
      ending.code = await demo({ environment, ...options })
    })
}
