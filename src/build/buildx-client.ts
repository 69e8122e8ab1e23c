import { GateError } from '../errors.js'
import type { Program } from '../tools/command.js'
import { systemProgram } from '../tools/confinement.js'
import { programOnPath } from '../tools/on-path.js'
import { neutralise } from '../tools/output.js'
import type { BuildServices } from './build-request.js'
import { builderProblem, parseBuilder, type BuilderFacts } from './builder-facts.js'

const QUICK_MS = 60_000
const VERSION = /\bv?(\d+\.\d+\.\d+[0-9A-Za-z.+-]*)/

/** buildx as a program of its own, or as the plugin of the Docker client. */
export interface Buildx {
  readonly services: BuildServices
  readonly program: Program
  /** What stands before every subcommand: nothing, or `buildx`. */
  readonly prefix: readonly string[]
  /** Which configuration of buildx is looked at, when it is not the machine's. */
  readonly variables: Readonly<Record<string, string>>
  readonly version: string
}

/** Finds buildx: the program `buildx` on PATH, else the plugin of the Docker client; undefined when there is none. */
export async function findBuildx(services: BuildServices): Promise<Buildx | undefined> {
  const standalone = programOnPath('buildx', services.environment)
  const docker = systemProgram('docker')
  const candidates: readonly Omit<Buildx, 'version'>[] = [
    ...(standalone === undefined
      ? []
      : [{ services, program: { name: 'buildx', path: standalone }, prefix: [], variables: {} }]),
    ...(docker === undefined
      ? []
      : [{ services, program: { name: 'docker', path: docker }, prefix: ['buildx'], variables: {} }]),
  ]
  for (const candidate of candidates) {
    const version = await versionOf(candidate)
    if (version !== undefined) return { ...candidate, version }
  }
  return undefined
}

async function versionOf(buildx: Omit<Buildx, 'version'>): Promise<string | undefined> {
  try {
    return VERSION.exec(await quickly(buildx, ['version']))?.[1]
  } catch (thrown) {
    if (thrown instanceof GateError && ['exit-code', 'timed-out'].includes(thrown.reason)) return undefined
    throw thrown
  }
}

/** A builder that is there, or why it cannot be used. */
export type BuilderAnswer =
  | { readonly state: 'usable'; readonly builder: BuilderFacts }
  | { readonly state: 'unusable'; readonly why: string }

/** Asks for one builder, by name or the one that is selected, and whether it exports OCI layouts. Starts nothing. */
export async function inspectBuilder(buildx: Buildx, name?: string): Promise<BuilderAnswer> {
  const args = ['inspect', ...(name === undefined ? [] : [name])]
  let printed: string
  try {
    // Features are listed with --debug alone, errors are drowned in stack traces with it.
    await quickly(buildx, args)
    printed = await quickly(buildx, ['--debug', ...args])
  } catch (thrown) {
    if (!(thrown instanceof GateError) || !['exit-code', 'timed-out'].includes(thrown.reason)) throw thrown
    const said = /^ERROR: (.{1,300})/m.exec(thrown.message)?.[1] ?? thrown.message
    return { state: 'unusable', why: `builder ${quoted(name)} cannot be asked: ${said}` }
  }
  const builder = parseBuilder(neutralise(printed))
  if (builder === undefined) return { state: 'unusable', why: `builder ${quoted(name)} is not understood` }
  const why = builderProblem(builder)
  return why === undefined ? { state: 'usable', builder } : { state: 'unusable', why }
}

function quoted(name: string | undefined): string {
  return name === undefined ? 'of buildx' : `'${name}'`
}

async function quickly(buildx: Omit<Buildx, 'version'>, args: readonly string[]): Promise<string> {
  const { services, program, prefix, variables } = buildx
  const call = { program, args: [...prefix, ...args], variables } as const
  return (await services.commands.run({ ...call, grant: 'engine', timeoutMs: QUICK_MS })).stdout
}
