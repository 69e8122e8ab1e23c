import { parsePurl } from './purl.js'
import type { Package, VulnerabilityScan } from './scan.js'

/** Kinds of operating system packages (purl types) that the scanner matches. */
export const SYSTEM_TYPES: ReadonlySet<string> = new Set(['apk', 'deb', 'rpm'])

/**
 * A CycloneDX 1.6 document with one component for each bom-ref, as `trivy sbom` reads it. Packages of an operating
 * system carry their source package: without it the scanner looks for advisories of the binary package and misses
 * those of its source (Trivy 0.74.0, properties `aquasecurity:trivy:Src…`).
 */
export function unionSbom(
  parts: ReadonlyMap<string, readonly Package[]>,
  os: VulnerabilityScan['os'],
): string {
  const system = os === undefined ? [] : [{ type: 'operating-system', name: os.family, version: os.name }]
  const components = [...parts].flatMap(([ref, [found]]) =>
    found === undefined ? [] : component(ref, found),
  )
  return JSON.stringify({
    ...{ bomFormat: 'CycloneDX', specVersion: '1.6', version: 1 },
    components: [...system, ...components],
  })
}

function component(ref: string, found: Package): object {
  const parts = parsePurl(found.purl)
  const name = parts?.name ?? found.name
  const shared = {
    type: 'library',
    'bom-ref': ref,
    version: parts?.version ?? found.version,
    purl: found.purl,
  }
  if (parts === undefined || !SYSTEM_TYPES.has(parts.type)) return { ...shared, name }
  const source = versionParts(parts.type, found.sourceVersion ?? found.version)
  const properties = [
    ['SrcName', found.sourceName ?? found.name],
    ['SrcVersion', source.version],
    ...(source.release === '' ? [] : [['SrcRelease', source.release]]),
    ...(source.epoch === '' ? [] : [['SrcEpoch', source.epoch]]),
  ]
  return {
    ...{ ...shared, name: name.slice(name.lastIndexOf('/') + 1) },
    properties: properties.map(([key = '', value = '']) => ({ name: `aquasecurity:trivy:${key}`, value })),
  }
}

/** Epoch, version and release, as deb (deb-version(7)) and rpm write them; apk has a version alone. */
function versionParts(type: string, full: string): { epoch: string; version: string; release: string } {
  if (type === 'apk') return { epoch: '', version: full, release: '' }
  const match = /^(?:(\d+):)?(.*?)(?:-([^-]*))?$/.exec(full)
  return { epoch: match?.[1] ?? '', version: match?.[2] ?? full, release: match?.[3] ?? '' }
}
