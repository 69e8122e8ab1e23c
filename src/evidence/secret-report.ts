import type { ConfigPart } from './config-parts.js'
import type { DiffId } from './digest.js'
import type { SecretFinding } from './scan.js'
import { type ReportSource, refusal } from './tool-json.js'
import { readImageReport, type ReportedImage, severityOf } from './trivy-report.js'
import type { TrivySecret } from './trivy-shapes.js'

/** Where a secret is that stands in the image configuration (environment, history, labels) instead of a file. */
export const IMAGE_CONFIGURATION = 'image configuration'
/** What a planted canary must be reported as. */
const CANARY = { rule: 'github-pat', severity: 'critical' } as const

/** A file of the subject, or a piece of one, that was handed to the scanner under a neutral name. */
export interface SearchedFile {
  readonly kind: 'file'
  readonly path: string
  readonly layer: DiffId
  readonly owner?: string
  /** The scanner sees the printable text of a binary file only; lines mean nothing there. */
  readonly binary: boolean
  /** Lines and bytes of the file before this piece. */
  readonly lines: number
  readonly bytes: number
}

/** What a neutral name in the searched layout stands for. */
export type Searched =
  SearchedFile | { readonly kind: 'part'; readonly part: ConfigPart } | { readonly kind: 'canary' }

/** What the report of one secret scan says. */
export interface SecretReport {
  readonly findings: readonly SecretFinding[]
  /** The secrets found in the image configuration themselves, so that no report repeats them. Never stored. */
  readonly exposed: readonly string[]
}

const SECRETS: ReportSource = { name: 'trivy-secrets', what: 'secret report of Trivy' }

/**
 * Reads Trivy's report (`--scanners secret`) on a layout of files under neutral names. `image` is that layout's;
 * `index` says what each name stands for in the subject. Beside the refusals of every image report, refuses one that
 * names anything else than the searched files, and one that did not find every planted canary
 * as severe as it is (`secret-canary-not-found`). Matched text is never part of a finding.
 */
export function parseSecretReport(
  text: string,
  image: ReportedImage,
  index: ReadonlyMap<string, Searched>,
): SecretReport {
  const report = readImageReport(text, image, SECRETS)
  const rows = report.Results.flatMap(result =>
    result.Secrets.map(secret => ({ target: result.Target, secret })),
  )
  const canaries = new Set<string>()
  const findings = new Map<string, SecretFinding>()
  const parts: { readonly part: ConfigPart; readonly secret: TrivySecret }[] = []
  for (const { target, secret } of rows) {
    const name = target.replace(/^\/+/, '')
    const searched = index.get(name)
    if (searched === undefined)
      throw refusal(SECRETS, 'output-unexpected', 'names a file that was not given to it')
    if (searched.kind === 'file') addFile(findings, searched, { secret, platform: image.platform })
    else if (searched.kind === 'part') parts.push({ part: searched.part, secret })
    else if (isCanary(secret)) canaries.add(name)
  }
  checkCanaries(index, canaries)
  const hidden = new Map(
    parts.flatMap(({ part }) => (part.named ? [[part.named.part, part.named.instead]] : [])),
  )
  for (const { part, secret } of parts) {
    const where = `${IMAGE_CONFIGURATION}: ${hidden.get(part.name) ?? part.name}`
    findings.set(`${secret.RuleID} ${where}`, finding(secret, where, image.platform))
  }
  return { findings: [...findings.values()], exposed: [...new Set(parts.flatMap(exposedBy))] }
}

function addFile(
  findings: Map<string, SecretFinding>,
  file: SearchedFile,
  given: { readonly secret: TrivySecret; readonly platform: string },
): void {
  const { secret, platform } = given
  const { path, layer, owner, binary } = file
  // Pieces of one file overlap, so that one secret may be reported twice.
  const place = binary ? '' : String(file.bytes + (secret.Offset ?? 0))
  const line = secret.StartLine === undefined || binary ? undefined : secret.StartLine + file.lines
  findings.set(`${secret.RuleID} ${layer} ${place} ${path}`, {
    ...finding(secret, path, platform),
    ...(line !== undefined && { line }),
    layer,
    ...(owner !== undefined && { owner }),
  })
}

function finding(secret: TrivySecret, path: string, platform: string): SecretFinding {
  const { RuleID: rule, Category: category = '', Title: title = rule } = secret
  return { rule, category, title, severity: severityOf(secret.Severity), path, platform }
}

function isCanary({ RuleID, Severity }: TrivySecret): boolean {
  return RuleID === CANARY.rule && severityOf(Severity) === CANARY.severity
}

function checkCanaries(index: ReadonlyMap<string, Searched>, found: ReadonlySet<string>): void {
  const planted = [...index].filter(([, searched]) => searched.kind === 'canary')
  const lost = planted.filter(([name]) => !found.has(name)).length
  if (planted.length > 0 && lost === 0) return
  const problem = `did not find ${lost} of ${planted.length} secrets that were planted beside the files of the image`
  throw refusal({ ...SECRETS, name: 'secret' }, 'canary-not-found', problem)
}

/**
 * The secret itself, cut out of the text that was searched: the report has it as asterisks at a known place. Of one
 * that spans lines, each line. The whole text where the place cannot be told.
 */
function exposedBy(found: { readonly part: ConfigPart; readonly secret: TrivySecret }): readonly string[] {
  const { part, secret } = found
  const stars = secret.Match?.match(/\*{4,}/g)?.sort((a, b) => b.length - a.length)[0]
  const start = secret.Offset ?? 0
  const bytes = Buffer.from(part.text)
  if (stars === undefined) return cut(part.text)
  if (secret.EndLine === secret.StartLine) return cut(bytes.subarray(start, start + stars.length).toString())
  return cut(
    bytes
      .subarray(start)
      .toString()
      .split('\n', (secret.EndLine ?? 0) - (secret.StartLine ?? 0) + 1)
      .join('\n'),
  )
}

function cut(text: string): readonly string[] {
  return text.split(/[\r\n]+/).filter(line => line.trim().length >= 8)
}
