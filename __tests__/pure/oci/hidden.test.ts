import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ImageContents } from '../../../src/evidence/image.js'
import { readLayers } from '../../../src/oci/layers.js'
import { openLayout } from '../../../src/oci/reader.js'
import { makeLayout } from '../../support/layouts.js'
import type { LayoutFile } from '../../support/layouts.js'

type Layer = readonly LayoutFile[]

let dir = ''
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'hidden-'))
})
afterEach(() => rm(dir, { recursive: true, force: true }))

async function contents(layers: readonly Layer[]): Promise<ImageContents> {
  await makeLayout(dir, { layers: layers.map(files => ({ files })) })
  const layout = await openLayout(dir, { name: 'x' })
  const [image] = layout.subject.platforms
  if (image === undefined) throw new Error('one platform is expected')
  return (await readLayers(layout, image)).contents
}

const file = (path: string, content = `content of ${path}`): LayoutFile => ({ path, content })
const gone = (path: string): LayoutFile =>
  file(`${path.slice(0, path.lastIndexOf('/') + 1)}.wh.${path.slice(path.lastIndexOf('/') + 1)}`, '')
const symbolic = (path: string, linkname: string): LayoutFile => ({ path, type: 'symlink', linkname })
const hard = (path: string, linkname: string): LayoutFile => ({ path, type: 'link', linkname })

const STATUS = 'var/lib/dpkg/status'
function status(versions: Readonly<Record<string, string>>, state = 'install ok installed'): LayoutFile {
  const text = Object.entries(versions).map(
    ([name, version]) => `Package: ${name}\nStatus: ${state}\nArchitecture: amd64\nVersion: ${version}\n`,
  )
  return file(STATUS, `${text.join('\n')}\n`)
}
const list = (name: string, ...paths: readonly string[]): LayoutFile =>
  file(`var/lib/dpkg/info/${name}.list`, `/.\n${paths.map(path => `/${path}`).join('\n')}\n`)
const deb = (name: string, ...paths: readonly string[]): Layer => [
  list(name, ...paths),
  ...paths.map(path => file(path)),
]

const APK = 'lib/apk/db/installed'
const apkRecord = (name: string, version: string, folder: string, base: string): string =>
  `P:${name}\nV:${version}\nF:${folder}\nR:${base}\n\n`

const SITE = 'usr/lib/python3/site-packages'
function wheel(name: string, version: string): Layer {
  const info = `${name}-${version}.dist-info`
  return [
    file(`${SITE}/${name}/core.py`, `version ${version}`),
    file(`${SITE}/${name}/__init__.py`, ''),
    file(`${SITE}/${info}/METADATA`),
    file(
      `${SITE}/${info}/RECORD`,
      `${name}/core.py,,\n${name}/__init__.py,,\n${info}/METADATA,,\n${info}/RECORD,,\n`,
    ),
  ]
}
const npm = (name: string, version: string, root = 'app'): Layer => [
  file(`${root}/node_modules/${name}/package.json`, JSON.stringify({ name, version })),
  file(`${root}/node_modules/${name}/index.js`),
]
const WHEEL = wheel('a', '1.0')
const BASE: Layer = [
  status({ a: '1', b: '2' }),
  ...deb('a', 'usr/bin/a', 'usr/lib/a.so'),
  ...deb('b', 'usr/bin/b', 'etc/b.conf'),
]

