import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { SystemFacts } from '../../../src/evidence/image.js'
import { readLayers } from '../../../src/oci/layers.js'
import { openLayout } from '../../../src/oci/reader.js'
import { makeLayout } from '../../support/layouts.js'
import type { LayoutFile } from '../../support/layouts.js'

const release = (id: string, version: string, path = 'etc/os-release'): LayoutFile => ({
  path,
  content: `NAME="Some"\nID=${id}\nVERSION_ID="${version}"\n`,
})
const status: LayoutFile = {
  path: 'var/lib/dpkg/status',
  content: 'Package: bash\nStatus: install ok installed\nVersion: 5.2\n\n',
}
const apk: LayoutFile = { path: 'lib/apk/db/installed', content: 'C:Q1\nP:musl\nV:1.2.5-r0\n\n' }
let dir = ''

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'system-'))
})
afterEach(() => rm(dir, { recursive: true, force: true }))

interface Told {
  readonly databases: readonly string[]
  readonly release?: readonly [string, number]
  readonly earlier: readonly (readonly [string, number])[]
}

/** The facts with indexes for layers. */
async function told(...layers: readonly (readonly LayoutFile[])[]): Promise<Told> {
  const { diffIds } = await makeLayout(dir, { layers: layers.map(files => ({ files })) })
  const layout = await openLayout(dir, { name: 'x' })
  const [image] = layout.subject.platforms
  if (image === undefined) throw new Error('one platform is expected')
  const { system } = (await readLayers(layout, image)).contents
  if (system === undefined) throw new Error('no facts of the system')
  const short = (one: SystemFacts['earlier'][number]): readonly [string, number] => [
    `${one.id} ${one.version}`.trim(),
    diffIds.indexOf(one.layer),
  ]
  const { databases, earlier } = system
  const final = system.release === undefined ? {} : { release: short(system.release) }
  return { databases, ...final, earlier: earlier.map(short) }
}

const link = (path: string, linkname: string): LayoutFile => ({ path, type: 'symlink', linkname })
const hard = (path: string, linkname: string): LayoutFile => ({ path, type: 'link', linkname })
const whiteout = (path: string): LayoutFile => ({ path })

const cases: readonly (readonly [string, readonly (readonly LayoutFile[])[], Told])[] = [
  ['nothing', [[{ path: 'a' }]], { databases: [], earlier: [] }],
  [
    'Debian',
    [
      [
        release('debian', '12', 'usr/lib/os-release'),
        link('etc/os-release', '../usr/lib/os-release'),
        status,
      ],
    ],
    { databases: ['dpkg'], release: ['debian 12', 0], earlier: [] },
  ],
  [
    'an absolute link',
    [[release('debian', '12', 'usr/lib/os-release'), link('etc/os-release', '/usr/lib/os-release'), status]],
    { databases: ['dpkg'], release: ['debian 12', 0], earlier: [] },
  ],
  [
    'distroless',
    [
      [release('debian', '12', 'usr/lib/os-release')],
      [{ path: 'var/lib/dpkg/status.d/tzdata', content: 'Package: tzdata\nVersion: 1\n' }],
      [{ path: 'var/lib/dpkg/status.d/tzdata.md5sums', content: '' }],
    ],
    { databases: ['dpkg'], release: ['debian 12', 0], earlier: [] },
  ],
  [
    'Alpine',
    [[release('alpine', '3.20.3'), apk]],
    { databases: ['apk'], release: ['alpine 3.20.3', 0], earlier: [] },
  ],
  [
    'a hard link',
    [[release('alpine', '3.20.3', 'usr/lib/os-release'), hard('etc/os-release', 'usr/lib/os-release'), apk]],
    { databases: ['apk'], release: ['alpine 3.20.3', 0], earlier: [] },
  ],
  [
    'rpm',
    [[release('rhel', '9.4'), { path: 'var/lib/rpm/rpmdb.sqlite', content: 'SQLite' }]],
    { databases: ['rpm'], release: ['rhel 9.4', 0], earlier: [] },
  ],
  [
    'rpm behind a linked folder',
    [
      [
        link('var/lib/rpm', '../../usr/lib/sysimage/rpm'),
        { path: 'usr/lib/sysimage/rpm/Packages.db', content: 'x' },
      ],
    ],
    { databases: ['rpm'], earlier: [] },
  ],
  [
    'empty databases',
    [[{ path: 'var/lib/dpkg/status' }, { path: 'lib/apk/db/installed' }]],
    { databases: [], earlier: [] },
  ],
  [
    'an update within the release',
    [[release('alpine', '3.20.1'), apk], [release('alpine', '3.20.3')]],
    { databases: ['apk'], release: ['alpine 3.20.3', 1], earlier: [] },
  ],
  [
    'another release above the base',
    [[release('debian', '12'), status], [release('debian', '99')]],
    { databases: ['dpkg'], release: ['debian 99', 1], earlier: [['debian 12', 0]] },
  ],
  [
    'another system above the base, and back',
    [[release('debian', '12'), status], [release('alpine', '3.20')], [release('debian', '12')]],
    { databases: ['dpkg'], release: ['debian 12', 2], earlier: [['alpine 3.20', 1]] },
  ],
  [
    'a link bent to another file',
    [
      [
        release('debian', '12', 'usr/lib/os-release'),
        link('etc/os-release', '../usr/lib/os-release'),
        status,
      ],
      [{ path: 'opt/fake', content: 'ID=debian\nVERSION_ID=11\n' }, link('etc/os-release', '/opt/fake')],
    ],
    { databases: ['dpkg'], earlier: [['debian 12', 0]] },
  ],
  [
    'the release deleted',
    [[release('debian', '12'), status], [whiteout('etc/.wh.os-release')]],
    { databases: ['dpkg'], earlier: [['debian 12', 0]] },
  ],
  [
    'the database deleted',
    [[release('debian', '12'), status], [whiteout('var/lib/.wh.dpkg')]],
    { databases: [], release: ['debian 12', 0], earlier: [] },
  ],
  [
    'a release without a database below is no earlier one',
    [[release('debian', '11')], [release('debian', '12'), status]],
    { databases: ['dpkg'], release: ['debian 12', 1], earlier: [] },
  ],
  [
    'names that are none',
    [[{ path: 'etc/os-release', content: 'ID="a b"\nVERSION_ID=$(id)\n' }, status]],
    { databases: ['dpkg'], release: ['', 0], earlier: [] },
  ],
  [
    'the last of two assignments',
    [[{ path: 'etc/os-release', content: "ID=alpine\nID='debian'\nVERSION_ID=11\nVERSION_ID=12\n" }, status]],
    { databases: ['dpkg'], release: ['debian 12', 0], earlier: [] },
  ],
]

test.each(cases)('%s', async (_what, layers, expected) => {
  expect(await told(...layers)).toEqual(expected)
})
