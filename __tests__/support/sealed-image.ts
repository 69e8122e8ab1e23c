import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { policyText, readRecord, runGate, type Bench } from './gate-runs.js'
import { AMD64, ARM64, imageFor, nestedLayout } from './platform-layouts.js'
import { wheel } from './sample-image.js'
import type { PrivateSigstore } from './sigstore.js'
import { mustEndWith, portcullis, shellEnvironment, type Ending } from './terminal.js'

/** A small image for two platforms that passed the gate once, sealed; released as often as one likes. */
export interface SealedImage {
  /** Folder of the policy. */
  readonly project: string
  readonly sealed: string
  readonly digest: string
  /** Index and images. */
  readonly digests: readonly string[]
}

export async function sealImage(bench: Bench): Promise<SealedImage> {
  const project = await bench.folder('project')
  await mkdir(join(project, '.github'))
  await writeFile(join(project, '.github', 'portcullis.yml'), policyText())
  const layout = join(project, 'layout')
  await nestedLayout(layout, [imageFor(AMD64, wheel('idna', '3.7')), imageFor(ARM64, wheel('idna', '3.7'))])
  const publish = ['--publish', 'never']
  const result = await runGate(bench, { dir: project, layout }, { repository: 'sealed', publish })
  mustEndWith(0, result)
  const sealed = join(result.reportDir, 'sealed')
  const subject = (await readRecord(sealed))?.subject
  if (subject === null || subject === undefined) throw new Error('nothing was sealed')
  const digests = [subject.digest, ...subject.platforms.map(one => one.manifest.digest)]
  return { project, sealed, digest: subject.digest, digests }
}

/** How releases of one walk are signed. */
export interface Signer {
  readonly args: readonly string[]
  readonly env: Readonly<Record<string, string>>
}

export const TAGS = ['1.0.0', '1.0', 'latest'] as const

export interface Attempt {
  /** NAME of the image: `HOST/REPOSITORY`. */
  readonly image: string
  readonly home: string
  readonly tmp: string
  readonly output: string
  readonly signer: Signer
  readonly started?: (pid: number) => void
}

/** `portcullis release SEALED` under three tags, in a process group of its own. */
export async function releaseSealed(
  bench: Pick<Bench, 'tools'>,
  image: SealedImage,
  attempt: Attempt,
): Promise<Ending> {
  const { home, tmp, output, signer, started } = attempt
  const args = [
    ...['release', image.sealed, '--image', attempt.image, '--tags', TAGS.join(',')],
    ...['--tools', `dir:${bench.tools}`, '--output', output, ...signer.args],
  ]
  return await portcullis(args, {
    cwd: image.project,
    env: { ...shellEnvironment({ home, tmp }), ...signer.env },
    group: true,
    ...(started === undefined ? {} : { started }),
  })
}

/** Signs with the key of the bench, handed over as a variable: it lies in the private folder while it is used. */
export async function keySigner({ key }: Pick<Bench, 'key'>): Promise<Signer> {
  const env = { SIGNER: await readFile(key.key, 'utf8'), COSIGN_PASSWORD: key.password }
  return { args: ['--sign', 'key', '--key', 'env://SIGNER'], env }
}

/** Signs as a job of a private Sigstore. */
export function keylessSigner({ issuer, withLog }: Pick<PrivateSigstore, 'issuer' | 'withLog'>): Signer {
  const { signingConfig, trustedRoot } = withLog
  const args = ['--sign', 'keyless', '--signing-config', signingConfig, '--trusted-root', trustedRoot]
  return { args, env: issuer.environment }
}
