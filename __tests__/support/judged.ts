import { notConfigured, present } from '../../src/evidence/known.js'
import type { PlatformEvidence } from '../../src/evidence/evidence.js'
import type { PreparedDatabase } from '../../src/inspect/database.js'
import type { Inspection } from '../../src/inspect/inspect.js'
import { openLayout } from '../../src/oci/reader.js'
import { judge } from '../../src/policy/evaluate.js'
import { resolvePolicy } from '../../src/policy/resolve.js'
import type { RuleId } from '../../src/policy/rule-ids.js'
import type { RuleResult, Verdict } from '../../src/policy/verdict.js'
import { type Bench, onlyPlatform } from './inspection.js'

/** An image inspected with the real tools and judged by the profile `recommended`. */
export interface Judged {
  readonly inspection: Inspection
  readonly evidence: PlatformEvidence
  readonly verdict: Verdict
  readonly rule: (id: RuleId) => RuleResult
}

/** Inspects the only image of a layout and judges it; what is not of the image is as it should be. */
export async function judged(bench: Bench, database: PreparedDatabase, layoutDir: string): Promise<Judged> {
  const inspection = await bench.inspect({ layoutDir, database })
  const { platforms, canary } = inspection
  const { subject } = await openLayout(layoutDir, { name: 'registry.example/team/app' })
  const now = new Date()
  const verdict = judge({
    policy: resolvePolicy({ document: null, file: null, origin: 'test' }),
    evidence: {
      ...{ subject: present(subject), platforms, canary },
      ...{ dockerfile: notConfigured(), released: notConfigured(), isolation: present('user-namespace') },
      tools: present(
        (['trivy', 'syft'] as const).map(name => ({
          ...({ name, version: '1', source: 'source', sha256: '0'.repeat(64), verified: true } as const),
        })),
      ),
      database: present({ sha256: '0'.repeat(64), size: 1, updatedAt: now.toISOString(), origin: 'test' }),
      kev: present({
        ...{ version: '1', date: now.toISOString().slice(0, 10) },
        entries: { 'CVE-2014-0160': '2022-05-04' },
      }),
    },
    ...{ phases: ['source', 'image'], now },
  })
  return {
    ...{ inspection, evidence: onlyPlatform(inspection), verdict },
    rule: id => {
      const found = verdict.results.find(one => one.rule === id)
      if (found === undefined) throw new Error(`no result of ${id}`)
      return found
    },
  }
}
