import type { DiffId } from '../evidence/digest.js'
import type { ReleaseFacts, SystemFacts } from '../evidence/image.js'
import { parseOsRelease } from '../evidence/os-release.js'
import { knownRelease } from '../evidence/os-releases.js'
import type { PackageDatabase } from '../evidence/os-releases.js'
import { findPlace } from './file-tree.js'
import type { TreeNode } from './file-tree.js'
import { resolveFile } from './linked-metadata.js'

/** Follows which release the image names, layer by layer. */
export interface SystemWatch {
  /** To be called with the tree as it is after each layer. */
  readonly afterLayer: (root: TreeNode) => void
  /** What the final tree says, and what lower layers said before it. */
  readonly facts: (root: TreeNode, layers: readonly DiffId[]) => SystemFacts
}

interface Named {
  readonly id: string
  readonly version: string
  readonly path: string
  readonly layer: number
}

// os-release(5): the first that is there counts.
const RELEASE_FILES: readonly string[] = ['etc/os-release', 'usr/lib/os-release']
const RPM_FOLDERS = ['var/lib/rpm', 'usr/lib/sysimage/rpm', 'usr/share/rpm']
const RPM_FILES = ['Packages', 'Packages.db', 'rpmdb.sqlite']
const RPM_LISTS = ['var/lib/rpmmanifest/container-manifest-1', 'var/lib/rpmmanifest/container-manifest-2']
const APK_FILES = ['lib/apk/db/installed', 'usr/lib/apk/db/installed']
const DPKG_FILE = 'var/lib/dpkg/status'
const DPKG_FOLDER = 'var/lib/dpkg/status.d'

/** Whether this file names the release of the system; the layer pass keeps the text of such files. */
export function isReleaseFile(path: string): boolean {
  return RELEASE_FILES.includes(path)
}

/** A watch over one image; the tree must hold the texts of package metadata and of release files. */
export function watchSystem(): SystemWatch {
  const seen: Named[] = []
  return {
    afterLayer(root) {
      if (databasesOf(root).length === 0) return
      const now = releaseOf(root)
      const last = seen.at(-1)
      if (now !== undefined && (last === undefined || !isSame(now, last))) seen.push(now)
    },
    facts(root, layers) {
      const release = releaseOf(root)
      const told = (one: Named): readonly ReleaseFacts[] => {
        const layer = layers[one.layer]
        return layer === undefined ? [] : [{ ...one, layer }]
      }
      const [final] = release === undefined ? [] : told(release)
      const others = seen.filter(one => release === undefined || !isSame(one, release))
      return {
        databases: databasesOf(root),
        ...(final === undefined ? {} : { release: final }),
        earlier: others.flatMap(told),
      }
    },
  }
}

/** An update within one release changes the file, and often VERSION_ID, but not what its packages are matched by. */
function isSame(one: Named, other: Named): boolean {
  if (one.id !== other.id) return false
  const known = knownRelease(one.id, one.version)
  if (known === undefined) return one.version === other.version
  return known.release === knownRelease(other.id, other.version)?.release
}

function releaseOf(root: TreeNode): Named | undefined {
  for (const path of RELEASE_FILES) {
    const found = resolveFile(root, path)
    if (found === undefined) continue
    const text = found.node.content?.text
    return text === undefined
      ? undefined
      : { ...parseOsRelease(text), path: found.path, layer: found.node.layer }
  }
  return undefined
}

function databasesOf(root: TreeNode): readonly PackageDatabase[] {
  const found: PackageDatabase[] = []
  if (hasRecord(root, DPKG_FILE, /^Package:/m) || hasStatusFolder(root)) found.push('dpkg')
  if (APK_FILES.some(path => hasRecord(root, path, /^P:/m))) found.push('apk')
  const rpm = [...RPM_FOLDERS.flatMap(folder => RPM_FILES.map(file => `${folder}/${file}`)), ...RPM_LISTS]
  if (rpm.some(path => (resolveFile(root, path)?.node.content?.size ?? 0) > 0)) found.push('rpm')
  return found
}

/** A file whose text was not kept (one that a link leads to) counts as one that holds a record. */
function hasRecord(root: TreeNode, path: string, record: RegExp): boolean {
  const content = resolveFile(root, path)?.node.content
  if (content === undefined || content.size === 0) return false
  return content.text === undefined || record.test(content.text)
}

/** One file for each package, as in distroless images. */
function hasStatusFolder(root: TreeNode): boolean {
  const place = findPlace(root, `${DPKG_FOLDER}/any`)
  if (place === null || place === undefined) return false
  return [...place.parent.children.keys()].some(name =>
    hasRecord(root, `${DPKG_FOLDER}/${name}`, /^Package:/m),
  )
}
