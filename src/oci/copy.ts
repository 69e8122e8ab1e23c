import { copyFile, mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { blobPath } from './blobs.js'
import { placeFile } from './flatten.js'
import type { OpenLayout } from './reader.js'

/** Writes what the image of a layout reaches, and nothing else, as a layout of its own into the new folder `outDir`. */
export async function copyReachable(layout: OpenLayout, outDir: string): Promise<void> {
  await mkdir(join(outDir, 'blobs', 'sha256'), { recursive: true })
  for (const name of ['oci-layout', 'index.json']) await copyFile(join(layout.dir, name), join(outDir, name))
  for (const { digest } of layout.blobs)
    await placeFile(blobPath(layout.dir, digest), blobPath(outDir, digest))
}
