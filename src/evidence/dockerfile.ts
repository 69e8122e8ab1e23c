import { Copy, DockerfileParser, From, Run } from 'dockerfile-ast'
import type { Instruction } from 'dockerfile-ast'
import { GateError } from '../errors.js'
import type { BaseReference, DockerfileFacts, DockerfileInstruction } from './evidence.js'
import type { SourceLocation } from './image.js'

export interface DockerfileOptions {
  /** Values of `--build-arg`; they win over the defaults of ARG before the first FROM. */
  readonly buildArgs?: Readonly<Record<string, string>>
  /** The stage that is built (`--target`), the last one when absent. */
  readonly target?: string
}

interface Stage {
  readonly from: Instruction
  readonly name: string | undefined
  /** What FROM names, with its variables expanded. */
  readonly image: string
  readonly parent: number | undefined
  readonly location: SourceLocation
}

const MAX_CHARACTERS = 256 * 1024
const MAX_INSTRUCTIONS = 5000
/** Longest value with its variables expanded; names of images are far shorter. */
const MAX_EXPANDED = 4096
const PINNED = /@sha256:[0-9a-f]{64}$/
const VARIABLE = /\$(?:\{([A-Za-z_][A-Za-z0-9_]*)(?::([-+])([^}]*))?\}|([A-Za-z_][A-Za-z0-9_]*))/g

/**
 * Facts of a Dockerfile (Dockerfile reference of BuildKit): the images it is built from, the last USER and where
 * each instruction stands. `file` is the name used in locations. Stages and `scratch` are no bases; images named
 * by `COPY --from` and `RUN --mount` are. A variable without a known value stays as written, hence unpinned.
 * Throws GateError `evidence`: too large, no FROM, or a target that is not there.
 */
export function parseDockerfile(
  text: string,
  file: string,
  options: DockerfileOptions = {},
): DockerfileFacts {
  if (text.length > MAX_CHARACTERS)
    throw refuse('dockerfile-too-large', `${file} has ${text.length} characters`)
  const parsed = DockerfileParser.parse(text)
  const all = parsed.getInstructions()
  if (all.length > MAX_INSTRUCTIONS)
    throw refuse('dockerfile-too-large', `${file} has ${all.length} instructions`)
  const values = globalValues(parsed.getInitialARGs(), options.buildArgs ?? {})
  const stages = stagesOf(all, values, file)
  const final = targetStage(stages, options.target, file)
  const instructions = placed(all, file)
  const chain = chainOf(stages, final.index)
  const user = lastUser(instructions, chain)
  const root = stages[chain[0] ?? final.index]
  const onScratch = root === undefined || root.image.toLowerCase() === 'scratch'
  return {
    file,
    bases: basesOf(all, stages, { values, file }),
    finalStage: final.stage.location,
    ...(onScratch ? {} : { base: root.location }),
    chain,
    instructions,
    ...(user === undefined ? {} : { user: { value: user.arguments, location: user.location } }),
  }
}

/** Values of the ARGs before the first FROM, with `--build-arg` winning over defaults. */
export function globalValues(
  args: readonly { getProperty(): { getName(): string; getValue(): string | null } | null }[],
  given: Readonly<Record<string, string>>,
): ReadonlyMap<string, string> {
  const values = new Map<string, string>()
  for (const arg of args) {
    const property = arg.getProperty()
    if (property === null) continue
    const name = property.getName()
    const value = Object.hasOwn(given, name) ? (given[name] ?? null) : property.getValue()
    if (value !== null) values.set(name, expand(value, values))
  }
  return values
}

/** Refuses what grows beyond any name there is: variables of variables can make a few lines into gigabytes. */
export function expand(text: string, values: ReadonlyMap<string, string>): string {
  let length = text.length
  if (length > MAX_EXPANDED) throw tooLong()
  return text.replace(
    VARIABLE,
    (whole, braced?: string, mode?: string, word?: string, bare?: string): string => {
      const value = values.get(braced ?? bare ?? '')
      length += value?.length ?? 0
      if (length > MAX_EXPANDED) throw tooLong()
      const set = value !== undefined && value !== ''
      if (mode === '-') return set ? value : expand(word ?? '', values)
      if (mode === '+') return set ? expand(word ?? '', values) : ''
      return value ?? whole
    },
  )
}

function tooLong(): GateError {
  return refuse('dockerfile-too-large', `a value in the Dockerfile is longer than ${MAX_EXPANDED} characters`)
}

