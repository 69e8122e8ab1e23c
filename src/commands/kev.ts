import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { describeError } from '../errors.js'
import { missing, present, type Known } from '../evidence/known.js'
import type { KevFeed } from '../evidence/tooling.js'

const DAY = z.string().regex(/^\d{4}-\d{2}-\d{2}$/)
const FEED = z.object({
  version: z.string().max(40),
  date: DAY,
  entries: z
    .record(z.string().regex(/^CVE-\d{4}-\d{4,}$/), DAY)
    .refine(entries => Object.keys(entries).length > 0),
})

/** The list of known exploited vulnerabilities that is shipped with the program; missing when it cannot be read. */
export async function readKevFeed(programRoot: string): Promise<Known<KevFeed>> {
  try {
    return present(FEED.parse(JSON.parse(await readFile(join(programRoot, 'data', 'kev.json'), 'utf8'))))
  } catch (thrown) {
    const why = `data/kev.json, which belongs to this program, cannot be read: ${describeError(thrown).slice(0, 300)}`
    return missing('inspect', why)
  }
}
