import type { LayoutFile } from './layouts.js'

/** Ways in which packages with known advisories can be in an image. */
export const WAYS = [
  ...(['regular', 'hard link', 'symbolic link', 'linked folder', 'record deleted later'] as const),
  ...(['database deleted last', 'database replaced last', 'os-release faked', 'os-release missing'] as const),
  'files forged into a system package',
] as const
export type Way = (typeof WAYS)[number]

/** One planted package and an advisory that must be found for it. */
export interface Planted {
  readonly name: string
  readonly version: string
  readonly advisory: string
}

/** One kind of packages. */
export interface Kind {
  readonly name: 'wheel' | 'npm' | 'deb' | 'apk'
  readonly purl: string
  readonly packages: readonly Planted[]
}

/** Each advisory stands in the rows under `data/`; those of deb and apk are of the source packages. */
export const KINDS: readonly Kind[] = [
  {
    name: 'wheel',
    purl: 'pkg:pypi/',
    packages: [
      { name: 'langchain', version: '0.0.170', advisory: 'CVE-2023-36281' },
      { name: 'requests', version: '2.19.0', advisory: 'CVE-2018-18074' },
    ],
  },
  {
    name: 'npm',
    purl: 'pkg:npm/',
    packages: [
      { name: 'minimist', version: '1.2.5', advisory: 'CVE-2021-44906' },
      { name: 'lodash', version: '4.17.20', advisory: 'CVE-2021-23337' },
    ],
  },
  {
    name: 'deb',
    purl: 'pkg:deb/debian/',
    packages: [
      { name: 'libcurl4', version: '7.88.1-10', advisory: 'CVE-2023-38545' },
      { name: 'libexpat1', version: '2.5.0-1', advisory: 'CVE-2024-45490' },
    ],
  },
  {
    name: 'apk',
    purl: 'pkg:apk/alpine/',
    packages: [
      { name: 'libssl3', version: '3.3.1-r0', advisory: 'CVE-2024-6119' },
      { name: 'libexpat', version: '2.6.2-r0', advisory: 'CVE-2024-45490' },
    ],
  },
]

const SOURCES: Readonly<Record<string, string>> = {
  ...{ libcurl4: 'curl', libexpat1: 'expat', libssl3: 'openssl', libexpat: 'expat' },
}
const STATUS = 'var/lib/dpkg/status'
const APK = 'lib/apk/db/installed'
const SITE = 'usr/local/lib/python3.11/site-packages'

const text = (path: string, content: string): LayoutFile => ({ path, content })
const gone = (path: string): LayoutFile => {
  const slash = path.lastIndexOf('/') + 1
  return text(`${path.slice(0, slash)}.wh.${path.slice(slash)}`, '')
}

/** Where the metadata of a package is, and the folder that holds it alone. */
interface Metadata {
  readonly path: string
  readonly folder: string
  readonly content: string
}

interface Made {
  readonly metadata: readonly Metadata[]
  readonly files: readonly LayoutFile[]
}

/** The layers of an image with all packages of a kind in one way; undefined where the two do not go together. */
export function plantedLayers(kind: Kind, way: Way): readonly (readonly LayoutFile[])[] | undefined {
  const alpine = kind.name === 'apk'
  const system = kind.name === 'apk' || kind.name === 'deb'
  const { metadata, files } = make(kind)
  const plain = metadata.map(({ path, content }) => text(path, content))
  const base = way === 'os-release missing' ? ownSystem(alpine, '').slice(2) : ownSystem(alpine, '')
  const below = system ? base.filter(file => file.path !== STATUS && file.path !== APK) : base
  switch (way) {
    case 'regular':
    case 'os-release missing':
      return [below, [...plain, ...files]]
    case 'hard link':
      return [below, [...linked(metadata, 'link'), ...files]]
    case 'symbolic link':
      return [below, [...linked(metadata, 'symlink'), ...files]]
    case 'linked folder':
      return [below, [...linkedFolders(metadata), ...files]]
    case 'record deleted later':
      return system ? undefined : [below, [...plain, ...files], metadata.map(one => gone(one.path))]
    case 'database deleted last':
      return system ? [below, [...plain, ...files], metadata.map(one => gone(one.path))] : undefined
    case 'database replaced last':
      return system ? [below, [...plain, ...files], replaced(alpine)] : undefined
    case 'os-release faked':
      return [below, [...plain, ...files], ownSystem(alpine, 'faked').slice(0, 2)]
    case 'files forged into a system package':
      return system ? undefined : [below, [...plain, ...files, ...forged(metadata)]]
  }
}

