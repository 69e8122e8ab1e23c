import type { DiffId } from '../evidence/digest.js'
import { broughtBy, type FinalFile, hiddenPackages } from '../evidence/hidden-packages.js'
import type { HiddenPackage, ImageContents } from '../evidence/image.js'
import { isMetadataPlace, RPM_DATABASES } from '../evidence/metadata-links.js'
import { isPackageMark, isPackageMetadata, packageClaims } from '../evidence/package-files.js'
import type { MetadataFile, PackageClaim } from '../evidence/package-files.js'
import { createHistory, noteLayer, noteQuietLayer } from '../evidence/package-history.js'
import type { PackageHistory } from '../evidence/package-history.js'
import { findPlace, type FileContent, type TreeNode } from './file-tree.js'
import { linkedMetadata, resolveFile } from './linked-metadata.js'

/** What the layer pass follows from layer to layer about the packages that the layers record. */
export interface MetadataPass {
  readonly history: PackageHistory
  /** Every path that ever held a record of packages. */
  readonly paths: Set<string>
  /** What stood at those paths when they were last looked at. */
  before: ReadonlyMap<string, FileContent>
  claims: readonly PackageClaim[]
  /** The rpm database seen so far, and the index of the layer that took it away. */
  rpm: { readonly path: string; readonly gone?: number } | undefined
  readonly rpmLayers: Set<number>
}

export function createMetadataPass(): MetadataPass {
  return {
    ...{ history: createHistory(), paths: new Set<string>(), before: new Map<string, FileContent>() },
    ...{ claims: [], rpm: undefined, rpmLayers: new Set<number>() },
  }
}

/** To be called for each file that an entry puts into the tree. */
export function noteFile(pass: MetadataPass, path: string): void {
  if (isPackageMetadata(path) || isPackageMark(path)) pass.paths.add(path)
}

/** To be called when all entries of layer `at` were applied. */
export function endLayer(pass: MetadataPass, root: TreeNode, at: number): void {
  followRpm(pass, root, at)
  const now = new Map<string, FileContent>()
  for (const path of pass.paths) {
    const content = plainFile(root, path)?.content
    if (content !== undefined) now.set(path, content)
  }
  const same =
    now.size === pass.before.size && [...now].every(([path, file]) => pass.before.get(path) === file)
  if (same) {
    noteQuietLayer(pass.history, at)
    return
  }
  pass.before = now
  pass.claims = packageClaims(textsOf(now), path => plainFile(root, path) !== undefined)
  const lookUp = (path: string): { path: string; size: number } | undefined => {
    const place = findPlace(root, path)
    const node = place?.parent.children.get(place.name)
    if (place === null || place === undefined || node?.content === undefined) return undefined
    return { path: place.path, size: node.content.size }
  }
  noteLayer(pass.history, at, { claims: pass.claims, lookUp })
}

function textsOf(files: ReadonlyMap<string, FileContent>): readonly MetadataFile[] {
  return [...files].flatMap(([path, { text }]) =>
    text === undefined || !isPackageMetadata(path) ? [] : [{ path, text }],
  )
}

/** The regular file of exactly this path: no link on the way is followed. */
function plainFile(root: TreeNode, path: string): TreeNode | undefined {
  let node: TreeNode | undefined = root
  for (const name of path.split('/')) node = node?.children.get(name)
  return node?.type === 'file' ? node : undefined
}

function followRpm(pass: MetadataPass, root: TreeNode, at: number): void {
  const found = RPM_DATABASES.flatMap(path => {
    const file = resolveFile(root, path)
    return file === undefined || file.node.content?.size === 0 ? [] : [{ path, node: file.node }]
  })
  if (found.some(({ node }) => node.layer === at)) pass.rpmLayers.add(at)
  const [first] = found
  if (first !== undefined) pass.rpm = { path: first.path }
  else if (pass.rpm !== undefined && pass.rpm.gone === undefined) pass.rpm = { ...pass.rpm, gone: at }
}

/** What the pass found out, when all layers were applied. */
export function metadataFacts(
  pass: MetadataPass,
  root: TreeNode,
  given: { readonly files: ReadonlyMap<string, FinalFile>; readonly layers: readonly DiffId[] },
): Required<Pick<ImageContents, 'hiddenPackages' | 'linkedMetadata' | 'systemMetadata' | 'rpmLayers'>> {
  const { files, layers } = given
  const { history } = pass
  const system = [...broughtBy(history, files)].filter(
    ([path, owner]) => isLanguageMetadata(path) && /^pkg:(?:deb|apk)\//.test(owner),
  )
  return {
    linkedMetadata: linkedMetadata(root, layers),
    hiddenPackages: [...hiddenPackages({ history, files, layers }), ...hiddenRpm(pass, layers)],
    systemMetadata: Object.fromEntries(system.sort(([a], [b]) => (a < b ? -1 : 1))),
    rpmLayers: [...pass.rpmLayers].flatMap(at => layers[at] ?? []),
  }
}

function hiddenRpm(pass: MetadataPass, layers: readonly DiffId[]): readonly HiddenPackage[] {
  const { rpm } = pass
  const layer = layers[rpm?.gone ?? -1]
  if (rpm === undefined || layer === undefined) return []
  return [{ package: rpm.path, record: rpm.path, layer, files: 0, samples: [] }]
}

function isLanguageMetadata(path: string): boolean {
  return isMetadataPlace(path) || path.endsWith('/package.json')
}
