import type { Evidence } from '../evidence/evidence.js'
import { databaseDoubts } from '../policy/database-doubts.js'
import type { ResolvedPolicy } from '../policy/resolve.js'
import type { Problem } from '../record/record.js'

/**
 * What no rule can be turned off for: databases that are dated ahead, or that lost most of their size. Each is a
 * problem of the run, which is incomplete then.
 */
export function databaseProblems(evidence: Evidence, policy: ResolvedPolicy, now: Date): readonly Problem[] {
  if (evidence.database.state !== 'present') return []
  const { minSizeBytes } = policy.database
  const given = { now, ...(minSizeBytes !== undefined && { minSizeBytes }) }
  return databaseDoubts(evidence.database.value, given).map(doubt => ({
    ...{ stage: 'judge', code: 'evidence' },
    ...doubt,
  }))
}
