import { GateError } from '../errors.js'
import type { ToolName } from '../evidence/tooling.js'

/** Versions that were published with malicious code; CVE-2026-33634, GHSA-69fq-xp46-6x23. */
const VERSIONS: Readonly<Partial<Record<ToolName, readonly string[]>>> = {
  trivy: ['0.69.4', '0.69.5', '0.69.6'],
}

/** Programs known to be malicious, by SHA-256. */
const PROGRAMS: Readonly<Record<string, string>> = {
  '822dd269ec10459572dfaaefe163dae693c344249a0161953f0d5cdd110bd2a0':
    'Trivy 0.69.4 for Linux (CVE-2026-33634)',
}

/** Refuses a program by version or hash, whatever source it came from and whether or not anyone asked for it. */
export function refuseDenied(found: {
  readonly name: ToolName
  readonly version?: string
  readonly sha256?: string
}): void {
  const known = found.sha256 === undefined ? undefined : PROGRAMS[found.sha256.toLowerCase()]
  const version = found.version?.replace(/^v/u, '')
  const bad = version !== undefined && VERSIONS[found.name]?.includes(version) === true
  if (known === undefined && !bad) return
  throw new GateError('integrity', {
    reason: 'tool-denied',
    message: `${found.name} ${version ?? ''} is refused: ${known ?? 'this version was published with malicious code (CVE-2026-33634)'}. Use the pinned version (tools: release).`,
  })
}
