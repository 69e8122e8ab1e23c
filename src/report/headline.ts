import type { RunRecord } from '../record/record.js'
import { countChanges } from './changes.js'

/** Enforced rules without an answer, and why. */
export function undecidedOf(record: RunRecord): readonly { readonly rule: string; readonly why: string }[] {
  const results = record.verdict?.results ?? []
  return results
    .filter(result => result.mode === 'enforce' && result.outcome === 'unknown')
    .flatMap(result => result.unknown.map(why => ({ rule: result.rule, why })))
}

/** The one sentence that says how the run ended: our own words around the image's name and tags, not escaped. */
export function headline(record: RunRecord): string {
  const image = record.request.image
  if (record.reason === 'cancelled') return `${image}: stopped before it was decided`
  if (record.exitCode === 2) return `${image}: not judged, the configuration needs a change`
  if (record.outcome === 'incomplete') return `${image}: could not decide; neither clean nor vulnerable`
  if (record.outcome === 'fail') {
    const things = counted(countChanges(record, 'enforce'), 'thing to change', 'things to change')
    return record.exitCode === 0 ? `${image}: would have failed (audit): ${things}` : `${image}: ${things}`
  }
  if (record.release.state === 'released') return `${image}: passed, signed, verified${taggedAs(record)}`
  return `${image}: passed`
}

function taggedAs(record: RunRecord): string {
  const tags = record.release.tags.map(tag => tag.tag)
  return tags.length === 0 ? '' : `, tagged ${tags.join(', ')}`
}

/** What became of the image outside this machine, in one sentence. */
export function publication(record: RunRecord): string {
  const { release } = record
  const tags = release.tags.map(tag => tag.tag).join(', ')
  switch (release.state) {
    case 'not-wanted':
      return record.outcome === 'pass'
        ? 'Nothing was pushed: this run was not asked to publish.'
        : 'Nothing was pushed.'
    case 'refused':
      return 'Nothing was pushed.'
    case 'failed':
      if (tags !== '') return `The release failed after these tags were set: ${tags}.`
      return release.served === undefined
        ? 'The release failed; no tag was set.'
        : 'The release failed after the push by digest; no tag was set.'
    case 'pushed':
      return 'Pushed by digest, not tagged.'
    case 'released':
      return 'Pushed by digest, read back, signed, attested, verified, then tagged.'
  }
}

/** `1 thing`, `2 things`. */
export function counted(count: number, one: string, many: string): string {
  return `${count} ${count === 1 ? one : many}`
}
