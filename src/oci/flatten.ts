import { constants, copyFile, link, mkdir, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { GateError } from '../errors.js'
import type { Descriptor, PlatformImage } from '../evidence/subject.js'
import { blobPath } from './blobs.js'

const COPY_INSTEAD: ReadonlySet<string> = new Set(['EXDEV', 'EPERM', 'EMLINK', 'ENOTSUP', 'EOPNOTSUPP'])

/**
 * Writes a layout that holds one platform's image alone, because scanners pick the wrong child of a nested index.
 * Blobs are hard links (copies on another file system). Refuses an `outDir` that holds anything already.
 */
export async function flattenPlatform(
  layout: { readonly dir: string },
  image: PlatformImage,
  outDir: string,
): Promise<void> {
  await mkdir(join(outDir, 'blobs', 'sha256'), { recursive: true })
  const present = await readdir(outDir)
  if (present.length !== 1) {
    throw new GateError('tool', {
      reason: 'flatten-not-empty',
      message: `${outDir} is not empty; each platform needs a folder of its own`,
    })
  }
  const config: Descriptor = { mediaType: '', digest: image.configDigest, size: image.configSize }
  const digests = new Set([image.manifest, config, ...image.layers].map(blob => blob.digest))
  for (const digest of digests) await placeFile(blobPath(layout.dir, digest), blobPath(outDir, digest))
  await writeLayoutFiles(outDir, image.manifest, image.platform)
}

/** Writes `oci-layout` and an `index.json` with this one manifest (`platform` as `os/arch[/variant]`). */
export async function writeLayoutFiles(dir: string, manifest: Descriptor, platform: string): Promise<void> {
  const [os = '', architecture = '', variant] = platform.split('/')
  const { mediaType, digest, size } = manifest
  const entry = {
    mediaType,
    digest,
    size,
    platform: { architecture, os, ...(variant === undefined ? {} : { variant }) },
  }
  await writeFile(
    join(dir, 'index.json'),
    JSON.stringify({
      schemaVersion: 2,
      mediaType: 'application/vnd.oci.image.index.v1+json',
      manifests: [entry],
    }),
  )
  await writeFile(join(dir, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}')
}

/** The same file under a second name: a hard link, or a copy where there can be none. */
export async function placeFile(from: string, to: string): Promise<void> {
  try {
    await link(from, to)
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && COPY_INSTEAD.has(String(error.code)))) throw error
    await copyFile(from, to, constants.COPYFILE_FICLONE)
  }
}
