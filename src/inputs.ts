import { describeError, GateError } from './errors.js'
import { parseImageName, parseReference, parseTag } from './evidence/reference.js'
import { INPUTS, type InputSpec, type Request, type SubjectSource } from './request.js'

/** Where values come from: '' means not given. */
export type InputReader = (name: string) => string

const PLATFORM = /^[a-z0-9]+\/[a-z0-9_]+(?:\/[a-z0-9]+)?$/
/** Name or id of an image as an engine takes it; never anything that a program could take for a flag. */
const LOCAL_IMAGE = /^[A-Za-z0-9][A-Za-z0-9._:/@-]{0,511}$/
const NAMES = {
  'build-args': /^[A-Za-z_][A-Za-z0-9_.-]*$/,
  labels: /^[A-Za-z0-9_][A-Za-z0-9_./-]*$/,
} as const
const MAX_VALUE = 65_536

/** Collects every problem before failing, so that one run shows them all. */
interface Reading {
  readonly value: (name: string) => string
  readonly problems: string[]
}

/**
 * Reads all inputs into one Request.
 * Refuses, all at once: unknown values, wrong forms, contradictions, and what is not available yet.
 */
export function readInputs(read: InputReader, names: Readonly<Record<'sigil', string>>): Request {
  const problems: string[] = []
  const label = (name: string): string => `${names.sigil}${name}`
  const given = new Map(
    INPUTS.map(spec => [spec.name, acceptedValue(spec, read(spec.name).trim(), label, problems)]),
  )
  const reading: Reading = { value: name => given.get(name) ?? '', problems }
  const request = buildRequest(reading, label)
  contradictions(request, reading, label)
  if (problems.length > 0) {
    throw new GateError('config', { reason: 'inputs-invalid', message: problems.join('\n') })
  }
  return request
}

function acceptedValue(
  spec: InputSpec,
  given: string,
  label: (name: string) => string,
  problems: string[],
): string {
  const value = given === '' ? (spec.default ?? '') : given
  if (value === '') return ''
  if (!spec.available) {
    problems.push(`${label(spec.name)}: not available yet in this version. Leave it out.`)
    return ''
  }
  if (value.length > MAX_VALUE || value.includes('\0')) {
    problems.push(`${label(spec.name)}: longer than ${MAX_VALUE} characters, or holds a NUL.`)
    return ''
  }
  if (spec.later?.includes(value)) {
    problems.push(
      `${label(spec.name)}: '${value}' is not available yet in this version. Use ${choice(spec)}.`,
    )
    return ''
  }
  if (spec.values && !spec.values.includes(value)) {
    problems.push(`${label(spec.name)}: expected ${choice(spec)}, got '${value}'.`)
    return ''
  }
  return value
}

function choice(spec: InputSpec): string {
  return (spec.values ?? []).map(value => `'${value}'`).join(' or ')
}

function buildRequest(reading: Reading, label: (name: string) => string): Request {
  const { value, problems } = reading
  const sign = value('sign')
  const network = value('network')
  return {
    image: imageName(value('image'), label, problems),
    subject: subjectSource(value('subject'), label, problems),
    context: value('context'),
    file: value('file'),
    ...optional('target', value('target')),
    buildArgs: assignments('build-args', reading, label).map(([name, text]) => `${name}=${text}`),
    ...optional('platform', platform(value('platforms'), label, problems)),
    labels: Object.fromEntries(assignments('labels', reading, label)),
    ...(network === 'default' || network === 'none' || network === 'host' ? { network } : {}),
    engine: value('engine') === 'docker' ? 'docker' : 'auto',
    noCache: booleanValue('no-cache', reading, label),
    pull: booleanValue('pull', reading, label),
    ...optional('policy', value('policy')),
    publish: publishMode(value('publish')),
    tags: tags(value('tags'), label, problems),
    ...(sign === 'key' || sign === 'none' ? { sign } : {}),
    ...optional('key', value('key')),
    embeddedRegistry: registry(value('registry'), value('image'), label, problems),
    ...optional('registryUsername', value('registry-username')),
    ...optional('registryPassword', value('registry-password')),
    tools: toolSource(value('tools'), label, problems),
    ...optional('database', value('database')),
    output: value('output'),
    timeoutMs: timeout(value('timeout'), label, problems),
  }
}

/** A property only when it was given. */
function optional<K extends string>(key: K, text: string): { readonly [P in K]?: string }
function optional(key: string, text: string): Readonly<Record<string, string>> {
  return text === '' ? {} : { [key]: text }
}

function publishMode(text: string): Request['publish'] {
  return text === 'never' || text === 'always' ? text : 'auto'
}

/** Runs a parser that throws; its message becomes one more problem of the input. */
function parsed<T>(
  parse: () => T,
  whenRefused: T,
  problem: { readonly label: string; readonly problems: string[] },
): T {
  try {
    return parse()
  } catch (thrown) {
    problem.problems.push(`${problem.label}: ${describeError(thrown)}`)
    return whenRefused
  }
}

function imageName(text: string, label: (name: string) => string, problems: string[]): string {
  if (text !== '') return parsed(() => parseImageName(text).name, text, { label: label('image'), problems })
  problems.push(`${label('image')}: missing. Give the name to release, such as ghcr.io/owner/app.`)
  return text
}

