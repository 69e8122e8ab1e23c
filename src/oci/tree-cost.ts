import { GateError } from '../errors.js'

/** What a tree of files has cost so far. */
export interface TreeCost {
  /** Files, links and folders that were ever made. */
  nodes: number
  /** Characters of their paths and of the targets of links. */
  text: number
  /** Folders that were walked through, entries that were looked at. */
  steps: number
  /** Names in targets of links that were followed. */
  linked: number
}

/** Beyond these no image of software goes; an archive made to exhaust its reader does. */
const MOST: Readonly<TreeCost> = {
  nodes: 1_000_000,
  text: 96 * 1024 * 1024,
  steps: 200_000_000,
  linked: 20_000_000,
}

const WHAT: Readonly<Record<keyof TreeCost, readonly [reason: string, what: string]>> = {
  nodes: ['layer-too-many-files', `more than ${MOST.nodes} files and folders`],
  text: ['layer-names-too-long', `names of more than ${MOST.text} characters in all`],
  steps: ['layer-too-tangled', 'paths that take too long to follow'],
  linked: ['layer-too-tangled', 'links that take too long to follow'],
}

/** Nothing spent yet. */
export function startCost(): TreeCost {
  return { nodes: 0, text: 0, steps: 0, linked: 0 }
}

/** Adds to the cost of a tree; beyond what is allowed the image is refused (GateError `evidence`), never cut. */
export function spend(cost: TreeCost | undefined, more: Partial<TreeCost>): void {
  if (cost === undefined) return
  for (const key of ['nodes', 'text', 'steps', 'linked'] as const) {
    const amount = more[key]
    if (amount === undefined) continue
    cost[key] += amount
    if (cost[key] <= MOST[key]) continue
    const [reason, what] = WHAT[key]
    throw new GateError('evidence', { reason, message: `the image holds ${what}; rebuild it smaller` })
  }
}
