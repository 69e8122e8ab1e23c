import { resolve } from 'node:path'
import type { BuildRequest, CheckedBase } from '../build/build-request.js'
import type { DockerfileFacts, Evidence } from '../evidence/evidence.js'
import type { Known } from '../evidence/known.js'
import type { RunContext } from '../github/context.js'
import type { PreparedDatabase } from '../inspect/database.js'
import type { OpenLayout } from '../oci/reader.js'
import type { ResolvedPolicy } from '../policy/resolve.js'
import type { Verdict } from '../policy/verdict.js'
import type { BaseRecord, BuildRecord, ReleaseRecord, ReportFile, RunRecord } from '../record/record.js'
import type { ReleaseOutcome } from '../release/request.js'
import type { Request } from '../request.js'
import type { Services } from '../services.js'
import type { Commands } from '../tools/command.js'
import type { ToolSet } from '../tools/tool-set.js'
import type { Plan } from './plan.js'
import type { StageResult } from './run-log.js'

/** What a gate run is asked for. `surfaces` shows the finished record: stage `publish`. */
export interface GateRun {
  readonly services: Services
  readonly request: Request
  /** Verb for the record; default `gate`. */
  readonly command?: 'gate' | 'release'
  /** `event`: as an action; `terminal`: by a person. */
  readonly kind: 'event' | 'terminal'
  readonly surfaces: (record: RunRecord, reportDir: string) => Promise<void>
  /** The stages; tests put failing ones in. */
  readonly road?: Road
}

/** What the run knows so far; each stage adds its part. */
export interface Facts {
  readonly startedAt: Date
  context?: RunContext
  plan?: Plan
  tools?: ToolSet
  built?: Built
  evidence?: Evidence
  /** Secrets in the configuration of the image, which nothing may repeat. Never written. */
  exposed?: readonly string[]
  verdict?: Verdict
  release: ReleaseRecord
  files: readonly ReportFile[]
}

/** Absolute folder of the reports. */
export function reportFolder(run: Pick<GateRun, 'request'>, facts: Pick<Facts, 'context'>): string {
  return resolve(facts.context?.workspace ?? '.', run.request.output)
}

/** Absolute folders whose content is foreign: the workspace and the build context. */
export function foreignFolders(
  run: Pick<GateRun, 'request'>,
  facts: Pick<Facts, 'context'>,
): readonly string[] {
  const workspace = resolve(facts.context?.workspace ?? '.')
  return [workspace, resolve(workspace, run.request.context)]
}

/** What every stage is given. */
export interface Given {
  readonly services: Services
  readonly request: Request
  readonly commands: Commands
  readonly facts: Facts
}

/** The image as it lies on this disk, every blob hashed, and the database to match it with. */
export interface Built {
  readonly layout: OpenLayout
  readonly engine: RunRecord['engine']
  /** What was asked of the engine; absent for an image that was ready. */
  readonly asked?: BuildRequest
  readonly bases?: readonly BaseRecord[]
  /** For the provenance; absent for an image that was ready. */
  readonly build?: BuildRecord
  /** Absent where nothing is scanned any more. */
  readonly database?: PreparedDatabase
}

/** The images that a Dockerfile is built from, each with its digest where that can be known before the build. */
export interface ResolvedBases {
  readonly records: readonly BaseRecord[]
  /** Those with a digest: the engine must use exactly these. */
  readonly checked: readonly CheckedBase[]
}

export interface Sources {
  readonly dockerfile: Known<DockerfileFacts>
  /** The images it is built from; absent where nothing is to be built. */
  readonly bases?: ResolvedBases
  readonly verdict: Verdict
}

type Stage<T> = Promise<StageResult<T>>

/** The stages before the record, in order. The only place where stages and rooms are wired together. */
export interface Road {
  context(given: Given, kind: 'event' | 'terminal'): Stage<RunContext>
  policy(given: Given, context: RunContext): Stage<ResolvedPolicy>
  tools(given: Given, has: { readonly plan: Plan; readonly policy: ResolvedPolicy }): Stage<ToolSet>
  sources(
    given: Given,
    has: { readonly context: RunContext; readonly policy: ResolvedPolicy },
  ): Stage<Sources>
  build(
    given: Given,
    has: {
      readonly context: RunContext
      readonly tools: ToolSet
      readonly bases?: ResolvedBases
    },
  ): Stage<Built>
  inspect(
    given: Given,
    has: { readonly built: Built; readonly tools: ToolSet; readonly dockerfile: Known<DockerfileFacts> },
  ): Stage<Evidence>
  judge(given: Given, has: { readonly policy: ResolvedPolicy; readonly evidence: Evidence }): Stage<Verdict>
  release(given: Given, has: ReleaseInput): Stage<ReleaseOutcome>
}

/** What stage 8 is handed: everything that was judged. */
export interface ReleaseInput {
  readonly plan: Plan
  readonly policy: ResolvedPolicy
  readonly built: Built
  readonly tools: ToolSet
  readonly evidence: Evidence
  readonly verdict: Verdict
}