function subjectSource(text: string, label: (name: string) => string, problems: string[]): SubjectSource {
  if (text === '') return { kind: 'build' }
  const [kind, rest] = split(text, ':')
  if (kind === 'oci-layout' && rest !== '') return { kind, dir: rest }
  if (kind === 'archive' && rest !== '') return { kind, file: rest }
  if (kind === 'docker' && LOCAL_IMAGE.test(rest)) return { kind, reference: rest }
  if (kind === 'registry' && rest !== '') {
    const build: SubjectSource = { kind: 'build' }
    return parsed(() => registrySubject(rest), build, { label: label('subject'), problems })
  }
  problems.push(
    `${label('subject')}: expected oci-layout:DIR, archive:FILE, docker:REF or registry:REF@sha256:…, got '${text}'.`,
  )
  return { kind: 'build' }
}

function registrySubject(text: string): SubjectSource {
  const { image, digest } = parseReference(text)
  if (digest !== undefined) return { kind: 'registry', image, digest }
  const message = `'${text}' names no digest. Write registry:REF@sha256:…, because a tag can move.`
  throw new GateError('config', { reason: 'subject-not-pinned', message })
}

function platform(text: string, label: (name: string) => string, problems: string[]): string {
  if (text === '') return ''
  if (/[,\s]/.test(text))
    problems.push(`${label('platforms')}: several platforms are not available yet in this version.`)
  else if (!PLATFORM.test(text))
    problems.push(`${label('platforms')}: expected os/arch or os/arch/variant, got '${text}'.`)
  return text
}

function assignments(
  name: keyof typeof NAMES,
  reading: Reading,
  label: (name: string) => string,
): [string, string][] {
  const found = new Map<string, string>()
  for (const line of reading
    .value(name)
    .split('\n')
    .map(text => text.trim())) {
    if (line === '') continue
    const [key, text] = split(line, '=')
    if (!line.includes('=') || !NAMES[name].test(key)) {
      reading.problems.push(`${label(name)}: expected NAME=VALUE on each line, got '${key}'.`)
    } else if (found.has(key)) {
      reading.problems.push(`${label(name)}: '${key}' is given twice.`)
    } else found.set(key, text)
  }
  return [...found]
}

function split(text: string, separator: string): [string, string] {
  const at = text.indexOf(separator)
  return at < 0 ? [text, ''] : [text.slice(0, at), text.slice(at + separator.length)]
}

/** The YAML 1.2 booleans that the runner's own reader takes, nothing else. */
function booleanValue(name: string, reading: Reading, label: (name: string) => string): boolean {
  const text = reading.value(name)
  if (/^(true|True|TRUE)$/.test(text)) return true
  if (!/^(false|False|FALSE|)$/.test(text))
    reading.problems.push(`${label(name)}: expected true or false, got '${text}'.`)
  return false
}

function tags(text: string, label: (name: string) => string, problems: string[]): readonly string[] {
  const list = text.split(/[\s,]+/).filter(tag => tag !== '')
  for (const tag of list) {
    if (tag === 'auto')
      problems.push(`${label('tags')}: 'auto' is not available yet in this version. Name the tags.`)
    else parsed(() => parseTag(tag), tag, { label: label('tags'), problems })
  }
  return [...new Set(list)]
}

function registry(text: string, image: string, label: (name: string) => string, problems: string[]): boolean {
  if (text === '' || text === 'embedded') return text === 'embedded'
  if (image.split('/')[0] !== text) {
    problems.push(
      `${label('registry')}: '${text}' is not the host of the image '${image}'. Leave it out, or write embedded.`,
    )
  }
  return false
}

function toolSource(text: string, label: (name: string) => string, problems: string[]): string {
  const [kind, rest] = split(text, ':')
  const plain = ['auto', 'release', 'path', 'source'].includes(text)
  const mirror = kind === 'mirror' && /^https?:\/\//.test(rest)
  if (!plain && !mirror && !(kind === 'dir' && rest !== '')) {
    problems.push(
      `${label('tools')}: expected auto, release, mirror:URL, dir:PATH, path or source, got '${text}'.`,
    )
  }
  return text
}

function timeout(text: string, label: (name: string) => string, problems: string[]): number {
  const minutes = /^[0-9]{1,4}$/.test(text) ? Number(text) : 0
  if (minutes < 1) problems.push(`${label('timeout')}: expected whole minutes from 1 to 9999, got '${text}'.`)
  return minutes * 60_000
}

function contradictions(request: Request, reading: Reading, label: (name: string) => string): void {
  const { problems } = reading
  if (request.sign === 'key' && request.key === undefined) {
    problems.push(
      `${label('key')}: missing. With ${label('sign')} key give the private key: a file, or env://NAME.`,
    )
  }
  if (request.sign !== 'key' && request.key !== undefined) {
    problems.push(`${label('key')}: given, but ${label('sign')} is not 'key'.`)
  }
  if ((request.registryUsername === undefined) !== (request.registryPassword === undefined)) {
    problems.push(`${label('registry-username')} and ${label('registry-password')} belong together.`)
  }
  if (request.subject.kind !== 'build') {
    for (const name of ['build-args', 'labels', 'target', 'platforms', 'network']) {
      if (reading.value(name) !== '')
        problems.push(`${label(name)}: has no meaning with a ready image as subject.`)
    }
  }
}
