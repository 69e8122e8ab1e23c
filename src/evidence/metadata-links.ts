// Where scanners look for packages (Trivy 0.74.0 and Syft 1.51.0); a plain file there is read by both.
const PLACES: readonly RegExp[] = [
  /^var\/lib\/dpkg\/(?:status|status\.d\/(?!.*\.md5sums$)[^/]+)$/,
  /^(?:usr\/)?lib\/apk\/db\/installed$/,
  /^(?:var\/lib|usr\/lib\/sysimage|usr\/share)\/rpm\/(?:Packages|Packages\.db|rpmdb\.sqlite)$/,
  /\.dist-info\/METADATA$/,
  /\.egg-info(?:\/PKG-INFO)?$/,
  /(?:^|\/)node_modules\/(?:@[^/]+\/)?[^/@][^/]*\/package\.json$/,
  /(?:^|\/)specifications\/[^/]+\.gemspec$/,
  /(?:^|\/)conda-meta\/[^/]+\.json$/,
  /(?:^|\/)composer\/installed\.json$/,
  /\.deps\.json$/,
  /\.[jwep]ar$/,
]

// Read wherever it is.
const ANYWHERE = /(?:^|\/)package\.json$/

/** Databases of operating system packages, each in its one place. */
export const SYSTEM_DATABASES = [
  'var/lib/dpkg/status',
  'lib/apk/db/installed',
  'usr/lib/apk/db/installed',
  ...['var/lib/rpm', 'usr/lib/sysimage/rpm', 'usr/share/rpm'].flatMap(folder =>
    ['Packages', 'Packages.db', 'rpmdb.sqlite'].map(name => `${folder}/${name}`),
  ),
] as const

/** The databases of rpm, whose content the layer pass cannot read. */
export const RPM_DATABASES: readonly string[] = SYSTEM_DATABASES.filter(path => path.includes('/rpm/'))

/** Whether scanners look for packages in a file of this path. */
export function isMetadataPlace(path: string): boolean {
  return PLACES.some(place => place.test(path))
}

/** Whether a plain file of this path is read as package metadata, so that a link to it hides nothing. */
export function isReadAnyway(path: string): boolean {
  return isMetadataPlace(path) || ANYWHERE.test(path)
}

/**
 * What scanners would look for below a folder of this path, if it were a plain folder: names of files, or `*` for
 * all of them; undefined when nothing depends on the name of the folder.
 */
export function metadataBelow(folder: string): readonly string[] | '*' | undefined {
  if (folder.endsWith('.dist-info')) return ['METADATA']
  if (folder.endsWith('.egg-info')) return ['PKG-INFO']
  if (/(?:^|\/)node_modules\/(?:@[^/]+\/)?[^/@][^/]*$/.test(folder)) return ['package.json']
  if (/(?:^|\/)(?:specifications|conda-meta)$/.test(folder)) return '*'
  if (folder === 'var/lib/dpkg/status.d') return '*'
  if (/(?:^|\/)composer$/.test(folder)) return ['installed.json']
  return undefined
}