describe('packages whose record is gone and whose files are there', () => {
  const cases: readonly (readonly [string, readonly Layer[], readonly string[]])[] = [
    [
      'the dpkg database is deleted',
      [BASE, [gone(STATUS)]],
      ['pkg:deb/a@1 usr/bin/a,usr/lib/a.so', 'pkg:deb/b@2 usr/bin/b'],
    ],
    [
      'its folder is deleted',
      [BASE, [gone('var/lib/dpkg')]],
      ['pkg:deb/a@1 usr/bin/a,usr/lib/a.so', 'pkg:deb/b@2 usr/bin/b'],
    ],
    [
      'a smaller database takes its place',
      [BASE, [status({ b: '2' })]],
      ['pkg:deb/a@1 usr/bin/a,usr/lib/a.so'],
    ],
    [
      'the record says removed',
      [BASE, [status({ a: '1', b: '2' }, 'deinstall ok config-files')]],
      ['pkg:deb/a@1 usr/bin/a,usr/lib/a.so', 'pkg:deb/b@2 usr/bin/b'],
    ],
    [
      'the database is deleted and the files are written again',
      [BASE, [gone('var/lib/dpkg'), file('usr/bin/a'), file('usr/lib/a.so'), file('usr/bin/b')]],
      ['pkg:deb/a@1 usr/bin/a,usr/lib/a.so', 'pkg:deb/b@2 usr/bin/b'],
    ],
    [
      'another package claims the files',
      [BASE, [status({ c: '1' }), list('c', 'usr/bin/a', 'usr/lib/a.so', 'usr/bin/b')]],
      ['pkg:deb/a@1 usr/bin/a,usr/lib/a.so', 'pkg:deb/b@2 usr/bin/b'],
    ],
    [
      'the database becomes a link to a smaller one',
      [BASE, [file('opt/s', ''), symbolic(STATUS, '/opt/s')]],
      ['pkg:deb/a@1 usr/bin/a,usr/lib/a.so', 'pkg:deb/b@2 usr/bin/b'],
    ],
    [
      'one file of status.d',
      [
        [
          file('var/lib/dpkg/status.d/a', 'Package: a\nVersion: 1\n'),
          file('var/lib/dpkg/status.d/a.md5sums', '00  usr/bin/a\n'),
          file('usr/bin/a'),
        ],
        [gone('var/lib/dpkg/status.d/a')],
      ],
      ['pkg:deb/a@1 usr/bin/a'],
    ],
    [
      'the apk database',
      [
        [
          file(APK, apkRecord('b', '1-r0', 'lib', 'b.so') + apkRecord('c', '2', 'lib', 'c.so')),
          file('lib/b.so'),
          file('lib/c.so'),
        ],
        [file(APK, apkRecord('c', '2', 'lib', 'c.so'))],
      ],
      ['pkg:apk/b@1-r0 lib/b.so'],
    ],
    [
      'METADATA of a wheel',
      [WHEEL, [gone(`${SITE}/a-1.0.dist-info/METADATA`)]],
      [`pkg:pypi/a@1.0 ${SITE}/a/core.py`],
    ],
    [
      'dist-info of a wheel',
      [WHEEL, [gone(`${SITE}/a-1.0.dist-info`)]],
      [`pkg:pypi/a@1.0 ${SITE}/a/core.py`],
    ],
    [
      'the same wheel elsewhere does not excuse it',
      [
        WHEEL,
        [
          gone(`${SITE}/a-1.0.dist-info`),
          file('opt/x/a-1.0.dist-info/METADATA'),
          file('opt/x/a-1.0.dist-info/RECORD', ''),
        ],
      ],
      [`pkg:pypi/a@1.0 ${SITE}/a/core.py`],
    ],
    [
      'package.json',
      [npm('a', '1'), [gone('app/node_modules/a/package.json')]],
      ['pkg:npm/a@1 app/node_modules/a/index.js'],
    ],
    [
      'package.json without a version',
      [npm('a', '1'), [file('app/node_modules/a/package.json', '{}')]],
      ['pkg:npm/a@1 app/node_modules/a/index.js,app/node_modules/a/package.json'],
    ],
    [
      'the rpm database',
      [[file('var/lib/rpm/rpmdb.sqlite')], [gone('var/lib/rpm/rpmdb.sqlite')]],
      ['var/lib/rpm/rpmdb.sqlite '],
    ],
  ]
  test.each(cases)('%s', async (_name, layers, expected) => {
    const { hiddenPackages, layers: facts } = await contents(layers)
    expect(hiddenPackages?.map(one => `${one.package} ${one.samples.join(',')}`)).toEqual(expected)
    expect(new Set(hiddenPackages?.map(one => one.layer))).toEqual(new Set([facts[1]?.diffId]))
  })
})

