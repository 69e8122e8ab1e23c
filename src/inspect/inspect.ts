import { join } from 'node:path'
import pLimit from 'p-limit'
import type { DockerfileFacts, PlatformEvidence } from '../evidence/evidence.js'
import { type Known, mapKnown } from '../evidence/known.js'
import type { CanaryFacts } from '../evidence/tooling.js'
import type { OpenLayout } from '../oci/reader.js'
import type { Problem, ReportFile } from '../record/record.js'
import type { Problems } from './attempt.js'
import { runCanary } from './canary.js'
import type { PreparedDatabase } from './database.js'
import { inspectPlatform, type PlatformResult } from './platform.js'
import { type InspectServices, prepareScanners } from './scanners.js'

export interface InspectRequest {
  /** A layout whose blobs were hashed (`hashBlobs`): neither scanner checks digests. */
  readonly layout: OpenLayout
  readonly database: PreparedDatabase
  readonly dockerfile: Known<DockerfileFacts>
  /** Folder that SBOMs and vulnerability reports are written to. Absolute. */
  readonly reportDir: string
  /** Private folder of this stage. Absolute. */
  readonly workDir: string
}

export interface Inspection {
  readonly platforms: readonly PlatformEvidence[]
  readonly canary: Known<CanaryFacts>
  readonly files: readonly ReportFile[]
  readonly problems: readonly Problem[]
}

// The four analyses of one platform, and the canary, which is over in a moment.
const SIDE_BY_SIDE = 5

/**
 * Gathers the evidence of every platform of the image, and proves the scanner by its canary, side by side. A tool
 * that fails leaves its evidence missing and a problem with its own reason; nothing that fails reads as clean.
 * Throws only when the run is cancelled or a scanner is not installed.
 */
export async function inspectImage(services: InspectServices, request: InspectRequest): Promise<Inspection> {
  const scanners = await prepareScanners(services, request.workDir)
  const limit = pLimit(SIDE_BY_SIDE)
  const cacheDir = request.database.dir
  const canaryProblems: Problems = []
  const place = { cacheDir, workDir: join(request.workDir, 'canary') }
  const [canary, ...platforms] = await Promise.all([
    limit(() => runCanary(scanners.trivy, place, canaryProblems)),
    ...request.layout.subject.platforms.map((image, at) =>
      inspectPlatform({
        ...{ scanners, limit, layout: request.layout, image, cacheDir, dockerfile: request.dockerfile },
        reportDir: request.reportDir,
        workDir: join(request.workDir, `platform-${at}`),
      }),
    ),
  ])
  return {
    platforms: platforms.map(result => result.evidence),
    canary: mapKnown(canary, facts => ({ ...facts, ...inBandOf(platforms) })),
    files: platforms.flatMap(result => result.files),
    problems: [...canaryProblems, ...platforms.flatMap(result => result.problems)],
  }
}

function inBandOf(platforms: readonly PlatformResult[]): Pick<CanaryFacts, 'inBand' | 'notCovered'> {
  return {
    inBand: platforms.flatMap(result => result.canary.inBand),
    notCovered: platforms.flatMap(result => result.canary.notCovered),
  }
}
