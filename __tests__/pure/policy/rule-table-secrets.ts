import type { Evidence } from '../../../src/evidence/evidence.js'
import { present } from '../../../src/evidence/known.js'
import type { SecretFinding } from '../../../src/evidence/scan.js'
import type { RuleId } from '../../../src/policy/rule-ids.js'
import type { Row } from './rule-table.js'
import {
  AMD,
  digest,
  gone,
  goodEvidence,
  imageId,
  sampleContents,
  samplePlatform,
  sampleSecret,
} from './sample.js'

function withSecrets(findings: readonly SecretFinding[], image = imageId(AMD)): Evidence {
  return goodEvidence({
    platforms: [samplePlatform(AMD, { secrets: present({ imageId: image, findings }) })],
  })
}

/** A secret at a path that a package owns in the final tree; only the search knows whose file it was. */
function searchedSecret(owner?: string): Evidence {
  const finding = sampleSecret({ path: 'usr/bin/python3', ...(owner !== undefined && { owner }) })
  const secrets = present({ imageId: imageId(AMD), findings: [finding], searched: 4, notSearched: [] })
  return goodEvidence({ platforms: [samplePlatform(AMD, { secrets })] })
}

const noFiles = { executables: 0, files: 0, users: [], owners: {} }
const contents = present(sampleContents(noFiles))

/** Rows of the rule about secrets. */
export const SECRET_TABLE = {
  'secret.found': [
    ['none', 'pass', goodEvidence()],
    ['own file', 'fail', withSecrets([sampleSecret()])],
    ['file of a package', 'pass', withSecrets([sampleSecret({ path: 'usr/bin/python3' })])],
    ['file of a package, as the search says', 'pass', searchedSecret('pkg:deb/python3@3.11')],
    ['another file than the package’s at its path', 'fail', searchedSecret()],
    ['no files', 'not-applicable', goodEvidence({ platforms: [samplePlatform(AMD, { contents })] })],
    ['scan missing', 'unknown', goodEvidence({ platforms: [samplePlatform(AMD, { secrets: gone() })] })],
    ['scan of another image', 'unknown', withSecrets([], digest(0xdd))],
  ],
} as const satisfies Partial<Record<RuleId, readonly Row[]>>
