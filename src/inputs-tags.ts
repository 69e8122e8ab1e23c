import { parseReference, parseTag } from './evidence/reference.js'
import { parsed, refuse, type Reading } from './inputs-reading.js'

/** In place of a tag: the tags that follow from the ref of the run. */
export const AUTO = 'auto'

/**
 * The inputs `tags` and `overwrite`: plain tags, `auto`, or full references as docker/metadata-action puts them out,
 * which must be of the image that is released. Each tag once, in order. `overwrite` names tags of this list.
 */
export function tagInputs(
  reading: Reading,
  image: string,
): { readonly tags: readonly string[]; readonly overwrite: readonly string[] } {
  const tags = tagList(reading, 'tags', image)
  const overwrite = tagList(reading, 'overwrite', image)
  for (const tag of overwrite) {
    if (tag === AUTO) refuse(reading, 'overwrite', "'auto' needs none: its moving tags move.")
    else if (!tags.includes(tag)) refuse(reading, 'overwrite', `'${tag}' is not one of the tags.`)
  }
  return { tags, overwrite }
}

function tagList(reading: Reading, name: 'tags' | 'overwrite', image: string): readonly string[] {
  const texts = reading
    .value(name)
    .split(/[\s,]+/)
    .filter(text => text !== '')
  return [...new Set(texts.map(text => tagOf(reading, name, { text, image })))]
}

function tagOf(
  reading: Reading,
  name: 'tags' | 'overwrite',
  given: { readonly text: string; readonly image: string },
): string {
  const { text, image } = given
  if (text === AUTO && name === 'tags') return text
  if (!/[/:@]/.test(text)) return parsed(reading, name, { parse: () => parseTag(text), whenRefused: text })
  const full = parsed(reading, name, { parse: () => parseReference(text), whenRefused: undefined })
  if (full === undefined) return text
  if (full.image.name === image && full.tag !== undefined && full.digest === undefined) return full.tag
  refuse(reading, name, `'${text}' is no tag of '${image}'. Give a tag, or ${image}:TAG.`)
  return text
}
