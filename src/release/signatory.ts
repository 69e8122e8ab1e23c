import { createHash } from 'node:crypto'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { SignerIdentity } from '../evidence/identity.js'
import type { ReportFile } from '../record/record.js'
import { signStatement, writeOfflineConfiguration, type Cosign } from '../tools/cosign.js'
import type { SignerCheck } from '../tools/cosign-verify.js'
import { writeWhole } from '../tools/report-folder.js'
import { openKey } from './key.js'
import type { ReleaseServices, Signing } from './request.js'
import type { Trust } from './trust.js'

/** Whoever signs a release: how it signs, and how what it signed is verified by two programs. */
export interface Signatory {
  /** Signs one statement on disk into a bundle on disk. Absolute paths. */
  readonly sign: (files: { readonly statement: string; readonly bundle: string }) => Promise<void>
  readonly check: SignerCheck
  readonly trust: Trust
  /** The signer as evidence names it: never empty. */
  readonly name: string
  /** SHA-256 of the public key in DER form, hex; null for an identity. */
  readonly fingerprint: string | null
  readonly identity: SignerIdentity | null
  /** What a reader verifies with, beside the record. */
  readonly files: readonly ReportFile[]
  /** The check that a reader does: as `check`, with files that stay. */
  readonly readerCheck: SignerCheck
  /** Removes everything that was written for signing alone. */
  readonly close: () => Promise<void>
}

/** Folders of one release. Absolute. */
export interface SignatoryFolders {
  readonly workDir: string
  readonly reportDir: string
}

/** Signs with a key: speaks to no service. Refuses an unusable key before anything is pushed. */
export async function openKeySignatory(
  services: ReleaseServices,
  signing: Extract<Signing, { readonly kind: 'key' }>,
  folders: SignatoryFolders & { readonly privateDir: string },
): Promise<Signatory> {
  const cosign: Cosign = { commands: services.commands, program: services.cosign }
  const { key, publicKey, fingerprint, close } = await openKey(services, signing, folders.workDir)
  try {
    const configuration = await writeOfflineConfiguration(folders.privateDir)
    const file = await writeBeside(folders.reportDir, {
      path: 'cosign.pub',
      kind: 'public-key',
      text: publicKey,
    })
    const check = { kind: 'key', publicKeyFile: join(folders.reportDir, file.path) } as const
    return {
      sign: files => signStatement(cosign, key, { ...files, ...configuration }),
      check,
      trust: { kind: 'key', publicKey },
      name: `sha256:${fingerprint}`,
      fingerprint,
      identity: null,
      files: [file],
      readerCheck: check,
      close,
    }
  } catch (thrown) {
    await close()
    throw thrown
  }
}

/** Writes a file that a reader needs into the report folder. */
export async function writeBeside(
  reportDir: string,
  file: { readonly path: string; readonly kind: string; readonly text: string },
): Promise<ReportFile> {
  await mkdir(reportDir, { recursive: true })
  const bytes = Buffer.from(file.text, 'utf8')
  await writeWhole(join(reportDir, file.path), bytes)
  const sha256 = createHash('sha256').update(bytes).digest('hex')
  return { path: file.path, kind: file.kind, sha256, size: bytes.byteLength }
}
