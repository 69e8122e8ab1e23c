import { GateError } from '../errors.js'

/**
 * Who signed, as a certificate of Fulcio states it. What a certificate does not state is absent; no field is ever
 * guessed. Ids are decimal text.
 */
export interface SignerIdentity {
  /** Issuer of the token: `https://token.actions.githubusercontent.com`. */
  readonly issuer: string
  /** Subject alternative name; of a workflow its URL with the ref: `https://github.com/O/R/.github/workflows/F@REF`. */
  readonly subject: string
  /** `https://github.com/OWNER/REPOSITORY` of the source. */
  readonly repository?: string
  readonly repositoryId?: string
  readonly ownerId?: string
  /** URL of the workflow that the run began with, with its ref; another one than `subject` for a reusable workflow. */
  readonly workflow?: string
  readonly ref?: string
  readonly commit?: string
  readonly trigger?: string
  readonly runnerEnvironment?: string
  /** URL of the run and its attempt. */
  readonly run?: string
}

/** One signer that a policy lets in. Every field that is given must be met exactly; nothing is a pattern. */
export interface AllowedIdentity {
  readonly issuer: string
  readonly subject?: string | undefined
  readonly repositoryId?: string | undefined
  readonly ownerId?: string | undefined
  /** Path in the source repository, `.github/workflows/release.yml`, at the ref of the source. */
  readonly workflow?: string | undefined
  readonly ref?: string | undefined
  readonly trigger?: string | undefined
  readonly runnerEnvironment?: string | undefined
}

/** One extension of a certificate: dotted object identifier and the bytes of its value. */
export interface CertificateExtension {
  readonly oid: string
  readonly value: Uint8Array
}

type Detail = Exclude<keyof SignerIdentity, 'issuer' | 'subject'>

const FULCIO = '1.3.6.1.4.1.57264.1'
const ISSUER = `${FULCIO}.8`
/** https://github.com/sigstore/fulcio/blob/main/docs/oid-info.md */
const DETAILS: readonly (readonly [string, Detail])[] = [
  [`${FULCIO}.11`, 'runnerEnvironment'],
  [`${FULCIO}.12`, 'repository'],
  [`${FULCIO}.13`, 'commit'],
  [`${FULCIO}.14`, 'ref'],
  [`${FULCIO}.15`, 'repositoryId'],
  [`${FULCIO}.17`, 'ownerId'],
  [`${FULCIO}.18`, 'workflow'],
  [`${FULCIO}.20`, 'trigger'],
  [`${FULCIO}.21`, 'run'],
]
const MAX_VALUE = 1024
const UTF8_STRING = 0x0c

/**
 * The identity in a certificate whose chain was proved before. Refuses, as GateError `integrity`
 * (`identity-unreadable`), a certificate without issuer or subject, one with a field twice, and a field that is no
 * DER UTF8String of at most 1 KiB.
 */
export function readIdentity(
  subject: string | undefined,
  extensions: readonly CertificateExtension[],
): SignerIdentity {
  const issuer = fieldOf(extensions, ISSUER)
  if (issuer === undefined || subject === undefined || subject === '' || subject.length > MAX_VALUE) {
    throw unreadable('it states no issuer and subject')
  }
  const details = DETAILS.map(([oid, name]) => [name, fieldOf(extensions, oid)] as const)
  const stated = details.filter((entry): entry is readonly [Detail, string] => entry[1] !== undefined)
  return { issuer, subject, ...Object.fromEntries(stated) }
}

/** Why `found` is not exactly the identity that is expected, or undefined. Only fields of `expected` are compared. */
export function identityProblem(found: SignerIdentity, expected: SignerIdentity): string | undefined {
  const names: readonly (keyof SignerIdentity)[] = ['issuer', 'subject', ...DETAILS.map(([, name]) => name)]
  for (const name of names) {
    if (expected[name] !== undefined && found[name] !== expected[name])
      return differs(name, found[name], expected[name])
  }
  return undefined
}

/** Why a policy that lists identities lets this signer not in, or undefined. An empty list lets everybody in. */
export function admissionProblem(
  found: SignerIdentity,
  allowed: readonly AllowedIdentity[],
): string | undefined {
  if (allowed.length === 0) return undefined
  const problems = allowed.map(one => allowedProblem(found, one))
  if (problems.includes(undefined)) return undefined
  const [only] = problems
  if (problems.length === 1) return only
  return `${JSON.stringify(found.subject)} by ${JSON.stringify(found.issuer)} is none of the ${String(problems.length)} identities of the policy`
}

function allowedProblem(found: SignerIdentity, allowed: AllowedIdentity): string | undefined {
  const { workflow, ...fields } = allowed
  const expected = Object.entries(fields) as [keyof SignerIdentity, string | undefined][]
  for (const [name, value] of expected) {
    if (value !== undefined && found[name] !== value) return differs(name, found[name], value)
  }
  if (workflow === undefined) return undefined
  // The signer is a workflow of the source repository itself, at the very ref of the source.
  const own = `${found.repository ?? ''}/${workflow}@${found.ref ?? ''}`
  return found.subject === own ? undefined : differs('workflow', found.subject, own)
}

function differs(name: string, found: string | undefined, expected: string): string {
  const stated = found === undefined ? 'is not stated' : `is ${JSON.stringify(found)}`
  return `${name} ${stated}, expected ${JSON.stringify(expected)}`
}

function fieldOf(extensions: readonly CertificateExtension[], oid: string): string | undefined {
  const values = extensions.filter(one => one.oid === oid)
  const [first] = values
  if (first === undefined) return undefined
  if (values.length > 1) throw unreadable(`it states ${oid} twice`)
  return utf8String(first)
}

/** A DER UTF8String with nothing before or behind it (X.690, 8.1 and 10.1). */
function utf8String({ oid, value }: CertificateExtension): string {
  const [tag, short = 0, long = 0, low = 0] = value
  const [length, start] =
    short < 0x80 ? [short, 2] : short === 0x81 ? [long, 3] : short === 0x82 ? [long * 256 + low, 4] : [-1, 0]
  if (tag !== UTF8_STRING || length > MAX_VALUE || value.length !== start + length) {
    throw unreadable(`its field ${oid} is no text`)
  }
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(value.subarray(start))
  } catch {
    throw unreadable(`its field ${oid} is no UTF-8`)
  }
}

function unreadable(why: string): GateError {
  const message = `the identity in a signing certificate cannot be read: ${why}; nothing it signed is believed`
  return new GateError('integrity', { reason: 'identity-unreadable', message })
}
