import type { Evidence } from '../../../src/evidence/evidence.js'
import type { HiddenPackage, ImageContents, LinkedMetadata } from '../../../src/evidence/image.js'
import { present } from '../../../src/evidence/known.js'
import type { InventoryComparison } from '../../../src/evidence/sbom.js'
import type { Package } from '../../../src/evidence/scan.js'
import type { RuleId } from '../../../src/policy/rule-ids.js'
import type { Row } from './rule-table.js'
import {
  AMD,
  gone,
  goodEvidence,
  LAYER,
  sampleContents,
  samplePackage,
  samplePlatform,
  sampleSboms,
  sampleScan,
} from './sample.js'

const SITE = 'usr/lib/python3/site-packages'
const METADATA = `${SITE}/requests-2.31.0.dist-info/METADATA`
const link: LinkedMetadata = { path: METADATA, target: 'opt/x', kind: 'hard-link', layer: LAYER }
const at = (path: string): Package => ({ ...samplePackage(), path })
const deb: Package = {
  purl: 'pkg:deb/debian/curl@1%3A7-1?arch=amd64',
  name: 'curl',
  version: '1:7-1',
  type: 'deb',
}

function withContents(
  changes: Partial<ImageContents>,
  packages = [samplePackage()],
  syft = packages,
): Evidence {
  return goodEvidence({
    platforms: [
      samplePlatform(AMD, {
        contents: present(sampleContents(changes)),
        vulnerabilities: present({ ...sampleScan(), packages }),
        sboms: present(sampleSboms(AMD, syft)),
      }),
    ],
  })
}

function earlier(key: 'linkedMetadata' | 'hiddenPackages'): Evidence {
  const { linkedMetadata, hiddenPackages, ...rest } = sampleContents()
  const kept =
    key === 'hiddenPackages'
      ? linkedMetadata !== undefined && { linkedMetadata }
      : hiddenPackages !== undefined && { hiddenPackages }
  return goodEvidence({ platforms: [samplePlatform(AMD, { contents: present({ ...rest, ...kept }) })] })
}

const hiding = (changes: Partial<HiddenPackage> = {}): Partial<ImageContents> => ({
  hiddenPackages: [
    {
      ...{ package: 'pkg:pypi/requests@2.31.0', record: METADATA, layer: LAYER },
      ...{ files: 7, samples: [`${SITE}/requests/api.py`] },
      ...changes,
    },
  ],
})

function compared(changes: Partial<InventoryComparison>, packages = [samplePackage()]): Evidence {
  const inventory = present({ both: 1, onlyTrivy: [], onlySyft: [], ...changes })
  const vulnerabilities = present({ ...sampleScan(), packages })
  return goodEvidence({ platforms: [samplePlatform(AMD, { inventory, vulnerabilities })] })
}

const handled = { matched: [], notMatched: [], leftToSystem: [] }
const GO = 'pkg:golang/stdlib@v1.22.1'

/** The rules about what one inventory lists and the other does not. */
export const INVENTORY_TABLE: Readonly<
  Record<Extract<RuleId, 'inventory.hidden' | 'inventory.links' | 'inventory.union'>, readonly Row[]>
> = {
  'inventory.links': [
    ['none', 'pass', goodEvidence()],
    ['nothing was read there', 'fail', withContents({ linkedMetadata: [link] })],
    ['matched by the place of the link', 'pass', withContents({ linkedMetadata: [link] }, [at(METADATA)])],
    ['matched by the place of the target', 'pass', withContents({ linkedMetadata: [link] }, [at('opt/x')])],
    [
      'Syft read it there, the scan has the package',
      'pass',
      withContents({ linkedMetadata: [link] }, [samplePackage()], [at(METADATA)]),
    ],
    [
      'Syft read it there, the scan has another package',
      'fail',
      withContents({ linkedMetadata: [link] }, [samplePackage('idna')], [at(METADATA)]),
    ],
    ['not looked for', 'unknown', earlier('linkedMetadata')],
    ['contents missing', 'unknown', goodEvidence({ platforms: [samplePlatform(AMD, { contents: gone() })] })],
    ['no files', 'not-applicable', withContents({ files: 0, executables: 0 })],
  ],
  'inventory.hidden': [
    ['none', 'pass', goodEvidence()],
    ['files are left', 'fail', withContents(hiding())],
    ['the scan lists it from the same record', 'pass', withContents(hiding(), [at(METADATA)])],
    ['the scan lists it from elsewhere', 'fail', withContents(hiding(), [at(`opt/${METADATA}`)])],
    [
      'the scan lists another version',
      'fail',
      withContents(hiding(), [{ ...samplePackage('requests', '2.32.0'), path: METADATA }]),
    ],
    [
      'a system package is listed after all',
      'pass',
      withContents(hiding({ package: 'pkg:deb/curl@1%3A7-1', record: 'var/lib/dpkg/status' }), [deb]),
    ],
    [
      'another system package is listed',
      'fail',
      withContents(hiding({ package: 'pkg:deb/libcurl4@1%3A7-1', record: 'var/lib/dpkg/status' }), [deb]),
    ],
    [
      'a database that cannot be read',
      'fail',
      withContents(
        hiding({ package: 'var/lib/rpm/rpmdb.sqlite', record: 'var/lib/rpm/rpmdb.sqlite', files: 0 }),
      ),
    ],
    ['not looked for', 'unknown', earlier('hiddenPackages')],
    ['contents missing', 'unknown', goodEvidence({ platforms: [samplePlatform(AMD, { contents: gone() })] })],
    ['no files', 'not-applicable', withContents({ files: 0, executables: 0 })],
  ],
  'inventory.union': [
    ['the same', 'pass', goodEvidence()],
    [
      'matched',
      'pass',
      compared({ ...handled, onlySyft: [GO], matched: [GO] }, [{ ...samplePackage(), purl: GO }]),
    ],
    [
      'said to be matched and not in the scan',
      'unknown',
      compared({ ...handled, onlySyft: [GO], matched: [GO] }),
      GO,
    ],
    ['left out in silence', 'unknown', compared({ ...handled, onlySyft: [GO] }), GO],
    ['not matched by an earlier version', 'unknown', compared({ onlySyft: [GO] }), 'was not matched'],
    [
      'without a version',
      'fail',
      compared({
        ...handled,
        onlySyft: ['pkg:npm/a'],
        notMatched: [{ purl: 'pkg:npm/a', why: 'no-version' }],
      }),
    ],
    [
      'of a kind that nobody matches',
      'pass',
      compared({
        ...{ ...handled, onlySyft: ['pkg:generic/python@3.11'] },
        notMatched: [{ purl: 'pkg:generic/python@3.11', why: 'no-advisories' }],
      }),
    ],
    [
      'of a system package',
      'pass',
      compared({
        ...{ ...handled, onlySyft: ['pkg:pypi/six@1'] },
        leftToSystem: [{ purl: 'pkg:pypi/six@1', owner: 'pkg:deb/python3-six@1' }],
      }),
    ],
    ['no packages', 'not-applicable', compared({ both: 0 }, [])],
    [
      'comparison missing',
      'unknown',
      goodEvidence({ platforms: [samplePlatform(AMD, { inventory: gone() })] }),
    ],
  ],
}
