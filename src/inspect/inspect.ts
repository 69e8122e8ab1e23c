import { join } from 'node:path'
import pLimit from 'p-limit'
import type { DiffId } from '../evidence/digest.js'
import type { DockerfileFacts, PlatformEvidence } from '../evidence/evidence.js'
import { type Known, mapKnown } from '../evidence/known.js'
import type { CanaryFacts, JavaDatabaseFacts } from '../evidence/tooling.js'
import type { OpenLayout } from '../oci/reader.js'
import type { Problem, ReportFile } from '../record/record.js'
import type { Problems } from './attempt.js'
import { runCanary } from './canary.js'
import type { PreparedDatabase } from './database.js'
import { hideExposed } from './hide-exposed.js'
import { inspectPlatform, type PlatformResult } from './platform.js'
import type { PlatformWork } from './platform-work.js'
import { type InspectServices, prepareScanners } from './scanners.js'

export interface InspectRequest {
  /** A layout whose blobs were hashed (`hashBlobs`): neither scanner checks digests. */
  readonly layout: OpenLayout
  readonly database: PreparedDatabase
  readonly dockerfile: Known<DockerfileFacts>
  /** Whether the image was built from this Dockerfile in this run; default false. */
  readonly builtHere?: boolean
  /** The layers of the base image of each platform, where they are known: no guess about what is base then. */
  readonly baseLayers?: ReadonlyMap<string, readonly DiffId[]>
  /** Folder that SBOMs and vulnerability reports are written to. Absolute. */
  readonly reportDir: string
  /** Private folder of this stage. Absolute. */
  readonly workDir: string
}

export interface Inspection {
  readonly platforms: readonly PlatformEvidence[]
  readonly canary: Known<CanaryFacts>
  /** Where an image had Java archives and the database that names them could be brought. */
  readonly java?: JavaDatabaseFacts
  readonly files: readonly ReportFile[]
  readonly problems: readonly Problem[]
  /** Secrets that stand in the configuration of the image; no file repeats them, and no record may. */
  readonly exposed: readonly string[]
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
  let used: JavaDatabaseFacts | undefined
  const java = async (): Promise<unknown> => (used = await request.database.java())
  const canaryProblems: Problems = []
  const place = { cacheDir, workDir: join(request.workDir, 'canary') }
  const [canary, ...platforms] = await Promise.all([
    limit(() => runCanary(scanners.trivy, place, canaryProblems)),
    ...request.layout.subject.platforms.map((image, at) =>
      inspectPlatform({
        ...{ scanners, limit, layout: request.layout, image, cacheDir, java, dockerfile: request.dockerfile },
        ...originHints(request, image.platform),
        reportDir: request.reportDir,
        workDir: join(request.workDir, `platform-${at}`),
      }),
    ),
  ])
  const exposed = [...new Set(platforms.flatMap(result => result.exposed))]
  const repeating = {
    platforms: platforms.map(result => result.evidence),
    ...(used && { java: used }),
    files: platforms.flatMap(result => result.files),
  }
  return {
    ...(await hideExposed(request.reportDir, repeating, exposed)),
    canary: mapKnown(canary, facts => ({ ...facts, ...inBandOf(platforms) })),
    exposed,
    problems: [...canaryProblems, ...platforms.flatMap(result => result.problems)],
  }
}

function originHints(
  { builtHere = false, baseLayers }: InspectRequest,
  platform: string,
): Pick<PlatformWork, 'builtHere' | 'baseLayers'> {
  const layers = baseLayers?.get(platform)
  return { builtHere, ...(layers === undefined ? {} : { baseLayers: layers }) }
}

function inBandOf(platforms: readonly PlatformResult[]): Pick<CanaryFacts, 'inBand' | 'notCovered'> {
  return {
    inBand: platforms.flatMap(result => result.canary.inBand),
    notCovered: platforms.flatMap(result => result.canary.notCovered),
  }
}
