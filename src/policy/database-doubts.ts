import type { DatabaseFacts } from '../evidence/tooling.js'

/** A reason not to believe any answer that a database gave, whatever the rules say. */
export interface DatabaseDoubt {
  readonly reason: 'database-from-future' | 'database-shrunk' | 'database-undated'
  readonly message: string
}

const TOLERANCE_MS = 5 * 60_000
/** Public database of today: several hundred million bytes. One below this has lost most of its advisories. */
const PUBLIC_FLOOR = 100_000_000
const PUBLIC = /^(?:mirror\.gcr\.io\/aquasec|ghcr\.io\/aquasecurity)\/trivy-db[:@]/

/**
 * What makes the databases of a run unbelievable: a date after `now` by more than five minutes (one of the two clocks
 * is wrong, and an old database could pass for a fresh one), and a size below the policy's `min_size_bytes`. Where
 * the policy names none: below 100 million bytes for the public database, and below half of what the same place gave
 * the last time.
 */
export function databaseDoubts(
  facts: DatabaseFacts,
  given: { readonly now: Date; readonly minSizeBytes?: number },
): readonly DatabaseDoubt[] {
  const { java } = facts
  return [
    ...dateDoubts('vulnerability database', facts.updatedAt, given.now),
    ...(java ? dateDoubts('Java database', java.updatedAt, given.now) : []),
    ...sizeDoubts(facts, given.minSizeBytes),
  ]
}

function dateDoubts(what: string, updatedAt: string, now: Date): readonly DatabaseDoubt[] {
  const updated = Date.parse(updatedAt)
  if (Number.isNaN(updated))
    return [{ reason: 'database-undated', message: `The ${what} does not say of when it is.` }]
  if (updated <= now.getTime() + TOLERANCE_MS) return []
  const message = `The ${what} is dated ${updatedAt}, after now (${now.toISOString()}): one of the two clocks is wrong. Set the clock of this machine, or name another database.`
  return [{ reason: 'database-from-future', message }]
}

function sizeDoubts(facts: DatabaseFacts, minSizeBytes: number | undefined): readonly DatabaseDoubt[] {
  const { size, lastSize, origin } = facts
  const least = minSizeBytes ?? (PUBLIC.test(origin) ? PUBLIC_FLOOR : 0)
  if (size < least) return [shrunk(size, `but at least ${least} are expected`)]
  if (minSizeBytes !== undefined || lastSize === undefined || size * 2 >= lastSize) return []
  return [shrunk(size, `less than half of the ${lastSize} that the same place gave the last time`)]
}

function shrunk(size: number, why: string): DatabaseDoubt {
  const message = `The vulnerability database has ${size} bytes, ${why}: most of its advisories may be gone, and what it does not hold is not found. Name another database, or say database.min_size_bytes in the policy when this size is right.`
  return { reason: 'database-shrunk', message }
}
