import type { Evidence } from '../../../src/evidence/evidence.js'
import { present } from '../../../src/evidence/known.js'
import type { MinimumElements } from '../../../src/evidence/minimum-elements.js'
import type { SbomDocument } from '../../../src/evidence/sbom.js'
import type { RuleId } from '../../../src/policy/rule-ids.js'
import type { Row } from './rule-table.js'
import { AMD, gone, goodEvidence, samplePlatform, sampleSboms } from './sample.js'

const [spdx, cyclonedx, syft] = sampleSboms().documents
if (spdx === undefined || cyclonedx === undefined || syft === undefined) throw new Error('no documents')

/** Good evidence with other SBOMs. */
export function withSboms(changes: Partial<ReturnType<typeof sampleSboms>>): Evidence {
  return goodEvidence({
    platforms: [samplePlatform(AMD, { sboms: present({ ...sampleSboms(), ...changes }) })],
  })
}

function uncounted({ format, file, sha256, size, packages, subject }: SbomDocument): SbomDocument {
  return { format, file, sha256, size, packages, ...(subject === undefined ? {} : { subject }) }
}

/** SBOMs of so many packages of which some lack an element. */
function withElements(
  lacking: Partial<MinimumElements['lacking']>,
  packages: number,
  author = true,
): Evidence {
  const none = { supplier: 0, name: 0, version: 0, identifier: 0, relationship: 0 }
  const minimum = { packages, lacking: { ...none, ...lacking }, author, timestamp: true }
  return withSboms({
    documents: sampleSboms().documents.map(one => (one.format === 'syft' ? one : { ...one, minimum })),
  })
}

/** Rows of the rule about the minimum elements. */
export const SBOM_TABLE = {
  'sbom.minimum': [
    ['six of seven elements', 'pass', goodEvidence()],
    ['exactly half', 'pass', withElements({ supplier: 2, identifier: 2, relationship: 1 }, 2, false)],
    ['below half', 'fail', withElements({ supplier: 1, version: 1, identifier: 1, relationship: 1 }, 1)],
    ['four of seven', 'pass', withElements({ supplier: 1, identifier: 1, relationship: 1 }, 1)],
    ['four of seven, but no author', 'fail', withElements({ supplier: 1, version: 1, name: 1 }, 1, false)],
    ['an image without packages', 'pass', withElements({}, 0)],
    ['not counted', 'unknown', withSboms({ documents: [uncounted(spdx), uncounted(cyclonedx)] })],
    ['one not counted', 'unknown', withSboms({ documents: [spdx, uncounted(cyclonedx)] })],
    ["no document but Syft's own", 'unknown', withSboms({ documents: [syft] })],
    ['missing', 'unknown', goodEvidence({ platforms: [samplePlatform(AMD, { sboms: gone() })] })],
  ],
} as const satisfies Partial<Record<RuleId, readonly Row[]>>