function stagesOf(
  all: readonly Instruction[],
  values: ReadonlyMap<string, string>,
  file: string,
): readonly Stage[] {
  const stages: Stage[] = []
  for (const from of all) {
    if (!(from instanceof From)) continue
    const image = expand(from.getImage() ?? '', values)
    stages.push({
      from,
      name: from.getBuildStage()?.toLowerCase(),
      image,
      parent: stageNamed(stages, image),
      location: locationOf(from, file),
    })
  }
  return stages
}

function stageNamed(stages: readonly Stage[], name: string): number | undefined {
  const found = stages.findLastIndex(stage => stage.name === name.toLowerCase())
  return found === -1 ? undefined : found
}

function targetStage(
  stages: readonly Stage[],
  target: string | undefined,
  file: string,
): { readonly stage: Stage; readonly index: number } {
  if (stages.length === 0) throw refuse('dockerfile-no-from', `${file} has no FROM`)
  const numbered = target !== undefined && /^[0-9]+$/.test(target) ? Number(target) : undefined
  const named = target === undefined ? stages.length - 1 : stageNamed(stages, target)
  const index = named ?? numbered ?? -1
  const stage = stages[index]
  if (stage === undefined) throw refuse('dockerfile-no-target', `${file} has no stage ${String(target)}`)
  return { stage, index }
}

/** Indexes of the stages whose instructions end up in this one, lowest first: what it is built on, and itself. */
function chainOf(stages: readonly Stage[], index: number): readonly number[] {
  const chain: number[] = []
  for (let at: number | undefined = index; at !== undefined; at = stages[at]?.parent) chain.unshift(at)
  return chain
}

function placed(all: readonly Instruction[], file: string): readonly DockerfileInstruction[] {
  let stage = -1
  return all.map(instruction => {
    if (instruction instanceof From) stage += 1
    return {
      keyword: instruction.getKeyword().toUpperCase(),
      arguments: instruction
        .getArguments()
        .map(argument => argument.getValue())
        .join(' '),
      stage,
      location: locationOf(instruction, file),
    }
  })
}

function lastUser(
  instructions: readonly DockerfileInstruction[],
  chain: readonly number[],
): DockerfileInstruction | undefined {
  return chain
    .toReversed()
    .map(stage =>
      instructions.findLast(instruction => instruction.keyword === 'USER' && instruction.stage === stage),
    )
    .find(found => found !== undefined)
}

function basesOf(
  all: readonly Instruction[],
  stages: readonly Stage[],
  given: { readonly values: ReadonlyMap<string, string>; readonly file: string },
): readonly BaseReference[] {
  const bases: BaseReference[] = []
  for (const stage of stages) {
    if (stage.parent !== undefined) continue
    add(stage.image, stage.location, stage.name)
  }
  for (const instruction of all) {
    for (const name of copiedFrom(instruction)) {
      const index = /^[0-9]+$/.test(name) ? Number(name) : stageNamed(stages, name)
      if (index === undefined) add(expand(name, given.values), locationOf(instruction, given.file))
    }
  }
  return bases

  function add(reference: string, location: SourceLocation, stage?: string): void {
    if (reference.toLowerCase() === 'scratch') return
    const pinned = PINNED.test(reference)
    bases.push({ reference, pinned, location, ...(stage === undefined ? {} : { stage }) })
  }
}

/** Names after `COPY --from=` and in `RUN --mount=…,from=`. */
function copiedFrom(instruction: Instruction): readonly string[] {
  if (instruction instanceof Copy) {
    const from = instruction.getFromFlag()?.getValue()
    return from === undefined || from === null ? [] : [from]
  }
  if (!(instruction instanceof Run)) return []
  return instruction.getFlags().flatMap(flag => {
    const from = flag.getName() === 'mount' ? /(?:^|,)from=([^,]+)/.exec(flag.getValue() ?? '') : null
    return from?.[1] === undefined ? [] : [from[1]]
  })
}

function locationOf(instruction: Instruction, file: string): SourceLocation {
  const { start, end } = instruction.getRange()
  const line = start.line + 1
  return { file, line, ...(end.line > start.line ? { endLine: end.line + 1 } : {}) }
}

function refuse(reason: string, message: string): GateError {
  return new GateError('evidence', {
    reason,
    message: `${message}; correct the Dockerfile or the input file`,
  })
}
