import { createHash, randomUUID } from 'node:crypto'
import { mkdir, mkdtemp, stat } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describeError, GateError } from '../errors.js'
import type { Digest } from '../evidence/digest.js'
import type { DatabaseFacts, JavaDatabaseFacts } from '../evidence/tooling.js'
import { headDigest } from '../tools/crane.js'
import { readDatabaseSizes, rememberDatabaseSize } from '../tools/database-sizes.js'
import { downloadDatabase, writeTrivyFiles } from '../tools/trivy.js'
import { downloadArchive, isFetchable, unpackDatabase } from './database-archive.js'
import {
  checkDatabaseFile,
  copyHashed,
  DATABASE_FILE,
  databaseError,
  METADATA_FILE,
  readMetadata,
} from './database-file.js'
import {
  DEFAULT_JAVA_DATABASES,
  javaBeside,
  javaPreparer,
  type JavaSource,
  withoutVersion,
} from './java-database.js'
import { type DatabaseServices, programOf } from './scanners.js'

/** A database in a private folder. `dir` is a cache folder in Trivy's layout: `db/trivy.db`, `db/metadata.json`. */
export interface PreparedDatabase {
  readonly dir: string
  readonly facts: DatabaseFacts
  /** Brings the Java database into `dir` too, once; only called where an image has Java archives. */
  readonly java: () => Promise<JavaDatabaseFacts>
}

/** Where the database comes from by default, tried in this order. */
export const DEFAULT_DATABASES = [
  'mirror.gcr.io/aquasec/trivy-db:2',
  'ghcr.io/aquasecurity/trivy-db:2',
] as const

type Source =
  | { readonly kind: 'folder' | 'archive'; readonly path: string }
  | { readonly kind: 'url'; readonly url: URL }
  | { readonly kind: 'oci'; readonly references: readonly string[] }

/** What was found, before it is copied. */
interface Located {
  readonly database: string
  readonly metadata: string
  readonly origin: string
  readonly manifest?: Digest
  readonly java: JavaSource
}

/**
 * Brings the vulnerability database into a private folder and says what it is (SHA-256, size, date, origin).
 * `source`: `auto` (or empty), a folder with `trivy.db` or `db/trivy.db`, a `.tar.gz` file, either with `file:`
 * before it, an OCI reference (with `oci:` before it or not), or the address of a `db.tar.gz` (https, or http on
 * loopback). A folder or archive may hold the Java database too, in `java-db/` beside `db/`. Refuses one that is unreachable, missing, empty, truncated, undated or of another schema, each with its
 * own reason. Its age and its size are judged later (`sizesFile` remembers what each place gave the last time), and
 * what is in it is proved by the canary.
 */
export async function prepareDatabase(
  services: DatabaseServices,
  request: { readonly source?: string; readonly workDir: string; readonly sizesFile?: string },
): Promise<PreparedDatabase> {
  const source = await understand(request.source?.trim() ?? 'auto')
  await mkdir(request.workDir, { recursive: true })
  const work = await mkdtemp(join(request.workDir, 'database-'))
  const located = await locate(services, source, work)
  await checkDatabaseFile(located.database)
  const metadata = await readMetadata(located.metadata)
  const dir = join(work, 'cache')
  await mkdir(join(dir, 'db'), { recursive: true })
  const { sha256, size } = await copyHashed(located.database, join(dir, 'db', DATABASE_FILE))
  await checkDatabaseFile(join(dir, 'db', DATABASE_FILE))
  await copyHashed(located.metadata, join(dir, 'db', METADATA_FILE))
  const { origin, manifest } = located
  const lastSize = await lastSizeOf(services, request.sizesFile, { place: placeOf(source, origin), size })
  const java = javaPreparer(services, located.java, { cacheDir: dir, workDir: work })
  const more = { ...(manifest && { manifest }), ...(lastSize !== undefined && { lastSize }) }
  return { dir, facts: { sha256, size, ...metadata, origin, ...more }, java }
}

/** The place that sizes are remembered by: a repository, an address, or the hash of a path of this machine. */
function placeOf(source: Source, origin: string): string {
  if (source.kind === 'oci') return withoutVersion(origin)
  if (source.kind === 'url') return origin
  return `${source.kind} ${createHash('sha256').update(source.path).digest('hex')}`
}

/** The size that this place gave the last time, in bytes. A size that is less than half of it is not remembered. */
async function lastSizeOf(
  services: DatabaseServices,
  sizesFile: string | undefined,
  seen: { readonly place: string; readonly size: number },
): Promise<number | undefined> {
  if (sizesFile === undefined) return undefined
  const { sizes, note } = await readDatabaseSizes(sizesFile)
  if (note !== undefined) services.log?.(note)
  const last = Object.hasOwn(sizes, seen.place) ? sizes[seen.place] : undefined
  if (last === undefined || seen.size * 2 >= last)
    await rememberDatabaseSize(sizesFile, { ...seen, unique: randomUUID() })
  return last
}

