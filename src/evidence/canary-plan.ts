import type { Severity } from './scan.js'
import { parsePurl } from './purl.js'
import { storedZip } from './stored-zip.js'

/** Kinds of packages that a canary layer can hold. */
export type CanaryKind = 'apk' | 'deb' | 'maven' | 'npm' | 'pypi'

/** One known-vulnerable package of the canary layer. */
export interface PlantedPackage {
  readonly kind: CanaryKind
  /** As the scanner lists it: for packages of the system a random one. Maven: `group:artifact`. */
  readonly name: string
  readonly version: string
  /** Source package that advisories are kept under, for packages of the system. */
  readonly source?: string
  /** What must be reported whatever the database is, at least this severe. */
  readonly pinned?: { readonly id: string; readonly severity: Severity }
}

/** What one canary layer holds. Nothing in it has a name that the image could know. */
export interface CanaryPlan {
  /** In every path and every name of our own. */
  readonly token: string
  readonly files: readonly { readonly path: string; readonly content: string | Buffer }[]
  readonly packages: readonly PlantedPackage[]
  /** Kinds that the layer cannot prove, each with the reason. */
  readonly notCovered: readonly string[]
}

/** What the layers hold by name, whatever became of it later (`ImageContents`). */
export interface SeenInLayers {
  readonly packageDatabases: readonly string[]
  readonly javaArchives: number
}

const DPKG = /^var\/lib\/dpkg\//
const APK_PATHS = ['lib/apk/db/installed', 'usr/lib/apk/db/installed'] as const
const RPM = /(^|\/)rpm\//

/**
 * Packages that every scan must report, in the kinds that this image has or could have: npm and PyPI always, Maven
 * where there are Java archives, dpkg and apk where the image has their database. A file of ours never takes the
 * place of one of the image: language packages lie in a folder named by `token` (32 hexadecimal digits, random),
 * a dpkg record in a file of its own in `status.d`, an apk record in whichever of the two databases no layer has.
 */
export function planCanary(seen: SeenInLayers, token: string): CanaryPlan {
  const has = (kind: RegExp): boolean => seen.packageDatabases.some(path => kind.test(path))
  const free = APK_PATHS.filter(path => !seen.packageDatabases.includes(path))
  const [apkPath] = free
  const usesApk = free.length < APK_PATHS.length
  const parts = [
    languagePackages(token),
    ...(seen.javaArchives > 0 ? [javaPackage(token)] : []),
    ...(has(DPKG) ? [dpkgPackages(token)] : []),
    ...(usesApk && apkPath !== undefined ? [apkPackages(token, apkPath)] : []),
  ]
  return {
    token,
    files: parts.flatMap(part => part.files),
    packages: parts.flatMap(part => part.packages),
    notCovered: [
      ...(has(RPM) ? ['rpm: its database is one binary file, nothing can be added beside it'] : []),
      ...(usesApk && apkPath === undefined
        ? ['apk: both places of its database are taken by the image']
        : []),
    ],
  }
}

type Part = Pick<CanaryPlan, 'files' | 'packages'>

function languagePackages(token: string): Part {
  const npm = { name: 'minimist', version: '1.2.5' }
  const pypi = { name: 'langchain', version: '0.0.170' }
  const metadata = `Metadata-Version: 2.1\nName: ${pypi.name}\nVersion: ${pypi.version}\n`
  return {
    files: [
      { path: `${token}/node_modules/${npm.name}/package.json`, content: JSON.stringify(npm) },
      { path: `${token}/${pypi.name}-${pypi.version}.dist-info/METADATA`, content: metadata },
    ],
    packages: [
      { kind: 'npm', ...npm, pinned: { id: 'CVE-2021-44906', severity: 'critical' } },
      { kind: 'pypi', ...pypi, pinned: { id: 'CVE-2023-36281', severity: 'critical' } },
    ],
  }
}

/** An archive whose manifest counts only if the Java database knows the artifact: it proves both databases. */
function javaPackage(token: string): Part {
  const [group, artifact, version] = ['org.apache.logging.log4j', 'log4j-core', '2.14.1']
  const lines = [
    ...['Manifest-Version: 1.0', `Implementation-Title: ${artifact}`],
    ...[`Implementation-Vendor-Id: ${group}`, `Implementation-Version: ${version}`],
  ]
  const manifest = { path: 'META-INF/MANIFEST.MF', content: `${lines.join('\r\n')}\r\n\r\n` }
  return {
    files: [{ path: `${token}/${token}.jar`, content: storedZip([manifest]) }],
    packages: [
      {
        ...{ kind: 'maven', name: `${group}:${artifact}`, version },
        pinned: { id: 'CVE-2021-44228', severity: 'critical' },
      },
    ],
  }
}

