import { Add, Copy, DockerfileParser, From, Run } from 'dockerfile-ast'
import type { Instruction } from 'dockerfile-ast'
import { GateError } from '../errors.js'
import { expand, globalValues } from '../evidence/dockerfile.js'

/** `1.28.2` as numbers. */
export type BuildahVersion = readonly [number, number, number]

/** One thing in a Dockerfile that this engine would drop, misread or not know. */
export interface UnsupportedLine {
  /** First line of the instruction, from 1. */
  readonly line: number
  readonly what: string
  /** The first version that this refusal does not hold for; none means every version. */
  readonly until?: string
}

/** Flags that buildah 1.28 knows; it ends with an error at any other. */
const KNOWN_FLAGS: Readonly<Record<string, readonly string[]>> = {
  FROM: ['platform'],
  RUN: ['mount'],
  COPY: ['from', 'chown', 'chmod'],
  ADD: ['chown', 'chmod'],
}
/** From here on the flags are left to buildah, which names those it does not know. */
const FLAGS_UNTIL = '1.29.0'
const HEREDOC_UNTIL = '1.33.0'
/** Left out of images in OCI format with a mere warning. */
const NOT_IN_OCI = ['SHELL', 'HEALTHCHECK', 'ONBUILD']
/** Transports of containers-transports(5): such a name would read files or images of the machine. */
export const TRANSPORT =
  /^(?:containers-storage|dir|docker|docker-archive|docker-daemon|oci|oci-archive|ostree|sif|tarball|atomic):/
const OWN_SYNTAX =
  /^(?:docker\.io\/)?docker\/dockerfile(?:-upstream)?(?::[A-Za-z0-9._-]+)?(?:@sha256:[0-9a-f]{64})?$/
