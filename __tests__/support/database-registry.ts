import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Digest } from '../../src/evidence/digest.js'
import { MEDIA, writeBlob, writeIndex } from './layouts.js'
import { run, toolPath } from './tools.js'

/** Packs `DIR/db` as the database's own distribution does: both files at the top of a `.tar.gz`. */
export async function packDatabase(dir: string, archive: string): Promise<string> {
  await run('/bin/tar', ['-C', join(dir, 'db'), '-czf', archive, 'trivy.db', 'metadata.json'])
  return archive
}

/** Packs the Java database of `DIR/java-db` as its own distribution does. */
export async function packJavaDatabase(folder: string, archive: string): Promise<string> {
  await run('/bin/tar', ['-C', folder, '-czf', archive, 'trivy-java.db', 'metadata.json'])
  return archive
}

const KINDS = {
  db: { title: 'db.tar.gz', layer: 'application/vnd.aquasec.trivy.db.layer.v1.tar+gzip' },
  'java-db': { title: 'javadb.tar.gz', layer: 'application/vnd.aquasec.trivy.javadb.layer.v1.tar+gzip' },
} as const

/**
 * Pushes a packed database as an OCI artifact in the form that Trivy reads (one layer of its own media type, with a
 * title); returns the digest of its manifest.
 */
export async function pushDatabase(
  archive: string,
  layoutDir: string,
  reference: string,
  kind: keyof typeof KINDS = 'db',
): Promise<Digest> {
  const config = await writeBlob(layoutDir, 'application/vnd.aquasec.trivy.config.v1+json', '{}')
  const layer = await writeBlob(layoutDir, KINDS[kind].layer, await readFile(archive))
  const titled = { ...layer, annotations: { 'org.opencontainers.image.title': KINDS[kind].title } }
  const manifest = await writeBlob(
    layoutDir,
    MEDIA.manifest,
    JSON.stringify({ schemaVersion: 2, mediaType: MEDIA.manifest, config, layers: [titled] }),
  )
  await writeIndex(layoutDir, [manifest])
  await run(toolPath('crane'), ['push', layoutDir, reference])
  return manifest.digest
}