describe('what installers do in good faith hides nothing', () => {
  const cases: readonly (readonly [string, readonly Layer[]])[] = [
    ['one layer', [BASE]],
    [
      'a package is removed with its files',
      [BASE, [status({ a: '1' }), gone('usr/bin/b'), gone('var/lib/dpkg/info/b.list')]],
    ],
    [
      'a package is removed, its settings stay',
      [
        BASE,
        [
          file(
            STATUS,
            'Package: a\nStatus: install ok installed\nArchitecture: amd64\nVersion: 1\n\nPackage: b\nStatus: deinstall ok config-files\nArchitecture: amd64\nVersion: 2\n',
          ),
          list('b', 'etc/b.conf'),
          gone('usr/bin/b'),
        ],
      ],
    ],
    [
      'an upgrade',
      [
        BASE,
        [status({ a: '3', b: '2' }), file('usr/bin/a', 'new'), gone('usr/lib/a.so'), list('a', 'usr/bin/a')],
      ],
    ],
    [
      'another package takes over',
      [
        BASE,
        [
          status({ a2: '1', b: '2' }),
          gone('var/lib/dpkg/info/a.list'),
          ...deb('a2', 'usr/bin/a', 'usr/lib/a.so'),
        ],
      ],
    ],
    [
      'the package lists of apt are deleted',
      [[...BASE, file('var/lib/apt/lists/x')], [gone('var/lib/apt/lists/x')]],
    ],
    [
      'the database moves with the merge of /usr',
      [
        [file(APK, apkRecord('b', '1-r0', 'lib', 'b.so')), file('lib/b.so')],
        [gone('lib'), file('usr/lib/b.so'), file(`usr/${APK}`, apkRecord('b', '1-r0', 'lib', 'b.so'))],
        [symbolic('lib', 'usr/lib')],
      ],
    ],
    [
      'apk del',
      [
        [file(APK, apkRecord('b', '1-r0', 'lib', 'b.so')), file('lib/b.so')],
        [file(APK, apkRecord('c', '1', 'bin', 'c')), file('bin/c'), gone('lib/b.so')],
      ],
    ],
    ['a copy from another stage', [[file('usr/bin/a')], WHEEL]],
    ['pip uninstall', [WHEEL, [gone(`${SITE}/a`), gone(`${SITE}/a-1.0.dist-info`)]]],
    ['pip install --upgrade', [WHEEL, [gone(`${SITE}/a-1.0.dist-info`), ...wheel('a', '2.0')]]],
    [
      'an upgrade that is undone',
      [
        WHEEL,
        [gone(`${SITE}/a-1.0.dist-info`), ...wheel('a', '2.0')],
        [gone(`${SITE}/a-2.0.dist-info`), ...WHEEL],
      ],
    ],
    ['npm prune', [[...npm('a', '1'), ...npm('b', '1')], [gone('app/node_modules/a')]]],
    [
      'npm prune of a package inside another',
      [[...npm('a', '1'), ...npm('b', '1', 'app/node_modules/a')], [gone('app/node_modules/a/node_modules')]],
    ],
    ['npm install of another version', [npm('a', '1'), npm('a', '2')]],
    [
      'the rpm database moves',
      [[file('var/lib/rpm/Packages')], [gone('var/lib/rpm'), file('usr/lib/sysimage/rpm/rpmdb.sqlite')]],
    ],
    [
      'the rpm database moves behind a link',
      [
        [file('var/lib/rpm/Packages')],
        [gone('var/lib/rpm/Packages')].slice(1),
        [file('usr/lib/sysimage/rpm/Packages'), symbolic('var/lib/rpm', '../../usr/lib/sysimage/rpm')],
      ],
    ],
  ]
  test.each(cases)('%s', async (_name, layers) => {
    expect((await contents(layers)).hiddenPackages).toEqual([])
  })
})