async function understand(source: string): Promise<Source> {
  if (source === '' || source === 'auto') return { kind: 'oci', references: DEFAULT_DATABASES }
  if (source.startsWith('oci:')) return { kind: 'oci', references: [source.slice('oci:'.length)] }
  if (/^https?:/.test(source)) return { kind: 'url', url: fetchableUrl(source) }
  const path = source.startsWith('file://') ? fileURLToPath(source) : resolve(source.replace(/^file:/, ''))
  const found = await stat(path).catch(() => undefined)
  if (found?.isDirectory()) return { kind: 'folder', path }
  if (found?.isFile() && /\.(tar\.gz|tgz)$/.test(path)) return { kind: 'archive', path }
  if (found === undefined && isReference(source)) return { kind: 'oci', references: [source] }
  throw new GateError('config', {
    reason: 'database-not-found',
    message: `"database" names ${JSON.stringify(source)}, which is no folder, .tar.gz file, OCI reference or https address that can be used.`,
  })
}

/** `host[:port]/path` with tag or digest, where the host has a dot or a port or is localhost. */
function isReference(source: string): boolean {
  return /^([a-z0-9-]+(\.[a-z0-9-]+)+(:\d+)?|localhost(:\d+)?|[a-z0-9-]+:\d+)\/[a-z0-9._/-]+(:[\w.-]+)?(@sha256:[0-9a-f]{64})?$/i.test(
    source,
  )
}

function fetchableUrl(source: string): URL {
  const url = URL.canParse(source) ? new URL(source) : undefined
  if (url !== undefined && isFetchable(url) && url.username === '' && url.password === '') return url
  throw new GateError('config', {
    reason: 'database-not-found',
    message: '"database" must be an https address without a login (plain http only on this machine).',
  })
}

async function locate(services: DatabaseServices, source: Source, work: string): Promise<Located> {
  switch (source.kind) {
    case 'folder':
      return await inFolder(source.path, 'folder')
    case 'archive':
      return await inArchive(source.path, work, 'archive')
    case 'url': {
      const archive = join(work, 'db.tar.gz')
      await downloadArchive(source.url, archive, services.signal)
      return await inArchive(archive, work, `${source.url.origin}${source.url.pathname}`)
    }
    case 'oci':
      return await fromRegistries(services, source.references, work)
  }
}

async function inFolder(path: string, origin: string): Promise<Located> {
  for (const dir of [join(path, 'db'), path]) {
    const found = await stat(join(dir, DATABASE_FILE)).catch(() => undefined)
    if (found !== undefined) {
      const java = { kind: 'folder', dir: join(path, 'java-db'), origin } as const
      return { database: join(dir, DATABASE_FILE), metadata: join(dir, METADATA_FILE), origin, java }
    }
  }
  throw databaseError('database-missing', `folder holds neither ${DATABASE_FILE} nor db/${DATABASE_FILE}`)
}

async function inArchive(archive: string, work: string, origin: string): Promise<Located> {
  const dir = join(work, 'unpacked')
  await unpackDatabase(archive, dir)
  return await inFolder(dir, origin)
}

/** Our own loop: the scanner's falls through on a few answers only, and not when a host is unreachable. */
async function fromRegistries(
  services: DatabaseServices,
  references: readonly string[],
  work: string,
): Promise<Located> {
  const failures: string[] = []
  for (const [at, reference] of references.entries()) {
    try {
      return await fromRegistry(services, reference, join(work, `registry-${at}`))
    } catch (thrown) {
      if (!(thrown instanceof GateError) || thrown.reason === 'cancelled') throw thrown
      failures.push(`${reference}: ${describeError(thrown)}`)
    }
  }
  throw new GateError('service', {
    reason: 'database-unreachable',
    message: `The vulnerability database could not be fetched (${failures.join('; ')}). Neither clean nor vulnerable; run again, or name another database.`,
  })
}

async function fromRegistry(services: DatabaseServices, reference: string, work: string): Promise<Located> {
  const { commands, tools } = services
  const crane = tools.crane?.program
  const manifest = crane && (await headDigest({ commands, program: crane }, reference))
  const wanted = manifest === undefined ? reference : `${withoutVersion(reference)}@${manifest}`
  await mkdir(work, { recursive: true })
  const files = await writeTrivyFiles(join(work, 'config'))
  const trivy = { commands, program: programOf(tools, 'trivy'), files }
  await downloadDatabase(trivy, wanted, join(work, 'cache'))
  const isDefault = DEFAULT_DATABASES.some(one => one === reference)
  const references = isDefault ? DEFAULT_JAVA_DATABASES : javaBeside(reference)
  const java = { kind: 'oci', references } as const
  return { ...(await inFolder(join(work, 'cache'), wanted)), ...(manifest && { manifest }), java }
}
