import type { DiffId } from './digest.js'
import type { DockerfileFacts, DockerfileInstruction } from './evidence.js'
import { readHistoryEntry } from './history-entry.js'
import type { ImageContents, LayerFacts, SourceLocation } from './image.js'
import { isStepOf, MAKES_LAYER } from './instruction-match.js'
import type { HistoryEntry } from './subject.js'

/** Where one layer comes from, as far as that is certain. */
export type LayerOrigin = Pick<LayerFacts, 'origin' | 'instruction'>

export interface OriginInput {
  readonly history: readonly HistoryEntry[]
  readonly dockerfile?: DockerfileFacts
  /** Whether this Dockerfile was built in this run: only then is what stands below its instructions the base. */
  readonly builtHere: boolean
  /** The layers of the base image where they are known: nothing else is then believed about what is base. */
  readonly baseLayers?: readonly DiffId[]
}

const NOT_TOLD: LayerOrigin = {}
/** Builders add labels given on their command line as instructions at the end. */
const MAX_LABELS = 20
/** BuildKit notes so where history and layers did not fit and it filled up the one by the other. */
const FILLED_UP = 'buildkit.exporter.image.v0'

/**
 * For each layer whether it came with the base image or was made by the Dockerfile, and the line that answers for it:
 * the instruction, or the FROM of the base. It is told only where the whole Dockerfile is found, in order, at the end
 * of the history; a layer that holds the work of several instructions (buildah without layers) has no line. What was
 * squashed, has no history, or was built from another Dockerfile stays untold.
 */
export function originsOfLayers(diffIds: readonly DiffId[], given: OriginInput): readonly LayerOrigin[] {
  const { history, dockerfile, builtHere, baseLayers } = given
  const untold = diffIds.map(() => NOT_TOLD)
  const own = dockerfile === undefined ? undefined : ownLayers(history, dockerfile, diffIds.length)
  if (baseLayers !== undefined) {
    if (baseLayers.some((layer, at) => diffIds[at] !== layer)) return untold
    const lines = own !== undefined && own.length === diffIds.length - baseLayers.length ? own : []
    return diffIds.map((_, at) =>
      at < baseLayers.length ? ofBase(dockerfile) : (lines[at - baseLayers.length] ?? { origin: 'own' }),
    )
  }
  if (own === undefined) return untold
  const below = diffIds.length - own.length
  return diffIds.map((_, at) => own[at - below] ?? (builtHere ? ofBase(dockerfile) : NOT_TOLD))
}

/** For each layer the instruction that made it, where that is certain; base layers have none. */
export function instructionsOfLayers(
  history: readonly HistoryEntry[],
  dockerfile: DockerfileFacts,
): readonly (SourceLocation | undefined)[] {
  const layers = history.filter(entry => !entry.emptyLayer).length
  const own = ownLayers(history, dockerfile, layers) ?? []
  return Array.from({ length: layers }, (_, at) => own[at - layers + own.length]?.instruction)
}

/** The same contents with the origin of each layer filled in where it is certain. */
export function withOrigins(contents: ImageContents, given: OriginInput): ImageContents {
  const origins = originsOfLayers(
    contents.layers.map(layer => layer.diffId),
    given,
  )
  return { ...contents, layers: contents.layers.map((layer, at) => ({ ...layer, ...origins[at] })) }
}

function ofBase(dockerfile: DockerfileFacts | undefined): LayerOrigin {
  const from = dockerfile?.base
  return { origin: 'base', ...(from === undefined ? {} : { instruction: from }) }
}

/** Origins of the layers that the Dockerfile made, which are the uppermost; undefined when they are not certain. */
function ownLayers(
  history: readonly HistoryEntry[],
  dockerfile: DockerfileFacts,
  layers: number,
): readonly LayerOrigin[] | undefined {
  const made = history.filter(entry => !entry.emptyLayer).length
  if (dockerfile.chain === undefined || made !== layers) return undefined
  if (history.some(entry => entry.comment === FILLED_UP)) return undefined
  const aligned = alignment(history, instructionsOf(dockerfile))
  if (aligned === undefined) return undefined
  const below = history.slice(0, history.length - aligned.length)
  const baseLayers = below.filter(entry => !entry.emptyLayer).length
  // Without a base nothing stands below; with one at least a layer does, or it was squashed into ours.
  if (dockerfile.base === undefined ? below.length > 0 : baseLayers === 0) return undefined
  return originsOf(history.slice(below.length), aligned)
}

/** Instructions of the stages that the final image is made of, in the order they run. */
function instructionsOf(dockerfile: DockerfileFacts): readonly DockerfileInstruction[] {
  const { chain = [], instructions } = dockerfile
  return chain.flatMap(stage => instructions.filter(one => one.stage === stage && one.keyword !== 'FROM'))
}

type Aligned = readonly (DockerfileInstruction | undefined)[]

/** The instruction behind each of the last entries of the history; undefined when not all are found. */
function alignment(
  history: readonly HistoryEntry[],
  instructions: readonly DockerfileInstruction[],
): Aligned | undefined {
  const steps = history.map(readHistoryEntry)
  for (let labels = 0; labels <= MAX_LABELS; labels += 1) {
    if (labels > 0 && steps.at(-labels)?.keyword !== 'LABEL') return undefined
    const found: (DockerfileInstruction | undefined)[] = Array.from({ length: labels }, () => undefined)
    let at = steps.length - labels - 1
    const complete = instructions.toReversed().every(instruction => {
      const step = steps[at]
      if (step !== undefined && isStepOf(step, instruction)) {
        found.unshift(instruction)
        at -= 1
        return true
      }
      // No builder notes every instruction that changes no file (ONBUILD, ARG).
      return !MAKES_LAYER.has(instruction.keyword)
    })
    if (complete) return found
  }
  return undefined
}

/** A layer holds what was done since the layer before it. */
function originsOf(entries: readonly HistoryEntry[], aligned: Aligned): readonly LayerOrigin[] {
  const origins: LayerOrigin[] = []
  let places: SourceLocation[] = []
  entries.forEach((entry, at) => {
    const instruction = aligned[at]
    const changes = instruction !== undefined && MAKES_LAYER.has(instruction.keyword)
    // A WORKDIR that is there already makes no layer, and no difference to the next one.
    if (changes && !(entry.emptyLayer && instruction.keyword === 'WORKDIR')) places.push(instruction.location)
    if (entry.emptyLayer) return
    const [place] = places
    origins.push(
      place !== undefined && places.length === 1 ? { origin: 'own', instruction: place } : { origin: 'own' },
    )
    places = []
  })
  return origins
}
