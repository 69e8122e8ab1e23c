import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { withoutInventoried } from '../../../src/evidence/ownership.js'
import type { ImageContents } from '../../../src/evidence/image.js'
import { readLayers } from '../../../src/oci/layers.js'
import { openLayout } from '../../../src/oci/reader.js'
import { makeLayout } from '../../support/layouts.js'
import type { LayoutFile } from '../../support/layouts.js'

const ELF = Buffer.from('\x7fELF rest of it', 'latin1')
const program = (path: string): LayoutFile => ({ path, content: ELF, mode: 0o755 })
const link = (path: string, linkname: string): LayoutFile => ({ path, type: 'symlink', linkname })
let dir = ''

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'ownership-'))
})
afterEach(() => rm(dir, { recursive: true, force: true }))

async function contents(files: readonly LayoutFile[]): Promise<ImageContents> {
  await makeLayout(dir, { layers: [{ files }] })
  const layout = await openLayout(dir, { name: 'x' })
  const [image] = layout.subject.platforms
  if (image === undefined) throw new Error('one platform is expected')
  return (await readLayers(layout, image)).contents
}

const unexplained = (found: ImageContents): readonly string[] => found.unexplained.map(file => file.path)

describe('readLayers, ownership', () => {
  const status = (name: string, state = 'install ok installed'): LayoutFile => ({
    path: 'var/lib/dpkg/status',
    content: `Package: ${name}\nStatus: ${state}\nArchitecture: amd64\nVersion: 1:2-3\n\nPackage: other\nStatus: install ok installed\nVersion: 1\n`,
  })
  const list = (name: string, ...paths: readonly string[]): LayoutFile => ({
    path: `var/lib/dpkg/info/${name}.list`,
    content: `/.\n${paths.join('\n')}\n`,
  })
  const site = 'usr/lib/python3/site-packages'
  const cases: readonly (readonly [
    string,
    readonly LayoutFile[],
    Record<string, string>,
    readonly string[],
  ])[] = [
    [
      'dpkg',
      [status('a'), list('a', '/usr/bin/x'), program('usr/bin/x'), program('usr/bin/y')],
      { 'usr/bin/x': 'pkg:deb/a@1%3A2-3' },
      ['usr/bin/y'],
    ],
    [
      'dpkg with architecture',
      [status('a'), list('a:amd64', '/usr/bin/x'), program('usr/bin/x')],
      { 'usr/bin/x': 'pkg:deb/a@1%3A2-3' },
      [],
    ],
    [
      'dpkg on a merged /usr',
      [link('bin', 'usr/bin'), status('a'), list('a', '/bin/x'), program('usr/bin/x')],
      { 'usr/bin/x': 'pkg:deb/a@1%3A2-3' },
      [],
    ],
    [
      'dpkg list without a package',
      [status('a'), list('b', '/usr/bin/x'), program('usr/bin/x')],
      {},
      ['usr/bin/x'],
    ],
    [
      'dpkg package that was removed',
      [status('a', 'deinstall ok config-files'), list('a', '/x'), program('x')],
      {},
      ['x'],
    ],
    [
      'dpkg list behind a symbolic link',
      [status('a'), { path: 'l', content: '/x' }, link('var/lib/dpkg/info/a.list', '/l'), program('x')],
      {},
      ['x'],
    ],
    [
      'status.d',
      [
        { path: 'var/lib/dpkg/status.d/a', content: 'Package: a\nVersion: 1\n' },
        { path: 'var/lib/dpkg/status.d/a.md5sums', content: 'd41d8cd98f00b204e9800998ecf8427e  usr/bin/x\n' },
        program('usr/bin/x'),
      ],
      { 'usr/bin/x': 'pkg:deb/a@1' },
      [],
    ],
    [
      'apk',
      [
        {
          path: 'lib/apk/db/installed',
          content: 'P:b\nV:1-r0\nF:\nR:top\nF:bin\nR:x\nZ:Q1\n\nP:c\nV:2\nF:sbin\nR:y\n',
        },
        program('bin/x'),
        program('sbin/y'),
        program('top'),
        program('bin/z'),
      ],
      { 'bin/x': 'pkg:apk/b@1-r0', 'sbin/y': 'pkg:apk/c@2', top: 'pkg:apk/b@1-r0' },
      ['bin/z'],
    ],
    [
      'wheel',
      [
        { path: `${site}/A_b-1.0.dist-info/METADATA`, content: 'x' },
        {
          path: `${site}/A_b-1.0.dist-info/RECORD`,
          content: 'a_b/x.so,sha256=x,1\n../../../bin/tool,,\n"a_b/q""uote,d",,\n',
        },
        program(`${site}/a_b/x.so`),
        program('usr/bin/tool'),
        program(`${site}/a_b/q"uote,d`),
        program(`${site}/other.so`),
      ],
      {
        'usr/bin/tool': 'pkg:pypi/a_b@1.0',
        [`${site}/a_b/q"uote,d`]: 'pkg:pypi/a_b@1.0',
        [`${site}/a_b/x.so`]: 'pkg:pypi/a_b@1.0',
      },
      [`${site}/other.so`],
    ],
    [
      'wheel without METADATA',
      [{ path: `${site}/a-1.dist-info/RECORD`, content: 'x.so,,\n' }, program(`${site}/x.so`)],
      {},
      [`${site}/x.so`],
    ],
    [
      'wheel record that climbs out',
      [
        { path: 'a-1.dist-info/METADATA' },
        { path: 'a-1.dist-info/RECORD', content: '../../x,,\n' },
        program('x'),
      ],
      {},
      ['x'],
    ],
    [
      'egg',
      [
        { path: `${site}/a-1-py3.egg-info/PKG-INFO` },
        { path: `${site}/a-1-py3.egg-info/top_level.txt`, content: 'a\n' },
        program(`${site}/a/x.so`),
      ],
      { [`${site}/a/x.so`]: 'pkg:pypi/a@1' },
      [],
    ],
    [
      'egg with its files',
      [
        { path: `${site}/a-1-py3.egg-info/PKG-INFO` },
        { path: `${site}/a-1-py3.egg-info/installed-files.txt`, content: '../a/x.so\n' },
        program(`${site}/a/x.so`),
        program(`${site}/a/y.so`),
      ],
      { [`${site}/a/x.so`]: 'pkg:pypi/a@1' },
      [`${site}/a/y.so`],
    ],
    [
      'npm, innermost first',
      [
        { path: 'app/node_modules/@s/a/package.json', content: '{"name":"@s/a","version":"1"}' },
        program('app/node_modules/@s/a/bin/x'),
        { path: 'app/node_modules/@s/a/node_modules/b/package.json', content: '{"name":"b","version":"2"}' },
        program('app/node_modules/@s/a/node_modules/b/y'),
        program('app/node_modules/.bin/z'),
      ],
      {
        'app/node_modules/@s/a/bin/x': 'pkg:npm/%40s/a@1',
        'app/node_modules/@s/a/node_modules/b/package.json': 'pkg:npm/b@2',
        'app/node_modules/@s/a/node_modules/b/y': 'pkg:npm/b@2',
        'app/node_modules/@s/a/package.json': 'pkg:npm/%40s/a@1',
      },
      ['app/node_modules/.bin/z'],
    ],
    [
      'npm without a version',
      [{ path: 'node_modules/a/package.json', content: '{"name":"a"}' }, program('node_modules/a/x')],
      {},
      ['node_modules/a/x'],
    ],
    [
      'npm that is no JSON',
      [{ path: 'node_modules/a/package.json', content: '{' }, program('node_modules/a/x')],
      {},
      ['node_modules/a/x'],
    ],
    ['a scratch image', [program('app')], {}, ['app']],
  ]
  test.each(cases)('%s', async (_name, files, owners, expected) => {
    const found = await contents(files)
    expect(found.owners).toEqual(owners)
    expect(unexplained(found)).toEqual(expected)
  })
})

test('withoutInventoried takes out what is a package itself', async () => {
  const found = await contents([program('a'), program('b')])
  expect(withoutInventoried(found.unexplained, new Set(['a'])).map(file => file.path)).toEqual(['b'])
})