/** A system with one harmless package; os-release and the release file come first. */
function ownSystem(alpine: boolean, fake: string): readonly LayoutFile[] {
  if (alpine) {
    const version = fake === '' ? '3.20.0' : '3.99.0'
    return [
      text('etc/os-release', `ID=alpine\nVERSION_ID=${version}\n`),
      text('etc/alpine-release', `${version}\n`),
      text(APK, 'P:zlib\nV:1.3.1-r1\nA:x86_64\no:zlib\nF:lib\nR:libz.so\n\n'),
      text('lib/libz.so', 'z'),
    ]
  }
  const version = fake === '' ? '12' : '99'
  return [
    text('etc/os-release', `ID=debian\nVERSION_ID="${version}"\n`),
    text('etc/debian_version', fake === '' ? '12.5\n' : '99.1\n'),
    text(STATUS, otherStatus()),
    text('var/lib/dpkg/info/zlib1g.list', '/.\n/usr/lib/libz.so\n'),
    text('usr/lib/libz.so', 'z'),
  ]
}

function otherStatus(): string {
  return paragraph('zlib1g', '1:1.2.13.dfsg-1', 'zlib')
}

function paragraph(name: string, version: string, source: string): string {
  const words = 'Status: install ok installed\nMaintainer: nobody <nobody@example.com>\nArchitecture: amd64'
  return `Package: ${name}\n${words}\nSource: ${source}\nVersion: ${version}\nDescription: ${name}\n\n`
}

function make({ name: kind, packages }: Kind): Made {
  if (kind === 'wheel') return joined(packages.map(wheel))
  if (kind === 'npm') return joined(packages.map(nodePackage))
  const files = packages.map(({ name }) => text(`usr/lib/${name}.so`, `code of ${name}`))
  if (kind === 'deb') {
    const content = packages
      .map(({ name, version }) => paragraph(name, version, SOURCES[name] ?? name))
      .join('')
    const lists = packages.map(({ name }) =>
      text(`var/lib/dpkg/info/${name}.list`, `/.\n/usr/lib/${name}.so\n`),
    )
    return { metadata: [{ path: STATUS, folder: 'var/lib/dpkg', content }], files: [...lists, ...files] }
  }
  const content = packages.map(
    ({ name, version }) =>
      `P:${name}\nV:${version}\nA:x86_64\no:${SOURCES[name] ?? name}\nF:usr/lib\nR:${name}.so\n\n`,
  )
  return { metadata: [{ path: APK, folder: 'lib/apk/db', content: content.join('') }], files }
}

function joined(made: readonly Made[]): Made {
  return { metadata: made.flatMap(one => one.metadata), files: made.flatMap(one => one.files) }
}

function wheel({ name, version }: Planted): Made {
  const info = `${name}-${version}.dist-info`
  const folder = `${SITE}/${info}`
  const record = `${name}/core.py,,\n${info}/METADATA,,\n${info}/RECORD,,\n`
  return {
    metadata: [
      {
        path: `${folder}/METADATA`,
        folder,
        content: `Metadata-Version: 2.1\nName: ${name}\nVersion: ${version}\n`,
      },
    ],
    files: [text(`${SITE}/${name}/core.py`, `code of ${name}`), text(`${folder}/RECORD`, record)],
  }
}

function nodePackage({ name, version }: Planted): Made {
  const folder = `app/node_modules/${name}`
  return {
    metadata: [{ path: `${folder}/package.json`, folder, content: JSON.stringify({ name, version }) }],
    files: [text(`${folder}/index.js`, `code of ${name}`)],
  }
}

function linked(metadata: readonly Metadata[], type: 'link' | 'symlink'): readonly LayoutFile[] {
  return metadata.flatMap(({ path, content }, at) => {
    const target = `opt/kept/${at}`
    return [text(target, content), { path, type, linkname: type === 'link' ? target : `/${target}` }]
  })
}

function linkedFolders(metadata: readonly Metadata[]): readonly LayoutFile[] {
  return metadata.flatMap(({ path, folder, content }, at) => [
    text(`opt/kept/${at}/${path.slice(folder.length + 1)}`, content),
    { path: folder, type: 'symlink', linkname: `/opt/kept/${at}` },
  ])
}

function replaced(alpine: boolean): readonly LayoutFile[] {
  return ownSystem(alpine, '').slice(2)
}

/** The list of the harmless package of the layer below names the metadata too. */
function forged(metadata: readonly Metadata[]): readonly LayoutFile[] {
  const paths = metadata.map(({ path }) => `/${path}\n`).join('')
  return [text('var/lib/dpkg/info/zlib1g.list', `/.\n/usr/lib/libz.so\n${paths}`)]
}
