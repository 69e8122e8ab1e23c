import { pinnedReference } from '../evidence/reference.js'
import type { ReleaseRequest } from './request.js'

const PLAIN = /^[A-Za-z0-9@%_+=:,./-]+$/

/** The command that verifies this release on a shell (POSIX quoting); loopback registries need no further flag. */
export function verifyCommand(request: ReleaseRequest, publicKeyFile: string): string {
  const reference = pinnedReference(request.image, request.layout.subject.digest)
  const words = [
    request.cosignCommand ?? 'cosign',
    ...['verify', '--key', publicKeyFile, '--insecure-ignore-tlog', reference],
  ]
  return words.map(quote).join(' ')
}

/** One word for a POSIX shell. */
export function quote(word: string): string {
  return PLAIN.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`
}
