import { Copy, DockerfileParser, From, Run } from 'dockerfile-ast'
import type { Instruction } from 'dockerfile-ast'
import { expand, globalValues } from './dockerfile.js'

interface Edit {
  readonly line: number
  readonly from: number
  readonly to: number
  readonly text: string
}

/** A base and the digest it is to have: `reference` as `parseDockerfile` gives it. */
export interface BaseDigest {
  readonly reference: string
  readonly digest: string
}

/**
 * The Dockerfile with each of these bases replaced by its digest, wherever it is named: in FROM, `COPY --from` and
 * `RUN --mount`. Everything else, the number of lines too, stays as it is. Names of stages are left alone.
 */
export function pinBases(
  text: string,
  bases: readonly BaseDigest[],
  buildArgs: Readonly<Record<string, string>>,
): string {
  const open = bases.filter(base => !base.reference.includes('@'))
  const pinned = new Map(open.map(({ reference, digest }) => [reference, `${reference}@${digest}`]))
  return replaceImages(text, pinned, buildArgs)
}

/** The Dockerfile with images of these names, variables expanded, written in another way; all else stays. */
export function replaceImages(
  text: string,
  names: ReadonlyMap<string, string>,
  buildArgs: Readonly<Record<string, string>>,
): string {
  if (names.size === 0) return text
  const parsed = DockerfileParser.parse(text)
  const values = globalValues(parsed.getInitialARGs(), buildArgs)
  const stages = new Set<string>()
  const edits: Edit[] = []
  for (const instruction of parsed.getInstructions()) {
    for (const place of imagePlaces(instruction)) {
      const reference = expand(place.text, values)
      const name = stages.has(reference.toLowerCase()) ? undefined : names.get(reference)
      if (name !== undefined) edits.push({ ...place, text: name })
    }
    const stage = instruction instanceof From ? instruction.getBuildStage() : null
    if (stage !== null) stages.add(stage.toLowerCase())
  }
  return applied(text, edits)
}

/** Where an instruction names images: the text between two columns of one line. */
function imagePlaces(instruction: Instruction): readonly Edit[] {
  if (instruction instanceof From) {
    const range = instruction.getImageRange()
    const image = instruction.getImage()
    if (range === null || image === null) return []
    return [{ line: range.start.line, from: range.start.character, to: range.end.character, text: image }]
  }
  if (!(instruction instanceof Copy) && !(instruction instanceof Run)) return []
  return instruction.getFlags().flatMap(flag => {
    const value = flag.getValue()
    const range = flag.getValueRange()
    if (value === null || range === null) return []
    const found =
      flag.getName() === 'from'
        ? ([0, value] as const)
        : flag.getName() === 'mount'
          ? mountedFrom(value)
          : undefined
    if (found === undefined) return []
    const from = range.start.character + found[0]
    return [{ line: range.start.line, from, to: from + found[1].length, text: found[1] }]
  })
}

function mountedFrom(value: string): readonly [number, string] | undefined {
  const found = /(?:^|,)from=([^,]+)/.exec(value)
  const image = found?.[1]
  if (found === null || image === undefined) return undefined
  return [found.index + found[0].length - image.length, image]
}

function applied(text: string, edits: readonly Edit[]): string {
  const lines = text.split('\n')
  for (const { line, from, to, text: replacement } of [...edits].reverse()) {
    const old = lines[line] ?? ''
    lines[line] = old.slice(0, from) + replacement + old.slice(to)
  }
  return lines.join('\n')
}
