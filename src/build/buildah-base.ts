import { parseDockerfile } from '../evidence/dockerfile.js'
import { parseReference } from '../evidence/reference.js'
import type { CheckedBase } from './build-request.js'

/** Annotation keys of the OCI image specification (annotations.md). */
const NAME = 'org.opencontainers.image.base.name'
const DIGEST = 'org.opencontainers.image.base.digest'

/**
 * What the manifest is to say of its base. buildah writes the digest of its last intermediate image there, which is
 * nobody's base: what is not known for certain is said as nothing. Known is a base whose digest was checked, or which
 * the Dockerfile pins.
 */
export function baseAnnotations(
  text: string,
  given: {
    readonly bases: readonly CheckedBase[]
    readonly buildArgs: Readonly<Record<string, string>>
    readonly target?: string
  },
): Readonly<Record<string, string>> {
  const reference = finalBase(text, given)
  const checked = given.bases.find(base => base.reference === reference)?.digest
  const digest = checked ?? reference?.slice(reference.indexOf('@') + 1)
  if (reference === undefined || (checked === undefined && !reference.includes('@'))) return unknown()
  try {
    const { image, tag } = parseReference(reference)
    return { [NAME]: tag === undefined ? image.name : `${image.name}:${tag}`, [DIGEST]: digest ?? '' }
  } catch {
    return unknown()
  }
}

/** The image that the stage which is built stands on in the end, as the Dockerfile names it. */
function finalBase(
  text: string,
  given: { readonly buildArgs: Readonly<Record<string, string>>; readonly target?: string },
): string | undefined {
  const { buildArgs, target } = given
  const facts = parseDockerfile(text, 'Dockerfile', {
    buildArgs,
    ...(target === undefined ? {} : { target }),
  })
  const froms = facts.instructions.filter(instruction => instruction.keyword === 'FROM')
  let at = froms.findIndex(from => from.location.line === facts.finalStage.line)
  for (;;) {
    const from = froms[at]
    if (from === undefined) return undefined
    const base = facts.bases.find(({ location }) => location.line === from.location.line)
    if (base !== undefined) return base.reference
    const name = from.arguments.split(' ')[0]?.toLowerCase()
    at = froms
      .slice(0, at)
      .findLastIndex(one => / as (\S+)$/i.exec(one.arguments)?.[1]?.toLowerCase() === name)
  }
}

function unknown(): Readonly<Record<string, string>> {
  return { [NAME]: '', [DIGEST]: '' }
}
