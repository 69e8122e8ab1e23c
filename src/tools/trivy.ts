import { randomUUID } from 'node:crypto'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { GateError } from '../errors.js'
import type { Commands, Program } from './command.js'
import { readScannerOutput, runScanner, SCAN_MS } from './scanner.js'

/** Trivy as it is called here. */
export interface Trivy {
  readonly commands: Commands
  readonly program: Program
  /** Files of `writeTrivyFiles`. */
  readonly files: TrivyFiles
  /** Default `SCAN_MS`. */
  readonly timeoutMs?: number
}

/** Explicit configuration, so that nothing in a working directory or a home folder is ever read. Absolute paths. */
export interface TrivyFiles {
  readonly dir: string
  readonly empty: string
  readonly secrets: string
  readonly modules: string
}

/** One call: all paths absolute but `input`, which is relative to `cwd` because the report repeats it. */
export interface TrivyScan {
  readonly cwd: string
  readonly input: string
  /** Folder with `db/trivy.db`. */
  readonly cacheDir: string
  /** Folder that only this call writes to. */
  readonly outDir: string
}

// All built-in allow rules of Trivy 0.74.0: each hides secrets by the path of their file.
const ALLOW_RULES = [
  ...['dist-info', 'tests', 'examples', 'vendor', 'usr-dirs', 'locale-dir', 'markdown'],
  ...['node.js', 'golang', 'python', 'rubygems', 'wordpress', 'anaconda-log'],
]

/** The secret configuration: every built-in rule applies to every path and every kind of text file. */
export const SECRET_CONFIG = `disable-allow-rules:\n${ALLOW_RULES.map(rule => `  - ${rule}\n`).join('')}skip-patterns: []\n`

/**
 * Writes the configuration that all calls share into `dir` (private, made when absent). The secret configuration has
 * a random name, because Trivy leaves out any scanned file whose path ends like the path of its configuration.
 */
export async function writeTrivyFiles(dir: string): Promise<TrivyFiles> {
  const files: TrivyFiles = {
    dir,
    empty: join(dir, 'empty.yaml'),
    secrets: join(dir, `secret-${randomUUID()}.yaml`),
    modules: join(dir, 'modules'),
  }
  await mkdir(files.modules, { recursive: true })
  await writeFile(files.empty, '')
  await writeFile(files.secrets, SECRET_CONFIG)
  return files
}

/** Arguments that every call shares: no foreign configuration, no call home, no update. */
function sharedArgs(files: TrivyFiles, cacheDir: string, timeoutMs: number): readonly string[] {
  return [
    ...['--config', files.empty, '--ignorefile', files.empty],
    ...['--cache-dir', cacheDir, '--timeout', `${Math.ceil(timeoutMs / 1000)}s`],
    ...['--quiet', '--no-progress', '--skip-version-check', '--disable-telemetry'],
  ]
}

/** An empty module folder for the commands that load modules (all but `sbom`), instead of the one in HOME. */
function noModules({ files }: Trivy): readonly string[] {
  return ['--module-dir', files.modules]
}

function scanArgs(trivy: Trivy, scan: TrivyScan, output: string): readonly string[] {
  return [
    ...sharedArgs(trivy.files, scan.cacheDir, trivy.timeoutMs ?? SCAN_MS),
    ...['--cache-backend', 'memory', '--skip-db-update', '--skip-java-db-update', '--offline-scan'],
    ...['--format', 'json', '--output', output],
  ]
}

/**
 * Packages and their vulnerabilities of a one-image layout, all severities: the text of Trivy's JSON report. The
 * exit code never depends on findings.
 */
export function scanPackages(trivy: Trivy, scan: TrivyScan): Promise<string> {
  const kind = ['--scanners', 'vuln', '--list-all-pkgs', '--pkg-types', 'os,library']
  return run(trivy, scan, ['image', '--input', scan.input, ...noModules(trivy), ...kind])
}

/** Secrets in the files of a one-image layout, none in its configuration: Trivy's JSON report. */
export function scanSecrets(trivy: Trivy, scan: TrivyScan): Promise<string> {
  const kind = ['--scanners', 'secret']
  const secrets = ['--secret-config', trivy.files.secrets]
  return run(trivy, scan, ['image', '--input', scan.input, ...noModules(trivy), ...kind, ...secrets])
}

/** Vulnerabilities of the components of a CycloneDX document, and which of them were read: Trivy's JSON report. */
export function scanSbom(trivy: Trivy, scan: TrivyScan): Promise<string> {
  return run(trivy, scan, ['sbom', scan.input, '--scanners', 'vuln', '--list-all-pkgs'])
}

/** Secrets in a folder, with the same configuration as `scanSecrets`: Trivy's JSON report. */
export function scanSecretFolder(trivy: Trivy, scan: TrivyScan): Promise<string> {
  const kind = ['--scanners', 'secret', '--secret-config', trivy.files.secrets]
  return run(trivy, scan, ['fs', scan.input, ...noModules(trivy), ...kind])
}

async function run(trivy: Trivy, scan: TrivyScan, args: readonly string[]): Promise<string> {
  const output = join(scan.outDir, 'report.json')
  const call = runScanner(trivy.commands, {
    program: trivy.program,
    args: [...args, ...scanArgs(trivy, scan, output)],
    grant: 'scanner',
    cwd: scan.cwd,
    timeoutMs: trivy.timeoutMs ?? SCAN_MS,
    paths: { read: [scan.cwd, scan.cacheDir, trivy.files.dir], write: [scan.outDir] },
  })
  await call.catch((thrown: unknown) => {
    throw explainJava(thrown)
  })
  return await readScannerOutput(output, trivy.program)
}

/** Trivy ends with an error when it sees a jar and has no Java database: a clearer word for that failure. */
function explainJava(thrown: unknown): unknown {
  if (!(thrown instanceof GateError) || thrown.reason !== 'trivy-exit-code') return thrown
  if (!thrown.message.includes('Java DB')) return thrown
  const message =
    'The image holds Java archives, and their packages can only be told with the Java database, which is not available yet. They were not matched, so nothing is concluded.'
  return new GateError('evidence', { reason: 'java-database-missing', message, cause: thrown })
}

/**
 * Downloads a vulnerability database from an OCI repository (reference with tag or digest) into
 * `cacheDir/db`. Only this call uses the network, with the registry's grant; it scans nothing.
 */
export async function downloadDatabase(trivy: Trivy, reference: string, cacheDir: string): Promise<void> {
  await download(trivy, ['--download-db-only', '--db-repository', reference], cacheDir)
}

/** The same for the Java database, into `cacheDir/java-db`. */
export async function downloadJavaDatabase(trivy: Trivy, reference: string, cacheDir: string): Promise<void> {
  await download(trivy, ['--download-java-db-only', '--java-db-repository', reference], cacheDir)
}

async function download(trivy: Trivy, what: readonly string[], cacheDir: string): Promise<void> {
  const timeoutMs = trivy.timeoutMs ?? SCAN_MS
  await runScanner(trivy.commands, {
    program: trivy.program,
    args: [...['image', ...what, ...noModules(trivy)], ...sharedArgs(trivy.files, cacheDir, timeoutMs)],
    grant: 'registry',
    timeoutMs,
  })
}
