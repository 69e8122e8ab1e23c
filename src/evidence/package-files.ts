import { claimedPaths, startClaims, type ClaimBudget } from './claimed-paths.js'

/** The text of one metadata file of the final tree. `path` has no leading slash. */
export interface MetadataFile {
  readonly path: string
  readonly text: string
}

/** What one package says it installed: single files, and folders that belong to it as a whole. */
export interface PackageClaim {
  readonly owner: string
  /** What stays the same when the package is upgraded: kind, name, and for language packages the place. */
  readonly key: string
  /** The file that records the package. */
  readonly record: string
  readonly files: readonly string[]
  readonly folders: readonly string[]
}

const KINDS: readonly RegExp[] = [
  /^var\/lib\/dpkg\/(?:status|info\/[^/]+\.list|status\.d\/[^/]+)$/,
  /^(?:usr\/)?lib\/apk\/db\/installed$/,
  /\.dist-info\/RECORD$/,
  /\.egg-info\/(?:installed-files|top_level)\.txt$/,
  /(?:^|\/)node_modules\/(?:@[^/]+\/)?[^/@][^/]*\/package\.json$/,
]

/** Whether this file tells what a package owns; the layer pass keeps the text of such files. */
export function isPackageMetadata(path: string): boolean {
  return KINDS.some(kind => kind.test(path))
}

/** Whether a package exists for scanners because this file does; its text is of no use to the layer pass. */
export function isPackageMark(path: string): boolean {
  return /\.(?:dist-info\/METADATA|egg-info\/PKG-INFO)$/.test(path)
}

/**
 * The claims of all packages of these metadata files: dpkg (also one file per package, as in distroless images),
 * apk, Python wheels and eggs, npm. A list without its package's own record claims nothing, because scanners would
 * not list that package either. `isFile` tells whether a regular file of the final tree has this path.
 */
export function packageClaims(
  metadata: readonly MetadataFile[],
  isFile: (path: string) => boolean,
): readonly PackageClaim[] {
  const texts = new Map(metadata.map(file => [file.path, file.text]))
  const budget = startClaims()
  const claims: PackageClaim[] = [...dpkgClaims(texts, budget), ...statusFolderClaims(texts, budget)]
  for (const { path, text } of metadata) {
    if (path.endsWith('lib/apk/db/installed')) pushAll(claims, apkClaims(path, text, budget))
    else if (path.endsWith('.dist-info/RECORD')) claims.push(...wheelClaims({ path, text }, isFile, budget))
    else if (path.includes('.egg-info/')) claims.push(...eggClaims({ path, texts }, isFile, budget))
    else if (path.endsWith('/package.json')) claims.push(...npmClaims(path, text))
  }
  return claims
}

/** Spread arguments have an end; an image may have more packages. */
function pushAll(claims: PackageClaim[], more: readonly PackageClaim[]): void {
  for (const claim of more) claims.push(claim)
}

interface Paragraph {
  readonly name: string
  readonly version: string
  readonly architecture: string
  readonly status: string
}

function paragraphs(text: string): readonly Paragraph[] {
  return text.split(/\n[ \t]*\n/).flatMap(block => {
    const fields = new Map<string, string>()
    for (const line of block.split('\n')) {
      const match = /^([A-Za-z-]+):[ \t]*(.*)$/.exec(line)
      if (match?.[1] !== undefined) fields.set(match[1].toLowerCase(), (match[2] ?? '').trim())
    }
    const name = fields.get('package') ?? ''
    const version = fields.get('version') ?? ''
    if (name === '' || version === '') return []
    const architecture = fields.get('architecture') ?? ''
    return [{ name, version, architecture, status: fields.get('status') ?? '' }]
  })
}

const DPKG_STATUS = 'var/lib/dpkg/status'
// Executables that dpkg keeps beside its lists; no list names them (Debian policy, 6.1, and debconf).
const MAINTAINER_SCRIPTS = ['preinst', 'postinst', 'prerm', 'postrm', 'config'] as const

function dpkgClaims(texts: ReadonlyMap<string, string>, budget: ClaimBudget): readonly PackageClaim[] {
  return paragraphs(texts.get(DPKG_STATUS) ?? '').flatMap(({ name, version, architecture, status }) => {
    if (!status.endsWith(' installed')) return []
    const bases = [name, `${name}:${architecture}`].map(base => `var/lib/dpkg/info/${base}`)
    const list = bases.map(base => texts.get(`${base}.list`)).find(text => text !== undefined) ?? ''
    const scripts = bases.flatMap(base => MAINTAINER_SCRIPTS.map(script => `${base}.${script}`))
    return [
      {
        owner: ownerOf('deb', name, version),
        key: `deb ${name} ${architecture}`,
        record: DPKG_STATUS,
        files: claimedPaths(budget, [list, ...scripts].join('\n'), line => [relative(line)]),
        folders: [],
      },
    ]
  })
}

/** `status.d/NAME` with the package's record, `status.d/NAME.md5sums` with its files. */
function statusFolderClaims(
  texts: ReadonlyMap<string, string>,
  budget: ClaimBudget,
): readonly PackageClaim[] {
  return [...texts].flatMap(([path, text]) => {
    if (!path.startsWith('var/lib/dpkg/status.d/') || path.endsWith('.md5sums')) return []
    const [record] = paragraphs(text)
    if (record === undefined) return []
    const sums = texts.get(`${path}.md5sums`) ?? ''
    const files = claimedPaths(budget, sums, line => [relative(line.replace(/^[0-9a-f]+ +\*?/, ''))])
    const { name, version, architecture } = record
    const key = `deb ${name} ${architecture}`
    return [{ owner: ownerOf('deb', name, version), key, record: path, files, folders: [] }]
  })
}

