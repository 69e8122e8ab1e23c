import { z } from 'zod'
import { GateError } from '../errors.js'

/** Media type of the Sigstore bundles this project writes and reads. */
export const BUNDLE_MEDIA_TYPE = 'application/vnd.dev.sigstore.bundle.v0.3+json'
/** DSSE payload type of in-toto statements. */
export const IN_TOTO_PAYLOAD_TYPE = 'application/vnd.in-toto+json'
/** Largest bundle that is read, bytes. */
export const MAX_BUNDLE_BYTES = 128 * 1024 * 1024

/** What a bundle carries, before anything of it is proved: the signature is checked elsewhere. */
export interface BundleContent {
  readonly payload: string
  readonly payloadType: string
  readonly keyHint: string | null
}

const base64 = z.string().regex(/^[A-Za-z0-9+/]*={0,2}$/)

const bundleSchema = z.object({
  mediaType: z.literal(BUNDLE_MEDIA_TYPE),
  verificationMaterial: z.object({ publicKey: z.object({ hint: z.string().max(1024) }).optional() }),
  dsseEnvelope: z.object({
    payload: base64,
    payloadType: z.string().max(256),
    signatures: z.array(z.object({ sig: base64.min(1) })).length(1),
  }),
})

/**
 * Reads a Sigstore bundle (v0.3) that holds one DSSE envelope with one signature
 * (https://docs.sigstore.dev/about/bundle/). Refuses everything else with GateError `integrity`. Proves nothing
 * about the signature.
 */
export function parseBundle(text: string): BundleContent {
  if (text.length > MAX_BUNDLE_BYTES) throw malformed('it is larger than 128 MiB')
  const parsed = bundleSchema.safeParse(parseJson(text))
  if (!parsed.success) throw malformed(firstIssue(parsed.error))
  const { dsseEnvelope, verificationMaterial } = parsed.data
  return {
    payload: decodeUtf8(dsseEnvelope.payload),
    payloadType: dsseEnvelope.payloadType,
    keyHint: verificationMaterial.publicKey?.hint ?? null,
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw malformed('it is not JSON')
  }
}

function decodeUtf8(encoded: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(Buffer.from(encoded, 'base64'))
  } catch {
    throw malformed('its payload is not UTF-8')
  }
}

function firstIssue(error: z.ZodError): string {
  const issue = error.issues[0]
  return issue === undefined ? 'unknown shape' : `${issue.path.join('.')}: ${issue.message}`
}

function malformed(why: string): GateError {
  const message = `a Sigstore bundle cannot be read: ${why}; nothing it says is believed`
  return new GateError('integrity', { reason: 'bundle-malformed', message })
}
