import type { Advisory, Change } from './changes.js'
import { visible } from './markdown.js'

const ADVISORIES = 6

/** One change in plain text, inert: what it is, and what to change when that is known. */
export interface PlainChange {
  readonly what: string
  readonly change?: string
}

/** A change in plain text of at most `limit` code units a line. */
export function plainChange(change: Change, limit: number): PlainChange {
  const what = visible(whatOf(change), limit)
  return { what, ...(change.fix === undefined ? {} : { change: visible(change.fix, limit) }) }
}

/** The rule's own message for one violation, one line for all advisories of a package. */
function whatOf(change: Change): string {
  if (change.package === undefined || change.advisories.length < 2) return change.message
  const shown = change.advisories.slice(0, ADVISORIES).map(idOf)
  const more = change.advisories.length - shown.length
  const list = `${shown.join(', ')}${more > 0 ? ` and ${more} more` : ''}`
  return `${change.package} has ${change.advisories.length} vulnerabilities (${severityWords(change)}): ${list}`
}

function severityWords(change: Change): string {
  return change.severity === 'unknown' ? 'no severity assigned yet' : `worst: ${change.severity}`
}

function idOf(advisory: Advisory): string {
  if (advisory.exploited) return `${advisory.id} (known to be exploited)`
  return advisory.fixable ? advisory.id : `${advisory.id} (no fix yet)`
}
