import { randomBytes } from 'node:crypto'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import {
  CANARIES,
  canarySbom,
  type CanarySighting,
  judgeCanary,
  readCanaryReport,
  readSecretCanary,
} from '../evidence/canary.js'
import type { Known } from '../evidence/known.js'
import { present } from '../evidence/known.js'
import type { CanaryFacts } from '../evidence/tooling.js'
import { scanSbom, scanSecretFolder, type Trivy } from '../tools/trivy.js'
import { attempt, noteMissing, type Problems } from './attempt.js'
import { freshDir } from './scanners.js'

const CANARY_MS = 2 * 60 * 1000
// A path that the scanner's built-in allow rules would leave out: found only when our configuration was read.
const SECRET_PATH = join('tests', 'notes.md')

/**
 * Proves in this very run that the scanner, with the database at `cacheDir`, reports packages known to be vulnerable
 * as severe as they are, and a freshly planted secret. What is not reported is in the facts as not found, and a
 * problem (`canary-not-found`, `canary-severity-changed`); a scanner that fails leaves the facts missing.
 */
export async function runCanary(
  scanner: Trivy,
  place: { readonly cacheDir: string; readonly workDir: string },
  problems: Problems,
): Promise<Known<CanaryFacts>> {
  const trivy = { ...scanner, timeoutMs: Math.min(scanner.timeoutMs ?? CANARY_MS, CANARY_MS) }
  const sightings = await attempt(problems, async () => [
    ...(await sightPackages(trivy, place)),
    await sightSecret(trivy, place),
  ])
  if (sightings.state !== 'present') return sightings
  const { facts, problem } = judgeCanary(sightings.value)
  if (problem !== undefined) noteMissing(problems, problem)
  return present(facts)
}

async function sightPackages(
  trivy: Trivy,
  place: { readonly cacheDir: string; readonly workDir: string },
): Promise<readonly CanarySighting[]> {
  const cwd = await freshDir(place.workDir, 'canary')
  const sightings: CanarySighting[] = []
  for (const canary of CANARIES) {
    const input = `${canary.name}.json`
    await writeFile(join(cwd, input), canarySbom(canary))
    const outDir = await freshDir(place.workDir, `${canary.name}-report`)
    const text = await scanSbom(trivy, { cwd, input, cacheDir: place.cacheDir, outDir })
    sightings.push(...readCanaryReport(text, canary))
  }
  return sightings
}

async function sightSecret(
  trivy: Trivy,
  place: { readonly cacheDir: string; readonly workDir: string },
): Promise<CanarySighting> {
  const cwd = await freshDir(place.workDir, 'canary-secret')
  await mkdir(join(cwd, 'planted', 'tests'), { recursive: true })
  // In the form of a token, made afresh and valid nowhere.
  const token = ['ghp', randomBytes(18).toString('hex')].join('_')
  await writeFile(join(cwd, 'planted', SECRET_PATH), `token = ${token}\n`)
  const outDir = await freshDir(place.workDir, 'canary-secret-report')
  const scan = { cwd, input: 'planted', cacheDir: place.cacheDir, outDir }
  return readSecretCanary(await scanSecretFolder(trivy, scan), SECRET_PATH)
}
