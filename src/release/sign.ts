import { createHash } from 'node:crypto'
import { mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import pLimit from 'p-limit'
import { GateError } from '../errors.js'
import { MAX_BUNDLE_BYTES, parseBundle } from '../evidence/bundle.js'
import type { Digest } from '../evidence/digest.js'
import { writeWhole } from '../tools/report-folder.js'
import type { PlannedStatement } from './plan.js'
import type { Earlier } from './resume.js'
import type { Signatory } from './signatory.js'

/** A statement and the bundle that carries it, on disk and in memory. */
export interface SignedStatement extends PlannedStatement {
  /** Relative to the report directory. */
  readonly file: string
  readonly bundle: Buffer
  readonly bundleSha256: string
  /** Where an earlier run attached it already: digest -> referrer. */
  readonly attached: ReadonlyMap<Digest, Digest>
}

export interface Signer {
  /** Signs one statement, unless an earlier run of this release did, and writes `bundles/SLUG.sigstore.json`. */
  readonly sign: (statement: PlannedStatement) => Promise<SignedStatement>
  /** Signs several statements, two at a time, and keeps their order. */
  readonly signEach: (statements: readonly PlannedStatement[]) => Promise<readonly SignedStatement[]>
  readonly close: () => Promise<void>
}

const PARALLEL = 2

/** Opens a signer that speaks to no registry. `close` removes its temporary files. */
export async function openSigner(
  signatory: Pick<Signatory, 'sign'>,
  folders: { readonly workDir: string; readonly reportDir: string },
  earlier: Earlier,
): Promise<Signer> {
  const dir = await mkdtemp(join(folders.workDir, 'sign-'))
  await mkdir(join(folders.reportDir, 'bundles'), { recursive: true })
  async function sign(planned: PlannedStatement): Promise<SignedStatement> {
    const statement = join(dir, `${planned.slug}.json`)
    const file = join('bundles', `${planned.slug}.sigstore.json`)
    const bundle = join(folders.reportDir, file)
    await rm(bundle, { force: true })
    const kept = await earlier.find(planned)
    if (kept !== undefined) await writeWhole(bundle, kept.bundle)
    else {
      await writeFile(statement, planned.payload, { mode: 0o600 })
      await signatory.sign({ statement, bundle })
    }
    const attached = kept?.attached ?? new Map<Digest, Digest>()
    return { ...planned, file, attached, ...(await readSigned(bundle, planned)) }
  }
  async function signEach(statements: readonly PlannedStatement[]): Promise<readonly SignedStatement[]> {
    const limit = pLimit(PARALLEL)
    const all = statements.map(planned => limit(() => sign(planned)))
    await Promise.allSettled(all)
    return Promise.all(all)
  }
  return { sign, signEach, close: () => rm(dir, { recursive: true, force: true }) }
}

async function readSigned(
  path: string,
  planned: PlannedStatement,
): Promise<{ readonly bundle: Buffer; readonly bundleSha256: string }> {
  const found = await stat(path).catch(() => null)
  if (found === null || found.size === 0 || found.size > MAX_BUNDLE_BYTES) {
    throw signFailed(planned, 'cosign ended well and wrote no bundle')
  }
  const bundle = await readFile(path)
  if (parseBundle(bundle.toString('utf8')).payload !== planned.payload) {
    throw signFailed(planned, 'the bundle holds another statement')
  }
  return { bundle, bundleSha256: createHash('sha256').update(bundle).digest('hex') }
}

function signFailed(planned: PlannedStatement, why: string): GateError {
  const message = `signing ${planned.predicateType} failed: ${why}; nothing is tagged`
  return new GateError('tool', { reason: 'sign-failed', message })
}