/** Paragraphs of one-letter fields (apk-tools, "installed" database): F is a folder, R a file in it. */
function apkClaims(path: string, text: string, budget: ClaimBudget): readonly PackageClaim[] {
  return text.split(/\n\n+/).flatMap(block => {
    let name = ''
    let version = ''
    let folder = ''
    const files = claimedPaths(budget, block, line => {
      const value = line.slice(2)
      if (line.startsWith('P:')) name = value
      else if (line.startsWith('V:')) version = value
      else if (line.startsWith('F:')) folder = value
      else if (line.startsWith('R:')) return [relative(`${folder}/${value}`)]
      return []
    })
    if (name === '' || version === '') return []
    return [{ owner: ownerOf('apk', name, version), key: `apk ${name}`, record: path, files, folders: [] }]
  })
}

/** RECORD (Python packaging, "Recording installed projects"): CSV whose paths start at the site folder. */
function wheelClaims(
  { path, text }: MetadataFile,
  isFile: (path: string) => boolean,
  budget: ClaimBudget,
): readonly PackageClaim[] {
  const folder = path.slice(0, path.lastIndexOf('/'))
  const owner = pythonOwner(folder.replace(/\.dist-info$/, ''))
  if (owner === undefined || !isFile(`${folder}/METADATA`)) return []
  const site = parentOf(folder)
  const files = claimedPaths(budget, text, line => below(site, firstCell(line)))
  return [{ owner, ...pythonPlace(folder, 'METADATA'), files, folders: [] }]
}

function pythonPlace(folder: string, mark: string): Pick<PackageClaim, 'key' | 'record'> {
  const stem = folder.slice(folder.lastIndexOf('/') + 1)
  const name = stem
    .replace(/-.*$/, '')
    .toLowerCase()
    .replaceAll(/[-_.]+/g, '-')
  return { key: `pypi ${parentOf(folder)} ${name}`, record: `${folder}/${mark}` }
}

function firstCell(line: string): string {
  const quoted = /^"((?:[^"]|"")*)"/.exec(line)
  return quoted === null ? (line.split(',', 1)[0] ?? '').trim() : (quoted[1] ?? '').replaceAll('""', '"')
}

/** setuptools: `installed-files.txt` relative to the egg-info folder, else the top-level packages beside it. */
function eggClaims(
  { path, texts }: { readonly path: string; readonly texts: ReadonlyMap<string, string> },
  isFile: (path: string) => boolean,
  budget: ClaimBudget,
): readonly PackageClaim[] {
  const folder = path.slice(0, path.lastIndexOf('/'))
  const owner = pythonOwner(folder.replace(/\.egg-info$/, '').replace(/-py[0-9.]+$/, ''))
  if (owner === undefined || !isFile(`${folder}/PKG-INFO`)) return []
  const text = texts.get(path) ?? ''
  if (path.endsWith('/installed-files.txt')) {
    const files = claimedPaths(budget, text, line => below(folder, line.trim()))
    return [{ owner, ...pythonPlace(folder, 'PKG-INFO'), files, folders: [] }]
  }
  if (texts.has(`${folder}/installed-files.txt`)) return []
  const site = parentOf(folder)
  const folders = claimedPaths(budget, text, line => {
    const name = line.trim()
    return /^[A-Za-z0-9_]+$/.test(name) ? [site === '' ? name : `${site}/${name}`] : []
  })
  const files = folders.map(inside => `${inside}.py`)
  return [{ owner, ...pythonPlace(folder, 'PKG-INFO'), files, folders }]
}

function pythonOwner(stem: string): string | undefined {
  const match = /^(.+)-([^-]+)$/.exec(stem.slice(stem.lastIndexOf('/') + 1))
  return match?.[1] === undefined ? undefined : ownerOf('pypi', match[1].toLowerCase(), match[2] ?? '')
}

/** A folder in node_modules belongs to the package whose package.json names itself and its version. */
function npmClaims(path: string, text: string): readonly PackageClaim[] {
  if (text.length > 1024 * 1024) return []
  try {
    const json: unknown = JSON.parse(text)
    if (typeof json !== 'object' || json === null || !('name' in json) || !('version' in json)) return []
    const { name, version } = json
    if (typeof name !== 'string' || typeof version !== 'string' || name === '' || version === '') return []
    const folder = parentOf(path)
    const claim = { key: `npm ${folder}`, record: path, files: [], folders: [folder] }
    return [{ owner: ownerOf('npm', name, version), ...claim }]
  } catch {
    return []
  }
}

function ownerOf(type: string, name: string, version: string): string {
  const encoded = name.split('/').map(encodeURIComponent).join('/')
  return `pkg:${type}/${encoded}@${encodeURIComponent(version)}`
}

function parentOf(path: string): string {
  const slash = path.lastIndexOf('/')
  return slash === -1 ? '' : path.slice(0, slash)
}

function relative(path: string): string {
  return path.trim().replace(/^(?:\.?\/)+/, '')
}

/** `path` seen from `folder`, `..` followed; nothing when it is empty or climbs out of the root. */
export function below(folder: string, path: string): readonly string[] {
  if (path === '') return []
  const parts: string[] = path.startsWith('/') ? [] : folder.split('/')
  for (const part of path.split('/')) {
    if (part === '..' && parts.length === 0) return []
    if (part === '..') parts.pop()
    else if (part !== '' && part !== '.') parts.push(part)
  }
  return [parts.filter(part => part !== '').join('/')]
}
