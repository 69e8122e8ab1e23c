import type { SbomDocument } from '../../../src/evidence/sbom.js'
import type { Evidence } from '../../../src/evidence/evidence.js'
import { present } from '../../../src/evidence/known.js'
import type { RuleId } from '../../../src/policy/rule-ids.js'
import type { RuleOutcome } from '../../../src/policy/verdict.js'
import { INVENTORY_TABLE } from './rule-table-inventory.js'
import { LAYER_TABLE } from './rule-table-layers.js'
import { SBOM_TABLE, withSboms } from './rule-table-sboms.js'
import { SECRET_TABLE } from './rule-table-secrets.js'
import {
  AMD,
  ARM,
  digest,
  gone,
  goodEvidence,
  imageId,
  LAYER,
  manifest,
  platformWith,
  sampleConfig,
  sampleContents,
  sampleFinding,
  samplePackage,
  samplePlatform,
  sampleSboms,
  sampleSubject,
  SIGNATURE,
} from './sample.js'

/** What is tried, the outcome, the evidence, and words that must be among the reasons. */
export type Row = readonly [string, RuleOutcome, Evidence, string?]

const noPackages = { imageId: imageId(AMD), packages: [], findings: [] }
const noSboms = sampleSboms(AMD, [])
const scratch = { executables: 0, files: 0, users: [], owners: {} }
const stray = { path: 'app/server', size: 9, setuid: false, layer: LAYER }

function withContents(changes: Parameters<typeof sampleContents>[0]): Evidence {
  return goodEvidence({ platforms: [samplePlatform(AMD, { contents: present(sampleContents(changes)) })] })
}

export function scanOf(findings: readonly ReturnType<typeof sampleFinding>[]): Evidence {
  return goodEvidence({ platforms: [platformWith(findings)] })
}

function empty(contents: Parameters<typeof sampleContents>[0], sboms = noSboms): Evidence {
  const platform = samplePlatform(AMD, {
    contents: present(sampleContents(contents)),
    vulnerabilities: present(noPackages),
    sboms: present(sboms),
  })
  return goodEvidence({ platforms: [platform] })
}

function platformLacks(kind: 'contents' | 'vulnerabilities' | 'secrets' | 'sboms'): Evidence {
  return goodEvidence({ platforms: [samplePlatform(AMD, { [kind]: gone() })] })
}

function withUser(user: string): Evidence {
  return goodEvidence({ subject: present(sampleSubject([AMD], sampleConfig({ user }))) })
}

function withDatabase(updatedAt: string, java?: string): Evidence {
  const one = (date: string) => ({
    sha256: 'd'.repeat(64),
    size: 1,
    updatedAt: date,
    origin: 'folder',
  })
  const database = { ...one(updatedAt), ...(java !== undefined && { java: one(java) }) }
  return goodEvidence({ database: present(database) })
}

function withInBand(platform: string, found: boolean): Evidence {
  const expected = { id: 'CVE-1', purl: 'pkg:npm/a@1', severity: 'critical', found: true }
  const inBand = [{ ...expected, platform, ecosystem: 'npm', found }]
  return goodEvidence({ canary: present({ expected: [expected], inBand, notCovered: [] }) })
}

function signed(
  subjects: readonly string[],
  predicateType = SIGNATURE,
  served: string = manifest(AMD),
): Evidence {
  const statements = [{ predicateType, subjects, signer: 'abc' }]
  return goodEvidence({ released: present({ digest: served, statements }) })
}

/** The time so many days before the clock of the tests. */
export const days = (count: number) =>
  new Date(Date.parse('2026-11-22T12:00:00Z') - count * 86_400_000).toISOString()
const [spdx, cyclonedx, syft] = sampleSboms().documents
if (spdx === undefined || cyclonedx === undefined || syft === undefined) throw new Error('no documents')

function withoutSubject({ format, file, sha256, size, packages }: SbomDocument): SbomDocument {
  return { format, file, sha256, size, packages }
}