// Versions older than those of any release that is still looked after, so that each has advisories for them.
const SOURCES = { curl: '7.50.0', openssl: '1.0.2' } as const

function systemPackages(token: string, kind: 'apk' | 'deb', end: string): readonly SystemPackage[] {
  return Object.entries(SOURCES).map(([source, version], at) => {
    return { kind, name: `p${at}${token}`, version: `${version}${end}`, source }
  })
}

type SystemPackage = PlantedPackage & { readonly source: string }

function dpkgPackages(token: string): Part {
  const packages = systemPackages(token, 'deb', '-1')
  const files = packages.map(({ name, version, source }) => {
    const fields = [
      ...[`Package: ${name}`, 'Status: install ok installed', 'Maintainer: nobody <nobody@example.invalid>'],
      ...['Architecture: amd64', `Source: ${source}`, `Version: ${version}`, `Description: ${name}`],
    ]
    return { path: `var/lib/dpkg/status.d/${name}`, content: `${fields.join('\n')}\n` }
  })
  return { files, packages }
}

function apkPackages(token: string, path: string): Part {
  const packages = systemPackages(token, 'apk', '-r0')
  const records = packages.map(
    ({ name, version, source }) => `P:${name}\nV:${version}\nA:x86_64\nT:${name}\nL:MIT\no:${source}\n`,
  )
  return { files: [{ path, content: `${records.join('\n')}\n` }], packages }
}

/** The operating system as the scanner named it. */
export interface ScannedSystem {
  readonly family: string
  readonly name: string
}

const SYSTEM: ReadonlySet<CanaryKind> = new Set<CanaryKind>(['apk', 'deb'])

/** True for packages that are matched by the operating system's advisories. */
export function isOfSystem(plant: PlantedPackage): boolean {
  return SYSTEM.has(plant.kind)
}

/** True when a package URL of a report names this package. */
export function isPlanted(purl: string, plant: PlantedPackage): boolean {
  const parts = parsePurl(purl)
  if (parts === undefined || parts.type !== plant.kind || parts.version !== plant.version) return false
  return isOfSystem(plant) ? parts.name.endsWith(`/${plant.name}`) : parts.name === purlName(plant)
}

function purlName(plant: PlantedPackage): string {
  return plant.name.replace(':', '/')
}

/** The package URL for people: a package of the system by its source, without what is random. */
export function plantPurl(plant: PlantedPackage, system?: ScannedSystem): string {
  const space = isOfSystem(plant) && system !== undefined ? `${system.family}/` : ''
  return `pkg:${plant.kind}/${space}${plant.source ?? purlName(plant)}@${plant.version}`
}

/**
 * The same packages as a CycloneDX 1.6 document, for the scanner to match by another road. Packages of the system
 * only with the system that they are to be matched for.
 */
export function planSbom(plan: CanaryPlan, system?: ScannedSystem): string {
  const plants = plan.packages.filter(plant => system !== undefined || !isOfSystem(plant))
  const os =
    system === undefined ? [] : [{ type: 'operating-system', name: system.family, version: system.name }]
  return JSON.stringify({
    ...{ bomFormat: 'CycloneDX', specVersion: '1.6', version: 1 },
    components: [...os, ...plants.map(plant => component(plant, system))],
  })
}

function component(plant: PlantedPackage, system: ScannedSystem | undefined): object {
  const { kind, version, source } = plant
  const parts = purlName(plant).split('/')
  const name = parts.at(-1) ?? plant.name
  const group = kind === 'maven' ? { group: parts.slice(0, -1).join('/') } : {}
  const space = isOfSystem(plant) ? `${system?.family ?? ''}/` : ''
  const distro = kind === 'deb' ? `${system?.family ?? ''}-${system?.name ?? ''}` : system?.name
  const qualifiers = isOfSystem(plant) ? `?distro=${encodeURIComponent(distro ?? '')}` : ''
  const purl = `pkg:${kind}/${space}${purlName(plant)}@${version}${qualifiers}`
  const [upstream = '', release = ''] = kind === 'deb' ? version.split('-') : [version]
  const properties = [
    { name: 'aquasecurity:trivy:SrcName', value: source },
    { name: 'aquasecurity:trivy:SrcVersion', value: upstream },
    ...(release === '' ? [] : [{ name: 'aquasecurity:trivy:SrcRelease', value: release }]),
  ]
  return {
    ...{ type: 'library', 'bom-ref': purl, name, ...group, version, purl },
    ...(source && { properties }),
  }
}
