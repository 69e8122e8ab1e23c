import type { SeenBundle, VerifyAnswer } from '../evidence/verification.js'
import { visible } from './markdown.js'

/** What `portcullis verify` found, for people. */
export interface VerificationReport {
  /** `NAME@sha256:…`. */
  readonly reference: string
  readonly children: readonly { readonly digest: string; readonly platform: string }[]
  readonly signer: string
  readonly bundles: readonly SeenBundle[]
  readonly answer: VerifyAnswer
}

/** The answer first, then what was believed, then what was not; every foreign text is made inert. */
export function renderVerification(report: VerificationReport): string {
  const { answer, reference, bundles, children } = report
  const believed = bundles.filter(one => one.statement !== null)
  const platforms = children.map(child => child.platform).filter(platform => platform !== '')
  const head = answer.problems.length === 0 ? `verified: ${reference}` : `NOT verified: ${reference}`
  const lines = [
    head,
    ...answer.problems.map(problem => `  ${problem.reason}: ${problem.message}`),
    `  signer: ${report.signer}`,
    ...(platforms.length === 0 ? [] : [`  platforms: ${platforms.join(', ')}`]),
    `  ${believed.length} of ${bundles.length} attached statements verified, each by two programs`,
    ...answer.notes.map(note => `  note: ${note}`),
  ]
  return `${lines.map(line => visible(line)).join('\n')}\n`
}

/** The same as one JSON document. */
export function verificationDocument(report: VerificationReport): string {
  const { reference, children, signer, answer, bundles } = report
  const statements = bundles.map(({ attachedTo, referrer, predicateType, refusal }) => ({
    ...{ attachedTo, referrer, predicateType },
    verified: refusal === null,
    ...(refusal === null ? {} : refusal),
  }))
  const { problems, notes } = answer
  const document = {
    verified: problems.length === 0,
    reference,
    signer,
    children,
    problems,
    notes,
    statements,
  }
  return `${JSON.stringify(document, null, 2)}\n`
}
