import { AUTO } from '../inputs-tags.js'
import type { Trigger } from '../record/record.js'
import type { Request } from '../request.js'

/** The tags of a release, in the order they are set, and those among them that may be moved forward. */
export interface TagPlan {
  readonly tags: readonly string[]
  readonly movable: readonly string[]
}

/** `vX.Y.Z` with an optional pre-release, as https://semver.org has it; build metadata cannot stand in a tag. */
const RELEASE =
  /^refs\/tags\/v?(?<major>0|[1-9]\d*)\.(?<minor>0|[1-9]\d*)\.(?<patch>0|[1-9]\d*)(?:-(?<pre>[0-9A-Za-z.-]+))?$/
const SHORT_COMMIT = 12
/** Nothing is tagged. */
export const NO_TAGS: TagPlan = { tags: [], movable: [] }

/** The tags that were asked for, with `auto` replaced; undefined where `auto` means nothing here. */
export function tagPlan(request: Pick<Request, 'tags' | 'overwrite'>, trigger: Trigger): TagPlan | undefined {
  const automatic = request.tags.includes(AUTO) ? automaticTags(trigger) : NO_TAGS
  if (automatic === undefined) return undefined
  const tags = request.tags.flatMap(tag => (tag === AUTO ? automatic.tags : [tag]))
  const movable = [...automatic.movable, ...request.overwrite]
  return { tags: [...new Set(tags)], movable: [...new Set(movable)] }
}

/**
 * The tags of `auto`: a Git tag v1.2.3 gives 1.2.3, and the moving 1.2, 1 and latest (none of these for a pre-release,
 * and no 0 for a major version of zero); a branch gives the moving edge and sha-COMMIT. Undefined where the run has
 * neither, and for a Git tag that is no version.
 */
export function automaticTags(trigger: Trigger): TagPlan | undefined {
  const { ref = '', commit } = trigger
  const version = RELEASE.exec(ref)?.groups
  if (version !== undefined) return versionTags(version)
  if (!ref.startsWith('refs/heads/') || commit === undefined) return undefined
  return { tags: [`sha-${commit.slice(0, SHORT_COMMIT)}`, 'edge'], movable: ['edge'] }
}

function versionTags(version: Readonly<Record<string, string | undefined>>): TagPlan {
  const { major = '', minor = '', patch = '', pre } = version
  const whole = `${major}.${minor}.${patch}`
  if (pre !== undefined) return { tags: [`${whole}-${pre}`], movable: [] }
  const movable = [`${major}.${minor}`, ...(major === '0' ? [] : [major]), 'latest']
  return { tags: [whole, ...movable], movable }
}
