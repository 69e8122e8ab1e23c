import type { DockerfileFacts, DockerfileInstruction } from './evidence.js'
import type { ImageContents, SourceLocation } from './image.js'
import type { HistoryEntry } from './subject.js'

const SHELL = '/bin/sh -c '
const ARGUMENTS = /^\|[0-9]+ /
const CLASSIC_COPY = /^(COPY|ADD) (?:--\S+ )*\S+:\S+ in (.+)$/
const MAKES_LAYER: ReadonlySet<string> = new Set(['RUN', 'COPY', 'ADD', 'WORKDIR'])

/**
 * The Dockerfile instruction behind each layer (one answer per history entry that is not empty), read from the
 * `created_by` that BuildKit and Docker's classic builder write. An answer is given only when it is certain: the
 * same text stands as often in the history as in the stages that make the image; else it is undefined.
 */
export function instructionsOfLayers(
  history: readonly HistoryEntry[],
  facts: DockerfileFacts,
): readonly (SourceLocation | undefined)[] {
  const keys = history.map(entry => historyKeys(entry.createdBy))
  const instructions = makers(facts)
  const answers = new Map<number, SourceLocation>()
  for (const form of ['full', 'target'] as const) {
    const wanted = grouped(instructions.map(instruction => instructionKeys(instruction)[form]))
    const found = grouped(keys.map(key => key?.[form]))
    for (const [key, places] of found) {
      const own = wanted.get(key) ?? []
      if (own.length !== places.length) continue
      places.forEach((place, at) => {
        const instruction = instructions[own[at] ?? -1]
        if (instruction !== undefined) answers.set(place, instruction.location)
      })
    }
  }
  return history.flatMap((entry, at) => (entry.emptyLayer ? [] : [answers.get(at)]))
}

/** The same contents with the instruction of each layer filled in where it is certain. */
export function withInstructions(
  contents: ImageContents,
  history: readonly HistoryEntry[],
  facts: DockerfileFacts,
): ImageContents {
  const places = instructionsOfLayers(history, facts)
  if (places.length !== contents.layers.length) return contents
  return {
    ...contents,
    layers: contents.layers.map((layer, at) => {
      const instruction = places[at]
      return instruction === undefined ? layer : { ...layer, instruction }
    }),
  }
}

interface Keys {
  /** Keyword and all arguments. */
  readonly full: string | undefined
  /** Keyword and destination, all that the classic builder tells about COPY and ADD. */
  readonly target: string | undefined
}

/** Layer-making instructions of the stages that the final image is made of, in the order they run. */
function makers(facts: DockerfileFacts): readonly DockerfileInstruction[] {
  const froms = facts.instructions.filter(instruction => instruction.keyword === 'FROM')
  const chain = new Set<number>()
  let at = froms.findIndex(from => from.location.line === facts.finalStage.line)
  while (at >= 0) {
    chain.add(at)
    const image = /^\S+/.exec(froms[at]?.arguments ?? '')?.[0].toLowerCase()
    at = froms
      .slice(0, at)
      .findLastIndex(from => / as (\S+)$/i.exec(from.arguments)?.[1]?.toLowerCase() === image)
  }
  return facts.instructions.filter(
    instruction =>
      MAKES_LAYER.has(instruction.keyword) &&
      chain.has(instruction.stage) &&
      !instruction.arguments.includes('<<'),
  )
}

function instructionKeys(instruction: DockerfileInstruction): Keys {
  const words = plain(instruction.arguments)
  const copies = instruction.keyword === 'COPY' || instruction.keyword === 'ADD'
  return {
    full: `${instruction.keyword} ${words}`,
    target: copies ? `${instruction.keyword} ${words.slice(words.lastIndexOf(' ') + 1)}` : undefined,
  }
}

function historyKeys(createdBy: string): Keys | undefined {
  const text = createdBy.replace(/ # buildkit$/, '').trim()
  const nop = /^(?:\|[0-9]+ .*?)?\/bin\/sh -c #\(nop\)\s+/s.exec(text)
  if (nop !== null) return classicKeys(text.slice(nop[0].length))
  const keyword = /^(RUN|COPY|ADD|WORKDIR) /.exec(text)?.[1]
  const rest = keyword === undefined ? text : text.slice(keyword.length + 1)
  if (keyword !== undefined && keyword !== 'RUN') {
    return { full: `${keyword} ${spaced(rest.replace(/^(?:--\S+ )+/, ''))}`, target: undefined }
  }
  if (rest.startsWith(SHELL)) return { full: `RUN ${spaced(rest.slice(SHELL.length))}`, target: undefined }
  const shell = ARGUMENTS.test(rest) ? rest.indexOf(` ${SHELL}`) : -1
  if (shell !== -1) return { full: `RUN ${spaced(rest.slice(shell + SHELL.length + 1))}`, target: undefined }
  return keyword === undefined ? undefined : { full: `RUN ${spaced(rest)}`, target: undefined }
}

function classicKeys(text: string): Keys | undefined {
  const copy = CLASSIC_COPY.exec(text.trim())
  if (copy !== null) return { full: undefined, target: `${copy[1] ?? ''} ${spaced(copy[2] ?? '')}` }
  return text.startsWith('WORKDIR ') ? { full: spaced(text), target: undefined } : undefined
}

/** Arguments as one line; the JSON form becomes its words, as builders write it. */
function plain(text: string): string {
  if (!text.startsWith('[')) return spaced(text)
  try {
    const words: unknown = JSON.parse(text)
    if (Array.isArray(words) && words.every(word => typeof word === 'string')) return spaced(words.join(' '))
  } catch {
    return spaced(text)
  }
  return spaced(text)
}

function spaced(text: string): string {
  return text.replace(/\s+/g, ' ').trim()
}

function grouped(keys: readonly (string | undefined)[]): ReadonlyMap<string, readonly number[]> {
  const groups = new Map<string, number[]>()
  keys.forEach((key, at) => {
    if (key === undefined) return
    const group = groups.get(key)
    if (group === undefined) groups.set(key, [at])
    else group.push(at)
  })
  return groups
}
