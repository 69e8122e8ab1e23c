import { GateError } from './errors.js'
import { parseImageName, parseReference } from './evidence/reference.js'
import { BUILD_INPUTS, buildInputs } from './inputs-build.js'
import { acceptedValue, optional, parsed, refuse, split, type Reading } from './inputs-reading.js'
import { tagInputs } from './inputs-tags.js'
import { INPUTS, type Request, type SubjectSource } from './request.js'

/** Where values come from: '' means not given. */
export type InputReader = (name: string) => string

/** Name or id of an image as an engine takes it; never anything that a program could take for a flag. */
const LOCAL_IMAGE = /^[A-Za-z0-9][A-Za-z0-9._:/@-]{0,511}$/

/**
 * Reads all inputs into one Request.
 * Refuses, all at once: unknown values, wrong forms, contradictions, and what is not available yet.
 */
export function readInputs(read: InputReader, names: Readonly<Record<'sigil', string>>): Request {
  const noting: Omit<Reading, 'value'> = {
    problems: [],
    label: (name: string): string => `${names.sigil}${name}`,
  }
  const given = new Map(INPUTS.map(spec => [spec.name, acceptedValue(spec, read(spec.name).trim(), noting)]))
  const reading: Reading = { ...noting, value: name => given.get(name) ?? '' }
  const request = readRequest(reading)
  contradictions(request, reading)
  if (reading.problems.length > 0) {
    throw new GateError('config', { reason: 'inputs-invalid', message: reading.problems.join('\n') })
  }
  return request
}

function readRequest(reading: Reading): Request {
  const { value } = reading
  const sign = value('sign')
  const image = imageName(reading)
  return {
    image,
    subject: subjectSource(reading),
    context: value('context'),
    file: value('file'),
    ...buildInputs(reading),
    ...optional('policy', value('policy')),
    publish: publishMode(value('publish')),
    ...tagInputs(reading, image),
    ...(sign === 'keyless' || sign === 'key' || sign === 'none' ? { sign } : {}),
    ...optional('key', value('key')),
    ...optional('signingConfig', value('signing-config')),
    ...optional('trustedRoot', value('trusted-root')),
    embeddedRegistry: registry(reading),
    ...optional('registryUsername', value('registry-username')),
    ...optional('registryPassword', value('registry-password')),
    tools: toolSource(reading),
    ...optional('database', value('database')),
    output: value('output'),
    timeoutMs: timeout(reading),
  }
}

function publishMode(text: string): Request['publish'] {
  return text === 'never' || text === 'always' ? text : 'auto'
}

function imageName(reading: Reading): string {
  const text = reading.value('image')
  if (text !== '')
    return parsed(reading, 'image', { parse: () => parseImageName(text).name, whenRefused: text })
  refuse(reading, 'image', 'missing. Give the name to release, such as ghcr.io/owner/app.')
  return text
}

function subjectSource(reading: Reading): SubjectSource {
  const text = reading.value('subject')
  if (text === '') return { kind: 'build' }
  const [kind, rest] = split(text, ':')
  if (kind === 'oci-layout' && rest !== '') return { kind, dir: rest }
  if (kind === 'archive' && rest !== '') return { kind, file: rest }
  if (kind === 'docker' && LOCAL_IMAGE.test(rest)) return { kind, reference: rest }
  if (kind === 'registry' && rest !== '') {
    const whenRefused: SubjectSource = { kind: 'build' }
    return parsed(reading, 'subject', { parse: () => registrySubject(rest), whenRefused })
  }
  const forms = 'oci-layout:DIR, archive:FILE, docker:REF or registry:REF@sha256:…'
  refuse(reading, 'subject', `expected ${forms}, got '${text}'.`)
  return { kind: 'build' }
}

function registrySubject(text: string): SubjectSource {
  const { image, digest } = parseReference(text)
  if (digest !== undefined) return { kind: 'registry', image, digest }
  const message = `'${text}' names no digest. Write registry:REF@sha256:…, because a tag can move.`
  throw new GateError('config', { reason: 'subject-not-pinned', message })
}

function registry(reading: Reading): boolean {
  const text = reading.value('registry')
  const image = reading.value('image')
  if (text === '' || text === 'embedded') return text === 'embedded'
  if (image.split('/')[0] !== text) {
    const remedy = 'Leave it out, or write embedded.'
    refuse(reading, 'registry', `'${text}' is not the host of the image '${image}'. ${remedy}`)
  }
  return false
}

function toolSource(reading: Reading): string {
  const text = reading.value('tools')
  const [kind, rest] = split(text, ':')
  const plain = ['auto', 'release', 'path', 'source'].includes(text)
  const mirror = kind === 'mirror' && /^https?:\/\//.test(rest)
  if (!plain && !mirror && !(kind === 'dir' && rest !== '')) {
    const forms = 'auto, release, mirror:URL, dir:PATH, path or source'
    refuse(reading, 'tools', `expected ${forms}, got '${text}'.`)
  }
  return text
}

function timeout(reading: Reading): number {
  const text = reading.value('timeout')
  const minutes = /^[0-9]{1,4}$/.test(text) ? Number(text) : 0
  if (minutes < 1) refuse(reading, 'timeout', `expected whole minutes from 1 to 9999, got '${text}'.`)
  return minutes * 60_000
}

function keylessContradictions(request: Request, reading: Reading): void {
  const { problems, label } = reading
  if ((request.signingConfig === undefined) !== (request.trustedRoot === undefined)) {
    problems.push(`${label('signing-config')} and ${label('trusted-root')} belong together.`)
  }
  if (request.signingConfig !== undefined && request.sign !== undefined && request.sign !== 'keyless')
    refuse(reading, 'signing-config', `given, but ${label('sign')} is not 'keyless'.`)
  if (request.sign === 'keyless' && request.embeddedRegistry)
    refuse(reading, 'registry', `'embedded' is for rehearsals: ${label('sign')} with a key.`)
}

function contradictions(request: Request, reading: Reading): void {
  const { problems, label } = reading
  if (request.sign === 'key' && request.key === undefined) {
    refuse(reading, 'key', `missing. With ${label('sign')} key give the private key: a file, or env://NAME.`)
  }
  if (request.sign !== 'key' && request.key !== undefined)
    refuse(reading, 'key', `given, but ${label('sign')} is not 'key'.`)
  if ((request.registryUsername === undefined) !== (request.registryPassword === undefined)) {
    problems.push(`${label('registry-username')} and ${label('registry-password')} belong together.`)
  }
  keylessContradictions(request, reading)
  if (request.subject.kind === 'build') return
  for (const name of BUILD_INPUTS) {
    if (reading.value(name) !== '') refuse(reading, name, 'has no meaning with a ready image as subject.')
  }
}
