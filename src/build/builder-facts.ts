/** What `buildx --debug inspect` says of a builder. */
export interface BuilderFacts {
  readonly name: string
  readonly driver: string
  /** `v0.32.2`, of the first node that says it. */
  readonly buildkit?: string
  /** What each node says against itself; empty when none does. */
  readonly errors: readonly string[]
  readonly exportsOci: boolean
  /** False when nobody answers and buildx cannot start the builder itself, as it does with containers. */
  readonly answers: boolean
}

const MAX_CHARACTERS = 1024 * 1024
const OCI_DRIVERS = ['docker-container', 'remote', 'kubernetes', 'cloud']

/**
 * Reads what `buildx inspect` prints: `Name: value` lines, first of the builder, then of each node. Versions that do
 * not list features are judged by their driver: all but `docker` export OCI. Undefined when there is no name or
 * driver in it.
 */
export function parseBuilder(text: string): BuilderFacts | undefined {
  const lines = text.slice(0, MAX_CHARACTERS).split('\n')
  const name = valueAfter(lines, 'Name')[0]
  const driver = valueAfter(lines, 'Driver')[0]
  if (name === undefined || name === '' || driver === undefined) return undefined
  const buildkit = valueAfter(lines, 'BuildKit version')[0]
  const features = valueAfter(lines, 'OCI exporter')
  return {
    name,
    driver,
    ...(buildkit === undefined || buildkit === '' ? {} : { buildkit }),
    errors: valueAfter(lines, 'Error').filter(error => error !== ''),
    answers: driver !== 'remote' || valueAfter(lines, 'Status').includes('running'),
    exportsOci:
      features.length > 0 ? features.every(value => value === 'true') : OCI_DRIVERS.includes(driver),
  }
}

/** Why a builder cannot be used to export an OCI layout; undefined when it can. */
export function builderProblem(builder: BuilderFacts): string | undefined {
  const [error] = builder.errors
  if (error !== undefined) return `builder '${builder.name}' does not answer: ${error.slice(0, 300)}`
  if (!builder.answers) return `builder '${builder.name}' (driver ${builder.driver}) does not answer`
  if (builder.exportsOci) return undefined
  return `builder '${builder.name}' (driver ${builder.driver}) cannot export an OCI layout`
}

function valueAfter(lines: readonly string[], key: string): readonly string[] {
  return lines.flatMap(line => {
    const text = line.trim()
    if (!text.startsWith(`${key}:`)) return []
    return [text.slice(key.length + 1).trim()]
  })
}