describe('metadata behind links', () => {
  const METADATA = `${SITE}/a-1.0.dist-info/METADATA`
  const cases: readonly (readonly [string, Layer, readonly string[]])[] = [
    ['a hard link', [file('opt/x'), hard(METADATA, 'opt/x')], [`hard-link ${METADATA} opt/x`]],
    ['a symbolic link', [file('opt/x'), symbolic(METADATA, '/opt/x')], [`symbolic-link ${METADATA} opt/x`]],
    [
      'a link to a link',
      [file('opt/x'), symbolic('opt/y', 'x'), symbolic(METADATA, '/opt/y')],
      [`symbolic-link ${METADATA} opt/x`],
    ],
    [
      'a linked folder',
      [file('opt/x/METADATA'), symbolic(`${SITE}/a-1.0.dist-info`, '/opt/x')],
      [`linked-folder ${METADATA} opt/x/METADATA`],
    ],
    [
      'the folder of dpkg',
      [file('opt/x/status'), symbolic('var/lib/dpkg', '/opt/x')],
      [`linked-folder ${STATUS} opt/x/status`],
    ],
    ['the status of dpkg', [file('opt/x'), hard(STATUS, 'opt/x')], [`hard-link ${STATUS} opt/x`]],
    [
      'the folder of status.d',
      [file('opt/x/curl'), file('opt/x/curl.md5sums'), symbolic('var/lib/dpkg/status.d', '/opt/x')],
      ['linked-folder var/lib/dpkg/status.d/curl opt/x/curl'],
    ],
    ['apk', [file('opt/x'), symbolic(APK, '/opt/x')], [`symbolic-link ${APK} opt/x`]],
    [
      'rpm',
      [file('opt/x/rpmdb.sqlite'), symbolic('var/lib/rpm', '/opt/x')],
      ['linked-folder var/lib/rpm/rpmdb.sqlite opt/x/rpmdb.sqlite'],
    ],
    [
      'npm from a store',
      [file('store/1'), hard('app/node_modules/a/package.json', 'store/1')],
      ['hard-link app/node_modules/a/package.json store/1'],
    ],
    [
      'gems',
      [file('opt/g/a.gemspec'), symbolic('usr/lib/ruby/specifications', '/opt/g')],
      ['linked-folder usr/lib/ruby/specifications/a.gemspec opt/g/a.gemspec'],
    ],
    ['an egg', [file('opt/x'), hard(`${SITE}/a.egg-info`, 'opt/x')], [`hard-link ${SITE}/a.egg-info opt/x`]],
    ['a link to nowhere', [symbolic(METADATA, '/opt/x')], []],
    ['a plain file', [file(METADATA)], []],
    ['lib64 beside lib', [file(METADATA), symbolic('usr/lib64', 'lib')], []],
    ['merged /usr of Alpine', [file(`usr/${APK}`), symbolic('lib', 'usr/lib')], []],
    [
      'the usual place of rpm',
      [file('usr/lib/sysimage/rpm/rpmdb.sqlite'), symbolic('var/lib/rpm', '../../usr/lib/sysimage/rpm')],
      [],
    ],
    [
      'a workspace of npm',
      [file('packages/a/package.json'), symbolic('node_modules/a', '../packages/a')],
      [],
    ],
    [
      'pnpm',
      [
        file('node_modules/.pnpm/a@1/node_modules/a/package.json'),
        symbolic('node_modules/a', '.pnpm/a@1/node_modules/a'),
      ],
      [],
    ],
    ['two links, one in a place of its own', [file(METADATA), hard(`opt/${METADATA}`, METADATA)], []],
    ['jars of Debian', [file('usr/share/java/a-1.jar'), symbolic('usr/share/java/a.jar', 'a-1.jar')], []],
  ]
  test.each(cases)('%s', async (_name, files, expected) => {
    const { linkedMetadata } = await contents([[file('usr/x')], files])
    expect(linkedMetadata?.map(one => `${one.kind} ${one.path} ${one.target}`)).toEqual(expected)
  })
})

describe('language packages that a system package brought', () => {
  const info = `${SITE}/six.egg-info/PKG-INFO`
  const owned = [status({ 'python3-six': '1' }), ...deb('python3-six', info)]
  const six = { [info]: 'pkg:deb/python3-six@1' }
  const cases: readonly (readonly [string, readonly Layer[], Readonly<Record<string, string>>])[] = [
    ['in one layer', [owned], six],
    [
      'in one layer above another',
      [[status({ a: '1' })], [status({ a: '1', 'python3-six': '1' }), ...deb('python3-six', info)]],
      six,
    ],
    ['the database is written again later', [owned, [status({ 'python3-six': '1', b: '1' })]], six],
    [
      'the list is forged later',
      [
        [status({ a: '1' }), ...deb('a', 'usr/bin/a')],
        [list('a', 'usr/bin/a', info), file(info)],
      ],
      {},
    ],
    [
      'the list is forged later still',
      [[status({ a: '1' }), ...deb('a', 'usr/bin/a')], [file(info)], [list('a', 'usr/bin/a', info)]],
      {},
    ],
    ['the file came later than its list', [[status({ a: '1' }), list('a', info)], [file(info)]], {}],
    ['a package is forged after the file', [[file(info)], [status({ a: '1' }), list('a', info)]], {}],
    [
      'apk, whose database is written again later',
      [
        [file(APK, apkRecord('py3-six', '1', `${SITE}/six.egg-info`, 'PKG-INFO')), file(info)],
        [
          file(
            APK,
            apkRecord('py3-six', '1', `${SITE}/six.egg-info`, 'PKG-INFO') + apkRecord('b', '1', 'lib', 'b'),
          ),
        ],
      ],
      { [info]: 'pkg:apk/py3-six@1' },
    ],
    [
      'apk, forged later',
      [
        [file(APK, apkRecord('a', '1', 'lib', 'a'))],
        [file(APK, apkRecord('a', '1', `${SITE}/six.egg-info`, 'PKG-INFO')), file(info)],
      ],
      {},
    ],
  ]
  test.each(cases)('%s', async (_name, layers, expected) => {
    expect((await contents(layers)).systemMetadata).toEqual(expected)
  })
})
