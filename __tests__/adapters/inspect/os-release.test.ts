import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { present } from '../../../src/evidence/known.js'
import { parseTrivyReport } from '../../../src/evidence/trivy-report.js'
import { readLayers } from '../../../src/oci/layers.js'
import { openLayout } from '../../../src/oci/reader.js'
import type { RuleResult } from '../../../src/policy/verdict.js'
import { AMD, goodEvidence, resultOf, samplePlatform, sampleSubject } from '../../pure/policy/sample.js'
import { makeLayout } from '../../support/layouts.js'
import type { LayoutFile } from '../../support/layouts.js'
import { makeDatabase, run, toolPath } from '../../support/tools.js'

let dir = ''
let cache = ''

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'os-'))
  cache = await makeDatabase(join(dir, 'cache'))
})
afterAll(() => rm(dir, { recursive: true, force: true }))

/** The answer of the rule for an image of these layers, which the real scanner and the layer pass looked at. */
async function answer(layers: readonly (readonly LayoutFile[])[]): Promise<RuleResult> {
  const layoutDir = await mkdtemp(join(dir, 'layout-'))
  await makeLayout(layoutDir, { layers: layers.map(files => ({ files })) })
  const layout = await openLayout(layoutDir, { name: 'x' })
  const [image] = layout.subject.platforms
  if (image === undefined) throw new Error('one platform is expected')
  const { contents } = await readLayers(layout, image)
  const flags = ['--scanners', 'vuln', '--list-all-pkgs', '--skip-db-update', '--skip-java-db-update']
  const { stdout } = await run(toolPath('trivy'), [
    ...['image', '--quiet', '--input', layoutDir, '--format', 'json', '--offline-scan'],
    ...[...flags, '--cache-dir', cache],
  ])
  const diffIds = image.layers.map(layer => layer.diffId)
  const scan = parseTrivyReport(stdout, { imageId: image.configDigest, diffIds, platform: AMD })
  const subject = sampleSubject()
  const platforms = subject.platforms.map(child => ({ ...child, configDigest: image.configDigest }))
  return resultOf(
    'inventory.os',
    goodEvidence({
      subject: present({ ...subject, platforms }),
      platforms: [samplePlatform(AMD, { contents: present(contents), vulnerabilities: present(scan) })],
    }),
  )
}

const file = (path: string, content: string): LayoutFile => ({ path, content })
const named = (path: string, id: string, version?: string): LayoutFile =>
  file(path, `NAME="x"\nID=${id}\n${version === undefined ? '' : `VERSION_ID="${version}"\n`}`)
const link = (path: string, linkname: string): LayoutFile => ({ path, type: 'symlink', linkname })
const record = 'Package: bash\nStatus: install ok installed\nArchitecture: amd64\nVersion: 5.2-1\n\n'
const dpkg = file('var/lib/dpkg/status', record)
const apk = (at = 'lib/apk/db/installed'): LayoutFile =>
  file(at, 'C:Q1aaaaaaaaaaaaaaaaaaaaaaaaaaa=\nP:musl\nV:1.2.5-r0\nA:x86_64\n\n')
const debian = (version: string): readonly LayoutFile[] => [
  named('usr/lib/os-release', 'debian', version),
  link('etc/os-release', '../usr/lib/os-release'),
  file('etc/debian_version', `${version}.11\n`),
]
const ubuntu: readonly LayoutFile[] = [
  named('usr/lib/os-release', 'ubuntu', '24.04'),
  link('etc/os-release', '../usr/lib/os-release'),
  file('etc/debian_version', 'trixie/sid\n'),
  file('etc/lsb-release', 'DISTRIB_ID=Ubuntu\nDISTRIB_RELEASE=24.04\n'),
]
const alpine = (version: string): readonly LayoutFile[] => [
  named('usr/lib/os-release', 'alpine', version),
  link('etc/os-release', '../usr/lib/os-release'),
  file('etc/alpine-release', `${version}\n`),
]
const statusFile = file(
  'var/lib/dpkg/status.d/tzdata',
  'Package: tzdata\nVersion: 2024a-0\nArchitecture: all\n',
)

test.each<readonly [string, RuleResult['outcome'], readonly (readonly LayoutFile[])[]]>([
  ['Debian', 'pass', [[...debian('12'), dpkg]]],
  [
    'Debian, updated in a layer above',
    'pass',
    [
      [...debian('12'), dpkg],
      [...debian('12'), dpkg],
    ],
  ],
  ['Ubuntu', 'pass', [[...ubuntu, dpkg]]],
  ['Alpine', 'pass', [[...alpine('3.20.3'), apk()]]],
  ['Alpine with its database below usr', 'pass', [[...alpine('3.23.0'), apk('usr/lib/apk/db/installed')]]],
  ['distroless', 'pass', [[...debian('12'), statusFile]]],
  ['Wolfi', 'pass', [[named('etc/os-release', 'wolfi', '20230201'), apk()]]],
  [
    'Chainguard',
    'pass',
    [[named('etc/os-release', 'chainguard', '20230214'), apk('usr/lib/apk/db/installed')]],
  ],
  ['scratch', 'not-applicable', [[file('app/server', 'x')]]],
  ['only a wheel', 'not-applicable', [[file('app/a-1.dist-info/METADATA', 'Name: a\nVersion: 1\n')]]],
])('%s is %s', async (_what, outcome, layers) => {
  const result = await answer(layers)
  expect({ outcome: result.outcome, unknown: result.unknown }).toEqual({ outcome, unknown: [] })
})

test.each<readonly [string, string, readonly (readonly LayoutFile[])[]]>([
  ['a release that does not exist', 'does not have', [[...alpine('3.99.0'), apk()]]],
  ['no os-release', 'no os-release that can be read', [[apk()]]],
  ['another system', 'no advisories for that system', [[named('etc/os-release', 'arch'), dpkg]]],
  ['os-release alone made newer, above', 'a lower layer says', [[...debian('11'), dpkg], debian('12')]],
  [
    'the file that the scanner reads made another',
    'the scanner took it for "debian 99"',
    [[...debian('12'), dpkg], [file('etc/debian_version', '99\n')]],
  ],
  [
    'os-release behind a hard link, which the scanner does not read',
    'no os-release that can be read',
    [
      [
        named('opt/real', 'wolfi', '20230201'),
        { path: 'etc/os-release', type: 'link', linkname: 'opt/real' },
        apk(),
      ],
    ],
  ],
  ['Debian with packages of Alpine', 'has a package database of apk', [[...debian('12'), dpkg, apk()]]],
])('%s is unknown', async (_what, words, layers) => {
  const result = await answer(layers)
  expect(result.outcome).toBe('unknown')
  expect(result.unknown.join('\n')).toContain(words)
})
