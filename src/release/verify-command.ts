import { join, relative } from 'node:path'
import { digestHex } from '../evidence/digest.js'
import { pinnedReference } from '../evidence/reference.js'
import { PREDICATE } from '../evidence/statement.js'
import type { ReleaseRecord } from '../record/record.js'
import { signerArguments, type SignerCheck } from '../tools/cosign-verify.js'
import type { ReleaseRequest } from './request.js'

const PLAIN = /^[A-Za-z0-9@%_+=:,./-]+$/

/** The command that verifies this release on a shell (POSIX quoting); loopback registries need no further flag. */
export function verifyCommand(request: ReleaseRequest, signer: SignerCheck): string {
  const reference = pinnedReference(request.image, request.layout.subject.digest)
  const words = [
    request.cosignCommand ?? 'cosign',
    ...['verify', ...signerArguments(seenFromHere(signer)), reference],
  ]
  return words.map(quote).join(' ')
}

function seenFromHere(signer: SignerCheck): SignerCheck {
  if (signer.kind === 'key') return { ...signer, publicKeyFile: fromHere(signer.publicKeyFile) }
  const { trustedRootFile } = signer
  return { ...signer, trustedRootFile: trustedRootFile === null ? null : fromHere(trustedRootFile) }
}

/** A path below the working folder as seen from there, so that the command is right in every checkout. */
function fromHere(path: string): string {
  const seen = relative(process.cwd(), path)
  return seen === '' || seen.startsWith('..') ? path : seen
}

/** One word for a POSIX shell. */
export function quote(word: string): string {
  return PLAIN.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`
}

/**
 * The command that verifies the signature bundle of a release without any registry: for registries that are gone
 * when the run ends. `dir` is the report folder; undefined when the release carries no signature by a key.
 */
export function bundleVerifyCommand(
  record: ReleaseRecord,
  paths: { readonly cosign: string; readonly dir: string },
): string | undefined {
  const bundle = record.bundles.find(item => item.predicateType === PREDICATE.signature)
  if (bundle === undefined || record.digest === undefined || record.signer === undefined) return undefined
  const words = [
    ...[paths.cosign, 'verify-blob-attestation', '--insecure-ignore-tlog'],
    ...['--key', fromHere(join(paths.dir, 'cosign.pub')), '--type', PREDICATE.signature],
    ...[
      '--bundle',
      fromHere(join(paths.dir, bundle.file)),
      '--digestAlg',
      'sha256',
      '--digest',
      digestHex(record.digest),
    ],
  ]
  return words.map(quote).join(' ')
}
