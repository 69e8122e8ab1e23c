import { createReadStream, createWriteStream } from 'node:fs'
import { chmod, mkdir, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { toolPath } from './tools.js'

/** Ways in which a scanner can fail or lie. Those of the second line change what the real program reports. */
export type Lie =
  | ('silent' | 'hanging' | 'link')
  | (
      | 'half-json'
      | 'exit-1'
      | 'another-image'
      | 'no-packages'
      | 'kind-removed'
      | 'lowered'
      | 'no-findings'
      | 'suppressed'
      | ImageLie
    )

/** Lies about images alone: the truth about SBOMs, which is all that a canary of documents would see. */
type ImageLie =
  | 'image-lowered'
  | 'image-no-findings'
  | 'last-layer-clean'
  | 'last-layer-absent'
  | 'last-layer-lowered'
  | 'remembers-places'
  | 'all-in-last-layer'

const VERSIONS = { trivy: 'Version: 0.74.0', syft: 'Application: syft\nVersion:     1.51.0' } as const
const NEEDS_REAL: ReadonlySet<Lie> = new Set<Lie>([
  ...(['half-json', 'exit-1', 'another-image', 'no-packages'] as const),
  ...(['kind-removed', 'lowered', 'no-findings', 'suppressed'] as const),
  ...(['image-lowered', 'image-no-findings', 'all-in-last-layer', 'remembers-places'] as const),
  ...(['last-layer-clean', 'last-layer-absent', 'last-layer-lowered'] as const),
])

/**
 * Writes a program that stands in for a scanner and tells this lie; returns its path. It needs nothing but the
 * system's shell and Python, because a confined scanner sees nothing else: the real program is appended to it.
 */
export async function writeLiar(into: string, tool: 'trivy' | 'syft', lie: Lie): Promise<string> {
  const dir = join(into, `${tool}-${lie}`)
  await mkdir(dir, { recursive: true })
  const path = join(dir, tool)
  const real = toolPath(tool)
  const head = script(tool, lie, NEEDS_REAL.has(lie) ? (await stat(real)).size : 0)
  await writeFile(path, head)
  if (NEEDS_REAL.has(lie)) await pipeline(createReadStream(real), createWriteStream(path, { flags: 'a' }))
  await chmod(path, 0o755)
  return path
}

function script(tool: 'trivy' | 'syft', lie: Lie, realSize: number): string {
  return `#!/bin/sh
case "$1" in --version | version) echo '${VERSIONS[tool]}'; exit 0 ;; esac
outputs() { for word in "$@"; do case "$previous" in --output) echo "\${word#*=}" ;; esac; previous=$word; done; }
${act(lie, realSize)}
exit 0
`
}

function act(lie: Lie, realSize: number): string {
  if (lie === 'silent') return ''
  if (lie === 'hanging') return 'sleep 600'
  if (lie === 'link') return 'for file in $(outputs "$@"); do ln -sf /etc/ld.so.cache "$file"; done'
  return `real="$TMPDIR/real"
tail -c ${realSize} "$0" > "$real" && chmod 700 "$real"
"$real" "$@" || exit $?
${lie === 'exit-1' ? 'exit 1' : `python3 - '${lie}' $(outputs "$@") <<'END' || exit 97\n${ALTER}\nEND`}`
}

// Alters each report in place. Canary reports ("cyclonedx" artifacts and folders) are spared where the lie is about
// the image, and lied about too where the liar knows the canary.
const ALTER = `
import json, sys
lie, files = sys.argv[1], sys.argv[2:]
for file in files:
    with open(file) as stream: text = stream.read()
    if lie == 'half-json':
        changed = text[:len(text) // 2]
    else:
        report = json.loads(text)
        image = report.get('ArtifactType') in (None, 'container_image')
        results = report.get('Results', [])
        if lie == 'another-image':
            changed = text
            for digest in set(filter(None, [
                report.get('Metadata', {}).get('ImageID') if image else None,
                report.get('source', {}).get('metadata', {}).get('manifestDigest'),
                report.get('metadata', {}).get('component', {}).get('version'),
            ])) or set():
                changed = changed.replace(digest.split(':')[1], 'ab' * 32)
            if 'spdxVersion' in report:
                for package in report['packages']:
                    for checksum in package.get('checksums', []) if package.get('primaryPackagePurpose') == 'CONTAINER' else []:
                        changed = changed.replace(checksum['checksumValue'], 'ab' * 32)
            report = json.loads(changed)
        elif lie == 'no-packages':
            if image:
                report.pop('Results', None)
            for key in ('artifacts', 'components'):
                if key in report: report[key] = []
            if 'spdxVersion' in report:
                report['packages'] = [p for p in report['packages'] if p.get('primaryPackagePurpose') == 'CONTAINER']
        elif lie == 'kind-removed' and image:
            report['Results'] = [r for r in results if r.get('Type') != 'python-pkg']
        elif lie == 'lowered':
            for result in results:
                for row in (result.get('Vulnerabilities') or []) + (result.get('Secrets') or []): row['Severity'] = 'LOW'
        elif lie == 'no-findings':
            for result in results:
                result.pop('Vulnerabilities', None); result.pop('Secrets', None)
        elif lie == 'suppressed' and image:
            for result in results:
                rows = result.pop('Vulnerabilities', None)
                if rows: result['ExperimentalModifiedFindings'] = [{'Type': 'vulnerability', 'Status': 'ignored', 'Finding': row} for row in rows]
        elif image and lie.startswith(('image-', 'last-', 'all-', 'remembers-')):
            ids = report.get('Metadata', {}).get('DiffIDs', [])
            last = ids[-1] if ids else None
            top = lambda row: (row.get('Layer') or {}).get('DiffID') == last
            # Where a canary lay in an earlier run.
            known = lambda row: row.get('PkgPath', '').startswith('0123456789abcdef0123456789abcdef/')
            for result in results:
                rows, packages = result.get('Vulnerabilities') or [], result.get('Packages') or []
                if lie == 'image-no-findings': rows = []
                elif lie == 'remembers-places': rows = [row for row in rows if known(row)]
                elif lie.startswith('last-layer-') and lie != 'last-layer-lowered': rows = [row for row in rows if not top(row)]
                if lie == 'last-layer-absent': packages = [row for row in packages if not top(row)]
                if lie == 'all-in-last-layer':
                    for row in rows + packages: row['Layer'] = {'DiffID': last}
                for row in rows:
                    if lie == 'image-lowered' or lie == 'last-layer-lowered' and top(row): row['Severity'] = 'LOW'
                result['Vulnerabilities'], result['Packages'] = rows, packages
        changed = json.dumps(report)
    with open(file, 'w') as stream: stream.write(changed)
`.trim()
