import { z } from 'zod'

/** One piece of text of an image's configuration or manifest. */
export interface ConfigPart {
  /** Where it is, in words: `ENV NAME`, `label NAME`, `history 3`, `CMD`. */
  readonly name: string
  readonly text: string
  /** Set where `text` is the own name of a variable, label or annotation, which must not be printed if secret. */
  readonly named?: { readonly part: string; readonly instead: string }
}

const document = z.looseObject({})
const NAMES: Readonly<Record<string, string>> = {
  Cmd: 'CMD',
  Entrypoint: 'ENTRYPOINT',
  Healthcheck: 'HEALTHCHECK',
  OnBuild: 'ONBUILD',
  Shell: 'SHELL',
  User: 'USER',
  WorkingDir: 'WORKDIR',
}
const MAX_DEPTH = 32
// The field of the configuration that holds the digests of the layers and nothing else.
const DIGESTS = 'rootfs'

/**
 * Every text of an image configuration that could hold a secret, part by part: environment, labels, history (which
 * holds build arguments), commands, and any other field, known or not. Empty texts are left out.
 */
export function configParts(json: string): readonly ConfigPart[] {
  const { config, container_config: container, history, ...rest } = document.parse(JSON.parse(json))
  return [
    ...settingParts(config, ''),
    ...settingParts(container, 'container_config: '),
    ...entriesOf(history).map(([at, entry]) => ({
      name: `history ${String(Number(at) + 1)}`,
      text: textsOf(entry).join('\n'),
    })),
    ...Object.entries(rest).flatMap(([key, value]) =>
      key === DIGESTS ? [] : textsOf(value).map(text => ({ name: 'another field', text })),
    ),
  ].filter(part => part.text !== '')
}

/** Every annotation of an image manifest. */
export function manifestParts(json: string): readonly ConfigPart[] {
  const { annotations } = document.parse(JSON.parse(json))
  return namedParts('annotation', annotations)
}

function settingParts(config: unknown, prefix: string): readonly ConfigPart[] {
  return entriesOf(config).flatMap(([key, value]): readonly ConfigPart[] => {
    if (key === 'Env') return entriesOf(value).flatMap(([at, line]) => envParts(prefix, at, line))
    if (key === 'Labels') return namedParts(`${prefix}label`, value)
    const name = NAMES[key] ?? 'another field'
    const texts = textsOf(value)
    return texts.length === 0 ? [] : [{ name: `${prefix}${name}`, text: texts.join(' ') }]
  })
}

function envParts(prefix: string, at: string, line: unknown): readonly ConfigPart[] {
  const text = textsOf(line).join('\n')
  const name = text.split('=', 1)[0] ?? ''
  return withName(`${prefix}ENV`, { at, name, text })
}

function namedParts(kind: string, map: unknown): readonly ConfigPart[] {
  return entriesOf(map).flatMap(([name, value], at) =>
    withName(kind, { at: String(at), name, text: `${name}=${textsOf(value).join('\n')}` }),
  )
}

function withName(
  kind: string,
  given: { readonly at: string; readonly name: string; readonly text: string },
): readonly ConfigPart[] {
  const { name, text } = given
  if (text === '') return []
  const part = `${kind} ${name}`
  const instead = `${kind} ${String(Number(given.at) + 1)} (in its name)`
  return [
    { name: part, text },
    { name: instead, text: name, named: { part, instead } },
  ]
}

function entriesOf(value: unknown): readonly (readonly [string, unknown])[] {
  return typeof value === 'object' && value !== null ? Object.entries(value) : []
}

/** All strings in a JSON value, names of fields included. */
function textsOf(value: unknown, depth = 0): readonly string[] {
  if (typeof value === 'string') return value === '' ? [] : [value]
  if (depth > MAX_DEPTH) return [JSON.stringify(value)]
  if (Array.isArray(value)) return value.flatMap(item => textsOf(item, depth + 1))
  return entriesOf(value).flatMap(([key, item]) => [key, ...textsOf(item, depth + 1)])
}