const GIT_URL = /^(?:git@|git:\/\/|ssh:\/\/|https?:\/\/[^\s]+\.git(?:#|$))/
/** As BuildKit tells a heredoc: a word that begins with `<<`, perhaps behind the number of a file. */
const HEREDOC = /(?:^|\s)\d*<<-?["']?[A-Za-z_]/

/**
 * What buildah would drop in silence, take for something else, or not know, line by line and all at once. Read from
 * the text alone; `buildArgs` are needed for names of images. An empty answer promises nothing about RUN steps.
 */
export function unsupportedLines(
  text: string,
  given: { readonly version: BuildahVersion; readonly buildArgs: Readonly<Record<string, string>> },
): readonly UnsupportedLine[] {
  const parsed = DockerfileParser.parse(text)
  const values = globalValues(parsed.getInitialARGs(), given.buildArgs)
  const directives = parsed.getDirectives().flatMap((directive): readonly UnsupportedLine[] => {
    const what = directiveProblem(directive.getName(), directive.getValue())
    return what === undefined ? [] : [{ line: directive.getRange().start.line + 1, what }]
  })
  const found = parsed.getInstructions().flatMap(instruction => {
    const line = instruction.getRange().start.line + 1
    return [
      ...instructionProblems(instruction, text),
      ...flagProblems(instruction),
      ...imageProblems(instruction, values),
    ].map(problem => ({ line, ...problem }))
  })
  return [...directives, ...found].filter(
    ({ until }) => until === undefined || isBefore(given.version, until),
  )
}

/** The refusal of a Dockerfile, `dockerfile-unsupported` (config), with every line. */
export function dockerfileRefusal(
  file: string,
  lines: readonly UnsupportedLine[],
  version: BuildahVersion,
): GateError {
  const name = `buildah ${version.join('.')}`
  const texts = lines.map(({ line, what, until }) => {
    const bound = until === undefined ? '' : ` (versions before ${until})`
    return `${file}:${line}: ${what}${bound}`
  })
  const message = `${name} cannot build this Dockerfile as it is meant:\n${texts.join('\n')}\nChange these lines, or use another engine (--engine buildx or docker).`
  return new GateError('config', { reason: 'dockerfile-unsupported', message })
}

/** Reads `1.28.2` out of what `buildah --version` prints. */
export function parseVersion(text: string): BuildahVersion | undefined {
  const found = /\b(\d{1,4})\.(\d{1,4})\.(\d{1,4})/.exec(text.slice(0, 200))
  if (found === null) return undefined
  return [Number(found[1]), Number(found[2]), Number(found[3])]
}

/** True when `version` is older than `bound`. */
export function isBefore(version: BuildahVersion, bound: string): boolean {
  const wanted = parseVersion(bound) ?? [0, 0, 0]
  const at = version.findIndex((number, index) => number !== wanted[index])
  return at !== -1 && (version[at] ?? 0) < (wanted[at] ?? 0)
}

type Problem = Omit<UnsupportedLine, 'line'>

function directiveProblem(name: string, value: string): string | undefined {
  const key = name.toLowerCase()
  if (key === 'syntax' && !OWN_SYNTAX.test(value.trim())) {
    return `'# syntax=${value.trim().slice(0, 200)}' names another language, which this engine does not fetch`
  }
  if (key === 'escape' && value.trim() !== '\\') return "'# escape=' is not honoured"
  if (key === 'check' && /error\s*=\s*true/i.test(value)) return "'# check=error=true' is not honoured"
  return undefined
}

function instructionProblems(instruction: Instruction, text: string): readonly Problem[] {
  const keyword = instruction.getKeyword().toUpperCase()
  if (NOT_IN_OCI.includes(keyword)) return [{ what: `${keyword} is left out of images in OCI format` }]
  if (!['RUN', 'COPY', 'ADD'].includes(keyword)) return []
  const words = instruction.getArguments().map(argument => argument.getValue())
  const problems: Problem[] = []
  if (HEREDOC.test(wholeText(instruction, text)))
    problems.push({ what: `${keyword} with a heredoc is misread`, until: HEREDOC_UNTIL })
  if (keyword === 'ADD' && words.some(word => GIT_URL.test(word)))
    problems.push({ what: 'ADD of a git repository is taken for a file' })
  return problems
}

function wholeText(instruction: Instruction, text: string): string {
  const { start, end } = instruction.getRange()
  const lines = text.split('\n').slice(start.line, end.line + 1)
  return lines.filter(line => !/^\s*#/.test(line)).join('\n')
}

function flagProblems(instruction: Instruction): readonly Problem[] {
  const keyword = instruction.getKeyword().toUpperCase()
  const known = KNOWN_FLAGS[keyword]
  if (known === undefined) return []
  return flagsOf(instruction).flatMap(([name, value]) => {
    if (!known.includes(name)) return [{ what: `${keyword} --${name} is not known`, until: FLAGS_UNTIL }]
    const secret = name === 'mount' && /(?:^|,)type=secret(?:,|$)/.test(value)
    if (!secret || !/(?:^|,)env=/.test(value)) return []
    return [{ what: 'RUN --mount=type=secret with env= is not known', until: FLAGS_UNTIL }]
  })
}

function flagsOf(instruction: Instruction): readonly (readonly [string, string])[] {
  if (instruction instanceof From) {
    const platform = instruction.getPlatformFlag()
    return platform === null ? [] : [[platform.getName().toLowerCase(), platform.getValue() ?? '']]
  }
  if (!(instruction instanceof Run) && !(instruction instanceof Copy) && !(instruction instanceof Add))
    return []
  return instruction.getFlags().map(flag => [flag.getName().toLowerCase(), flag.getValue() ?? ''])
}

function imageProblems(instruction: Instruction, values: ReadonlyMap<string, string>): readonly Problem[] {
  return imagesOf(instruction).flatMap(name => {
    const image = expand(name, values)
    if (!TRANSPORT.test(image)) return []
    return [{ what: `'${image.slice(0, 200)}' is read as a place on this machine, not as an image` }]
  })
}

function imagesOf(instruction: Instruction): readonly string[] {
  if (instruction instanceof From) return [instruction.getImage() ?? '']
  return flagsOf(instruction).flatMap(([name, value]) => {
    if (name === 'from') return [value]
    const from = name === 'mount' ? /(?:^|,)from=([^,]+)/.exec(value)?.[1] : undefined
    return from === undefined ? [] : [from]
  })
}
