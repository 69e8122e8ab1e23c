import { createHash } from 'node:crypto'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { storedZip } from '../../src/evidence/stored-zip.js'
import { machinePath, run } from './tools.js'

/** One Java archive as Maven Central knows it. */
export interface KnownJar {
  readonly group: string
  readonly artifact: string
  readonly version: string
  /** Of the archive's bytes, hex. */
  readonly sha1: string
}

/** The artifact that the canary of Java archives is named after; its hash is of no file. */
export const LOG4J: KnownJar = {
  group: 'org.apache.logging.log4j',
  artifact: 'log4j-core',
  version: '2.14.1',
  sha1: '00'.repeat(20),
}

/** An archive with one class and a manifest without names, which nothing but its hash tells apart. */
export function bareJar(content: string): { readonly bytes: Buffer; readonly sha1: string } {
  const manifest = { path: 'META-INF/MANIFEST.MF', content: 'Manifest-Version: 1.0\r\n\r\n' }
  const bytes = storedZip([manifest, { path: 'example/Main.class', content }])
  return { bytes, sha1: createHash('sha1').update(bytes).digest('hex') }
}

// The schema of trivy-java-db, version 1.
const MAKE = `
import json, sqlite3, sys
rows = json.load(open(sys.argv[1]))
base = sqlite3.connect(sys.argv[2])
base.executescript('''
  CREATE TABLE artifacts(id INTEGER PRIMARY KEY, group_id TEXT, artifact_id TEXT);
  CREATE TABLE indices(artifact_id INTEGER, version TEXT, sha1 BLOB, archive_type TEXT,
    foreign key (artifact_id) references artifacts(id));
  CREATE UNIQUE INDEX artifacts_idx ON artifacts(artifact_id, group_id);
  CREATE INDEX indices_artifact_idx ON indices(artifact_id);
  CREATE UNIQUE INDEX indices_sha1_idx ON indices(sha1);
''')
for row in rows:
    base.execute('INSERT OR IGNORE INTO artifacts(group_id, artifact_id) VALUES (?, ?)', (row['group'], row['artifact']))
    base.execute('''INSERT INTO indices VALUES (
      (SELECT id FROM artifacts WHERE group_id = ? AND artifact_id = ?), ?, ?, 'jar')''',
      (row['group'], row['artifact'], row['version'], bytes.fromhex(row['sha1'])))
base.commit()
`

/** Makes `DIR/java-db` with these archives, in the form of trivy-java-db; returns that folder. */
export async function makeJavaDatabase(
  dir: string,
  jars: readonly KnownJar[],
  updated: Date = new Date(),
): Promise<string> {
  const folder = join(dir, 'java-db')
  await mkdir(folder, { recursive: true })
  const rows = join(dir, 'java-rows.json')
  await writeFile(rows, JSON.stringify(jars))
  await run(machinePath('python3'), ['-I', '-c', MAKE, rows, join(folder, 'trivy-java.db')])
  const stamp = `${updated.toISOString().slice(0, 19)}Z`
  const metadata = { Version: 1, UpdatedAt: stamp, NextUpdate: '2099-01-01T00:00:00Z', DownloadedAt: stamp }
  await writeFile(join(folder, 'metadata.json'), JSON.stringify(metadata))
  return folder
}
