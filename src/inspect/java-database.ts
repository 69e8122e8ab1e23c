import { mkdir, rename, rm, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { describeError, GateError } from '../errors.js'
import type { Digest } from '../evidence/digest.js'
import type { JavaDatabaseFacts } from '../evidence/tooling.js'
import { headDigest } from '../tools/crane.js'
import { downloadJavaDatabase, writeTrivyFiles } from '../tools/trivy.js'
import { copyHashed, METADATA_FILE, readMetadata } from './database-file.js'
import { checkJavaDatabaseFile, JAVA_DATABASE_FILE, javaError } from './java-database-file.js'
import { type DatabaseServices, programOf } from './scanners.js'

/** Where the Java database comes from: beside the vulnerability database that was given, or from a registry. */
export type JavaSource =
  | { readonly kind: 'folder'; readonly dir: string; readonly origin: string }
  | { readonly kind: 'oci'; readonly references: readonly string[] }

/** Where the Java database comes from by default, tried in this order. */
export const DEFAULT_JAVA_DATABASES = [
  'mirror.gcr.io/aquasec/trivy-java-db:1',
  'ghcr.io/aquasecurity/trivy-java-db:1',
] as const

/** The Java database that stands beside a vulnerability database in its registry (`…/trivy-db` -> `…/trivy-java-db:1`). */
export function javaBeside(reference: string): readonly string[] {
  const repository = withoutVersion(reference)
  return /(^|\/)trivy-db$/.test(repository) ? [`${repository.replace(/trivy-db$/, 'trivy-java-db')}:1`] : []
}

/** A reference without its tag or digest. */
export function withoutVersion(reference: string): string {
  return reference.replace(/@sha256:[0-9a-f]{64}$/, '').replace(/:[\w.-]+$/, '')
}

/**
 * What brings the Java database into `cacheDir/java-db` when it is called for the first time, and says what it is.
 * The work is done once; a failure is the answer to every later call too. Refuses one that is unreachable, missing,
 * empty, truncated, undated or of another schema, each with its own reason (`java-database-…`).
 */
export function javaPreparer(
  services: DatabaseServices,
  source: JavaSource,
  place: { readonly cacheDir: string; readonly workDir: string },
): () => Promise<JavaDatabaseFacts> {
  let preparing: Promise<JavaDatabaseFacts> | undefined
  return () => (preparing ??= prepare(services, source, place))
}

async function prepare(
  services: DatabaseServices,
  source: JavaSource,
  place: { readonly cacheDir: string; readonly workDir: string },
): Promise<JavaDatabaseFacts> {
  const to = join(place.cacheDir, 'java-db')
  // Made elsewhere: whoever walks through the cache folder meanwhile sees all of it or nothing.
  const copy = join(place.workDir, 'java-copy')
  await mkdir(dirname(to), { recursive: true })
  if (source.kind === 'folder') return { ...(await fromFolder(source.dir, copy, to)), origin: source.origin }
  if (source.references.length === 0)
    throw javaError('missing', 'does not come with the vulnerability database that was given')
  const failures: string[] = []
  for (const [at, reference] of source.references.entries()) {
    const work = join(place.workDir, `java-registry-${at}`)
    try {
      const { origin, manifest, dir } = await fetched(services, reference, work)
      return { ...(await fromFolder(dir, copy, to)), origin, ...(manifest && { manifest }) }
    } catch (thrown) {
      if (!(thrown instanceof GateError) || thrown.reason === 'cancelled') throw thrown
      failures.push(`${reference}: ${describeError(thrown)}`)
    } finally {
      await rm(work, { recursive: true, force: true })
    }
  }
  throw new GateError('service', {
    reason: 'java-database-unreachable',
    message: `The image holds Java archives, and the Java database that names them could not be fetched (${failures.join('; ')}). Neither clean nor vulnerable; run again, or name a "database" that has java-db beside db.`,
  })
}

/** Checked, copied, and checked again: what is scanned with is what was hashed. */
async function fromFolder(dir: string, copy: string, to: string): Promise<Omit<JavaDatabaseFacts, 'origin'>> {
  const found = await stat(dir).catch(() => undefined)
  if (!found?.isDirectory())
    throw javaError('missing', 'is not beside the vulnerability database (folder java-db)')
  await checkJavaDatabaseFile(join(dir, JAVA_DATABASE_FILE))
  const metadata = await readMetadata(join(dir, METADATA_FILE), 1).catch((thrown: unknown) => {
    throw asJava(thrown)
  })
  await rm(copy, { recursive: true, force: true })
  await mkdir(copy, { recursive: true })
  const { sha256, size } = await copyHashed(join(dir, JAVA_DATABASE_FILE), join(copy, JAVA_DATABASE_FILE))
  await checkJavaDatabaseFile(join(copy, JAVA_DATABASE_FILE))
  await copyHashed(join(dir, METADATA_FILE), join(copy, METADATA_FILE))
  await rename(copy, to)
  return { sha256, size, ...metadata }
}

function asJava(thrown: unknown): unknown {
  if (!(thrown instanceof GateError) || !thrown.reason.startsWith('database-')) return thrown
  return javaError(thrown.reason.slice('database-'.length), `has no usable ${METADATA_FILE}`, thrown)
}

async function fetched(
  services: DatabaseServices,
  reference: string,
  work: string,
): Promise<{ readonly dir: string; readonly origin: string; readonly manifest?: Digest }> {
  const { commands, tools } = services
  const crane = tools.crane?.program
  const manifest = crane && (await headDigest({ commands, program: crane }, reference))
  const origin = manifest === undefined ? reference : `${withoutVersion(reference)}@${manifest}`
  await mkdir(work, { recursive: true })
  const files = await writeTrivyFiles(join(work, 'config'))
  const trivy = { commands, program: programOf(tools, 'trivy'), files }
  await downloadJavaDatabase(trivy, origin, join(work, 'cache'))
  return { dir: join(work, 'cache', 'java-db'), origin, ...(manifest && { manifest }) }
}
