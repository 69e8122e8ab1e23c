import { createHash } from 'node:crypto'
import { readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { GateError } from '../errors.js'
import type { Digest } from '../evidence/digest.js'
import type { PlatformEvidence } from '../evidence/evidence.js'
import { provenanceStatement } from '../evidence/provenance.js'
import type { SbomDocument } from '../evidence/sbom.js'
import {
  cyclonedxStatement,
  encodeStatement,
  signatureStatement,
  spdxStatement,
  subjectDigests,
  subjectDigestsOf,
  summaryStatement,
  vulnerabilityStatement,
  type ChildSubject,
  type Statement,
} from '../evidence/statement.js'
import type { PlatformImage } from '../evidence/subject.js'
import type { ReleaseRequest } from './request.js'

/** One statement to sign and to attach to each of its subjects. */
export interface PlannedStatement {
  /** Name of its files: `signature`, `linux-amd64.spdx`. */
  readonly slug: string
  readonly predicateType: string
  readonly subjects: readonly Digest[]
  /** The exact bytes that are signed. */
  readonly payload: string
}

const MAX_SBOM_BYTES = 96 * 1024 * 1024

/**
 * Every statement but the summary: one signature, and the provenance of what was built here, over index and children;
 * for each child the SBOMs and the vulnerability report that the evidence holds, each with that child as its only
 * subject. The same evidence and verdict give the same bytes, so that a release that broke can be gone on with. A
 * document on disk that is not the one of the evidence is GateError `integrity`.
 */
export async function planStatements(request: ReleaseRequest): Promise<readonly PlannedStatement[]> {
  const { subject } = request.layout
  const named = { ...subject, name: request.image.name }
  const planned = [plan('signature', signatureStatement(named, isRehearsal(request)))]
  if (request.provenance !== undefined) {
    const facts = { ...request.provenance, image: named, rehearsal: isRehearsal(request) }
    planned.push(plan('provenance', provenanceStatement(facts)))
  }
  for (const child of subject.platforms) {
    const evidence = request.evidence.platforms.find(one => one.platform === child.platform)
    if (evidence === undefined) continue
    planned.push(...(await planSboms(request, child, evidence)))
    planned.push(...planVulnerabilities(request, child, evidence))
  }
  return planned
}

/** The verification summary over the bundles made so far. */
export function planSummary(
  request: ReleaseRequest,
  inputs: readonly { readonly predicateType: string; readonly bundleSha256: string }[],
): PlannedStatement {
  const { policy, verdict, image, version } = request
  const statement = summaryStatement({
    image: { ...request.layout.subject, name: image.name },
    version,
    repository: image.name,
    policy: { uri: policy.origin, sha256: policy.digest },
    inputs,
    passed: verdict.outcome === 'pass',
    timeVerified: verdict.decidedAt,
    rehearsal: isRehearsal(request),
  })
  return plan('summary', statement)
}

/** All digests that must carry the signature. */
export function signedDigests(request: ReleaseRequest): readonly Digest[] {
  return subjectDigestsOf(request.layout.subject)
}

async function planSboms(
  request: ReleaseRequest,
  child: PlatformImage,
  evidence: PlatformEvidence,
): Promise<readonly PlannedStatement[]> {
  if (evidence.sboms.state !== 'present') return []
  const subject = childSubject(request, child)
  const planned: PlannedStatement[] = []
  for (const document of evidence.sboms.value.documents) {
    if (document.format === 'syft') continue
    const content = await readDocument(request.reportDir, document)
    const spdx = document.format === 'spdx-2.3'
    const statement = spdx ? spdxStatement(subject, content) : cyclonedxStatement(subject, content)
    planned.push(plan(`${platformSlug(child)}.${spdx ? 'spdx' : 'cyclonedx'}`, statement))
  }
  return planned
}

function planVulnerabilities(
  request: ReleaseRequest,
  child: PlatformImage,
  evidence: PlatformEvidence,
): readonly PlannedStatement[] {
  const { tools, database } = request.evidence
  const scanner = tools.state === 'present' ? tools.value.find(tool => tool.name === 'trivy') : undefined
  if (evidence.vulnerabilities.state !== 'present' || database.state !== 'present') return []
  if (scanner === undefined) return []
  const statement = vulnerabilityStatement(childSubject(request, child), {
    scan: evidence.vulnerabilities.value,
    scanner: { name: scanner.name, version: scanner.version },
    database: database.value,
    scannedAt: request.verdict.decidedAt,
  })
  return [plan(`${platformSlug(child)}.vulnerabilities`, statement)]
}

async function readDocument(reportDir: string, document: SbomDocument): Promise<unknown> {
  const path = join(reportDir, document.file)
  const found = await stat(path).catch(() => null)
  if (found === null || found.size > MAX_SBOM_BYTES) {
    const why = found === null ? 'is gone' : 'is larger than 96 MiB'
    throw new GateError('evidence', {
      reason: found === null ? 'sbom-missing' : 'sbom-too-large',
      message: `${document.file} ${why}: it cannot be attested and nothing is tagged`,
    })
  }
  const bytes = await readFile(path)
  if (createHash('sha256').update(bytes).digest('hex') !== document.sha256) {
    const message = `${document.file} changed after it was judged; nothing is tagged. Run again`
    throw new GateError('integrity', { reason: 'sbom-changed', message })
  }
  return parseDocument(bytes, document.file)
}

function parseDocument(bytes: Buffer, file: string): unknown {
  try {
    return JSON.parse(bytes.toString('utf8'))
  } catch {
    throw new GateError('evidence', {
      reason: 'sbom-malformed',
      message: `${file} is not JSON; nothing is tagged`,
    })
  }
}

function plan(slug: string, statement: Statement): PlannedStatement {
  return {
    slug,
    predicateType: statement.predicateType,
    subjects: subjectDigests(statement),
    payload: encodeStatement(statement),
  }
}

function childSubject(request: ReleaseRequest, child: PlatformImage): ChildSubject {
  return { name: request.image.name, digest: child.manifest.digest }
}

function platformSlug(child: PlatformImage): string {
  return child.platform.replace(/[^a-z0-9]+/g, '-')
}

function isRehearsal(request: ReleaseRequest): boolean {
  return request.signing.kind !== 'none' && request.signing.rehearsal
}