/** For each rule: what passes, what fails, what does not apply, what cannot be known. */
export const TABLE: Readonly<Record<RuleId, readonly Row[]>> = {
  'vulnerability.severity': [
    ['no finding', 'pass', goodEvidence()],
    ['high, fixable, old', 'fail', scanOf([sampleFinding()])],
    ['medium', 'pass', scanOf([sampleFinding({ severity: 'medium' })])],
    ['no fix', 'pass', scanOf([sampleFinding({ status: 'affected', fixedIn: [] })])],
    ['status fixed without a version', 'fail', scanOf([sampleFinding({ fixedIn: [] })])],
    ['high within grace', 'pass', scanOf([sampleFinding({ published: days(13) })])],
    ['high after grace', 'fail', scanOf([sampleFinding({ published: days(14) })])],
    ['critical within grace', 'pass', scanOf([sampleFinding({ severity: 'critical', published: days(2) })])],
    ['critical after grace', 'fail', scanOf([sampleFinding({ severity: 'critical', published: days(3) })])],
    ['without a date', 'fail', scanOf([sampleFinding({ published: '' })])],
    ['dated in the future', 'fail', scanOf([sampleFinding({ published: days(-2) })])],
    ['unknown severity, new', 'pass', scanOf([sampleFinding({ severity: 'unknown', published: days(13) })])],
    ['unknown severity, old', 'fail', scanOf([sampleFinding({ severity: 'unknown', published: days(15) })])],
    [
      'unknown severity, no date',
      'fail',
      scanOf([sampleFinding({ severity: 'unknown', published: 'soon' })]),
    ],
    [
      'unknown severity, no fix',
      'pass',
      scanOf([sampleFinding({ severity: 'unknown', status: 'affected', fixedIn: [] })]),
    ],
    ['scratch, nothing in it', 'not-applicable', empty(scratch)],
    ['executables, no packages', 'not-applicable', empty({ executables: 1, unexplained: [stray] })],
    ['executables, no packages, none unexplained', 'unknown', empty({ executables: 3, unexplained: [] })],
    ['no packages, Syft lists one', 'unknown', empty(scratch, sampleSboms())],
    [
      'scan missing',
      'unknown',
      platformLacks('vulnerabilities'),
      'vulnerability scan of linux/amd64: the tool was silent',
    ],
    ['contents missing', 'unknown', platformLacks('contents')],
    [
      'scan of another image',
      'unknown',
      goodEvidence({
        platforms: [
          samplePlatform(AMD, {
            vulnerabilities: present({ imageId: digest(0xdd), packages: [samplePackage()], findings: [] }),
          }),
        ],
      }),
    ],
    [
      'os recognised, no packages',
      'unknown',
      goodEvidence({
        platforms: [
          samplePlatform(AMD, {
            contents: present(sampleContents({ executables: 1, unexplained: [stray] })),
            vulnerabilities: present({
              ...noPackages,
              os: { family: 'debian', name: '12', endOfLife: false },
            }),
            sboms: present(noSboms),
          }),
        ],
      }),
    ],
    [
      'no packages and no SBOM',
      'unknown',
      goodEvidence({
        platforms: [samplePlatform(AMD, { vulnerabilities: present(noPackages), sboms: gone() })],
      }),
    ],
    [
      'one platform without evidence',
      'unknown',
      goodEvidence({ subject: present(sampleSubject([AMD, ARM])) }),
      'evidence of linux/arm64: expected once, found 0 times',
    ],
    [
      'evidence of a platform that is not there',
      'unknown',
      goodEvidence({ platforms: [samplePlatform(), samplePlatform(ARM)] }),
    ],
    [
      'no platforms',
      'unknown',
      goodEvidence({ subject: present({ ...sampleSubject(), platforms: [] }), platforms: [] }),
    ],
    ['subject missing', 'unknown', goodEvidence({ subject: gone() })],
  ],
  'vulnerability.kev': [
    ['no hit', 'pass', scanOf([sampleFinding()])],
    [
      'hit by id, low, no fix, today',
      'fail',
      scanOf([
        sampleFinding({
          id: 'CVE-2021-44228',
          severity: 'low',
          fixedIn: [],
          status: 'affected',
          published: days(0),
        }),
      ]),
    ],
    [
      'hit by alias',
      'fail',
      scanOf([sampleFinding({ id: 'GHSA-jfh8-c2jp-5v3q', aliases: ['cve-2021-44228'] })]),
    ],
    [
      'empty list',
      'unknown',
      goodEvidence({ kev: present({ version: '1', date: '2026-11-20', entries: {} }) }),
    ],
    ['scratch', 'not-applicable', empty(scratch)],
    ['list missing', 'unknown', goodEvidence({ kev: gone() })],
    ['list never loaded', 'unknown', goodEvidence({ kev: { state: 'not-configured' } })],
  ],
  'sbom.present': [
    ['both formats', 'pass', goodEvidence()],
    ['no CycloneDX', 'fail', withSboms({ documents: [spdx, syft] })],
    ['empty document', 'fail', withSboms({ documents: [{ ...spdx, size: 0 }, cyclonedx] })],
    ['lists nothing', 'fail', withSboms({ documents: [{ ...spdx, packages: 0 }, cyclonedx] })],
    ['no documents at all', 'fail', withSboms({ documents: [] })],
    ['nothing in SPDX and Syft, but in the scan', 'unknown', withSboms(noSboms)],
    ['scratch', 'pass', empty(scratch)],
    ['missing', 'unknown', platformLacks('sboms')],
  ],
  'sbom.subject': [
    ['same manifest', 'pass', goodEvidence()],
    [
      'another manifest',
      'fail',
      withSboms({ documents: [spdx, cyclonedx, { ...syft, subject: digest(9) }] }),
    ],
    [
      'nobody names it',
      'unknown',
      withSboms({ documents: [withoutSubject(spdx), withoutSubject(cyclonedx)] }),
    ],
    ['missing', 'unknown', platformLacks('sboms')],
  ],
  'scanner.canary': [
    ['found', 'pass', goodEvidence()],
    [
      'lost',
      'unknown',
      goodEvidence({
        canary: present({
          expected: [{ id: 'CVE-1', purl: 'pkg:npm/a@1', severity: 'critical', found: false }],
        }),
      }),
    ],
    ['nothing expected', 'unknown', goodEvidence({ canary: present({ expected: [] }) })],
    ['found in the image', 'pass', withInBand(AMD, true)],
    ['lost in the image', 'unknown', withInBand(AMD, false)],
    ['found in the image of another platform', 'unknown', withInBand('linux/s390x', true)],
    ['missing', 'unknown', goodEvidence({ canary: gone() })],
  ],
  'database.age': [
    ['fresh', 'pass', withDatabase('2026-11-22T06:00:00Z')],
    ['48 h', 'pass', withDatabase('2026-11-20T12:00:00Z')],
    ['over 48 h', 'unknown', withDatabase('2026-11-20T11:59:59Z')],
    ['5 minutes ahead', 'pass', withDatabase('2026-11-22T12:05:00Z')],
    ['over 5 minutes ahead', 'unknown', withDatabase('2026-11-22T12:05:01Z')],
    ['no date', 'unknown', withDatabase('')],
    ['Java, 48 h', 'pass', withDatabase('2026-11-22T06:00:00Z', '2026-11-20T12:00:00Z')],
    ['Java, over 48 h', 'unknown', withDatabase('2026-11-22T06:00:00Z', '2026-11-20T11:59:59Z')],
    ['Java, ahead', 'unknown', withDatabase('2026-11-22T06:00:00Z', '2026-11-22T12:05:01Z')],
    ['missing', 'unknown', goodEvidence({ database: gone() })],
  ],
  'tool.verified': [
    ['pinned', 'pass', goodEvidence()],
    [
      'one is not',
      'fail',
      goodEvidence({
        tools: present([
          { name: 'trivy', version: '1', source: 'path', sha256: 'e'.repeat(64), verified: false },
          { name: 'syft', version: '1', source: 'path', sha256: 'e'.repeat(64), verified: true },
        ]),
      }),
    ],
    [
      'one is absent',
      'unknown',
      goodEvidence({
        tools: present([
          { name: 'syft', version: '1', source: 'path', sha256: 'e'.repeat(64), verified: true },
        ]),
      }),
    ],
    ['none', 'unknown', goodEvidence({ tools: present([]) })],
    ['missing', 'unknown', goodEvidence({ tools: gone() })],
  ],
  'sign.present': [
    ['not released', 'not-applicable', goodEvidence()],
    ['signed', 'pass', signed([manifest(AMD)])],
    ['another subject', 'fail', signed([digest(7)])],
    ['another predicate', 'fail', signed([manifest(AMD)], 'https://spdx.dev/Document')],
    ['another digest served', 'fail', signed([manifest(AMD), digest(7)], SIGNATURE, digest(7))],
    [
      'one child is not covered',
      'fail',
      { ...signed([digest(0xfe)], SIGNATURE, digest(0xfe)), subject: present(sampleSubject([AMD, ARM])) },
    ],
    ['no statements', 'fail', goodEvidence({ released: present({ digest: manifest(AMD), statements: [] }) })],
    ['missing', 'unknown', goodEvidence({ released: gone() })],
  ],
  ...LAYER_TABLE,
  ...INVENTORY_TABLE,
  ...SECRET_TABLE,
  ...SBOM_TABLE,
  'image.pin': [
    ['pinned', 'pass', goodEvidence()],
    [
      'tag alone',
      'fail',
      goodEvidence({
        dockerfile: present({
          file: 'Dockerfile',
          bases: [{ reference: 'python:3.13', pinned: false, location: { file: 'Dockerfile', line: 1 } }],
          finalStage: { file: 'Dockerfile', line: 1 },
          instructions: [],
        }),
      }),
    ],
    [
      'from scratch',
      'not-applicable',
      goodEvidence({
        dockerfile: present({
          file: 'Dockerfile',
          bases: [],
          finalStage: { file: 'Dockerfile', line: 1 },
          instructions: [],
        }),
      }),
    ],
    ['no Dockerfile', 'not-applicable', goodEvidence({ dockerfile: { state: 'not-configured' } })],
    ['missing', 'unknown', goodEvidence({ dockerfile: gone() })],
  ],
  'user.nonroot': [
    ['uid', 'pass', goodEvidence()],
    ['no user', 'fail', withUser('')],
    ['named', 'pass', withUser('app:app')],
    ['nobody of that name', 'fail', withUser('ghost')],
    ['contents missing', 'unknown', platformLacks('contents')],
  ],
  'label.required': [
    ['set', 'pass', goodEvidence()],
    [
      'blank',
      'fail',
      goodEvidence({
        subject: present(
          sampleSubject([AMD], sampleConfig({ labels: { 'org.opencontainers.image.source': ' ' } })),
        ),
      }),
    ],
    ['subject missing', 'unknown', goodEvidence({ subject: gone() })],
  ],
  'inventory.unexplained': [
    ['all explained', 'pass', goodEvidence()],
    ['one is not', 'fail', withContents({ unexplained: [stray] })],
    ['executables and no packages', 'fail', empty({ executables: 1, unexplained: [stray] })],
    ['scratch', 'not-applicable', empty(scratch)],
    ['contents missing', 'unknown', platformLacks('contents')],
  ],
}
