import type { Isolation } from '../evidence/tooling.js'
import type { BaseRecord, RunRecord, SecretSearch } from '../record/record.js'
import { counted } from './headline.js'
import { sbomWords, size } from './sections.js'

/** What and its value; the value may hold foreign text and is escaped by who shows it. */
type Link = readonly [what: string, value: string]

const ISOLATION: Readonly<Record<Isolation, string>> = {
  'other-user': 'as another user, without network, in own process and mount namespaces',
  'user-namespace': 'in a user namespace, without network',
  bubblewrap: 'in bubblewrap, without network',
  none: 'not confined',
}

/** The chain of custody: which bytes were judged, pushed, read back and signed, by which policy and advisories. */
export function custody(record: RunRecord): readonly Link[] {
  return [...imageLinks(record), ...releaseLinks(record), ...judgementLinks(record)]
}

function imageLinks(record: RunRecord): readonly Link[] {
  const { subject, imageId, engine } = record
  return [
    ...(subject ? [['Judged digest', subject.digest] as const] : []),
    ...(imageId ? [['Image id', imageId] as const] : []),
    ...(engine ? [['Built by', builtBy(engine)] as const] : []),
    ...(record.bases ?? []).map(base => ['Base', baseWords(base)] as const),
  ]
}

function builtBy({ name, version, why }: NonNullable<RunRecord['engine']>): string {
  return `${name} ${version}${why === undefined ? '' : `: ${why}`}`
}

function baseWords(base: BaseRecord): string {
  if (base.state === 'unresolved') return `${base.reference}, digest not known before the build: ${base.why}`
  return base.state === 'pinned' ? base.reference : `${base.reference}@${base.digest}`
}

function releaseLinks(record: RunRecord): readonly Link[] {
  const { state, digest, served, bundles, tags, signer, identity } = record.release
  const pushed = state === 'pushed' || state === 'released' || served !== undefined
  const back = served && `${counted(served.objects, 'object', 'objects')}, ${size(served.bytes)}`
  return [
    ...(pushed && digest ? [['Pushed digest', digest] as const] : []),
    ...(back === undefined ? [] : [['Read back', `${back}, every hash equal`] as const]),
    ...(bundles.length > 0
      ? [['Signed, verified', counted(bundles.length, 'statement', 'statements')] as const]
      : []),
    ...(signer ? [['Signer key', `sha256:${signer}`] as const] : []),
    ...(identity ? [['Signer', identity.subject] as const, ['Issuer', identity.issuer] as const] : []),
    ...(tags.length > 0 ? [['Tags', tags.map(tag => `${tag.tag} (${tag.state})`).join(', ')] as const] : []),
  ]
}

function judgementLinks(record: RunRecord): readonly Link[] {
  const { verdict, evidence, database, isolation, secretSearch } = record
  return [
    ...(verdict
      ? [['Policy', `${verdict.policy.origin}, ${withPrefix(verdict.policy.digest)}`] as const]
      : []),
    ...(evidence ? [['Evidence', `${evidence.path}, sha256:${evidence.sha256}`] as const] : []),
    ...(database ? [['Advisories', `${database.updatedAt}, sha256:${database.sha256}`] as const] : []),
    ...(secretSearch === undefined ? [] : [['Searched for secrets', searchWords(secretSearch)] as const]),
    ...sbomWords(record),
    ...(isolation === null ? [] : [['Scanners ran', ISOLATION[isolation]] as const]),
  ]
}

const LEFT_OUT: Readonly<Record<SecretSearch['notSearched'][number]['reason'], string>> = {
  'package-unchanged': 'unchanged in a package',
  'package-compiled': 'compiled from such',
  compressed: 'packed',
  'too-large': 'too large',
}

function searchWords({ searched, notSearched }: SecretSearch): string {
  const left = notSearched.map(({ reason, files }) => `${files} ${LEFT_OUT[reason]}`)
  const words = counted(searched, 'file', 'files')
  return left.length === 0 ? words : `${words}; not searched: ${left.join(', ')}`
}

function withPrefix(digest: string): string {
  return digest.startsWith('sha256:') ? digest : `sha256:${digest}`
}
