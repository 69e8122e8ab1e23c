import { canonicalJson, sha256Hex } from '../evidence/canonical.js'
import type { Evidence } from '../evidence/evidence.js'
import { EVIDENCE_SCHEMA, evidenceSchema } from './evidence-schema.js'
import { invalidDocument, jsonOf, problemsOf } from './parse.js'

/** Longest evidence document that is read, in UTF-16 code units. */
const MAX_EVIDENCE = 256 * 1024 * 1024

/**
 * The evidence as one document, `portcullis/evidence/v1`, in canonical JSON: equal evidence gives equal text.
 * `sha256` is over the text in UTF-8, which is written as it is, without a newline at its end.
 */
export function evidenceDocument(evidence: Evidence): { readonly text: string; readonly sha256: string } {
  const text = canonicalJson({ schema: EVIDENCE_SCHEMA, evidence })
  return { text, sha256: sha256Hex(text) }
}

/**
 * Reads an evidence document back; what is read is hostile input. Refuses what is not exactly of this schema, as
 * GateError config `evidence-invalid` with every problem. Whoever judges it again compares its SHA-256 first.
 */
export function parseEvidence(text: string): Evidence {
  const parsed = evidenceSchema.safeParse(jsonOf(text, { what: 'evidence document', most: MAX_EVIDENCE }))
  if (parsed.success) return parsed.data.evidence
  throw invalidDocument('evidence document', parsed.error.issues.flatMap(problemsOf))
}
