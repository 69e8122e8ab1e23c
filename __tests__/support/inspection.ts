import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { PlatformEvidence } from '../../src/evidence/evidence.js'
import { notConfigured } from '../../src/evidence/known.js'
import { type PreparedDatabase, prepareDatabase } from '../../src/inspect/database.js'
import { type Inspection, inspectImage } from '../../src/inspect/inspect.js'
import { openLayout } from '../../src/oci/reader.js'
import type { Commands } from '../../src/tools/command.js'
import { createCommands } from '../../src/tools/commands.js'
import { toolPath } from './tools.js'

/** A private folder and a process runner for one test file; `close` ends and removes everything. */
export interface Bench {
  readonly dir: string
  readonly commands: Commands
  readonly database: (source: string, sizesFile?: string) => Promise<PreparedDatabase>
  readonly inspect: (given: InspectGiven) => Promise<Inspection & { readonly reportDir: string }>
  readonly close: () => Promise<void>
}

export interface InspectGiven {
  readonly layoutDir: string
  readonly database: PreparedDatabase
  /** Programs other than the real ones. */
  readonly trivy?: string
  readonly syft?: string
  readonly timeoutMs?: number
}

export async function openBench(): Promise<Bench> {
  const dir = await mkdtemp(join(tmpdir(), 'portcullis-inspect-'))
  const workDir = join(dir, 'work')
  await mkdir(workDir, { mode: 0o700 })
  const commands = createCommands({ environment: process.env, workDir })
  const tools = (given: Partial<InspectGiven>) => ({
    trivy: { program: { name: 'trivy', path: given.trivy ?? toolPath('trivy') } },
    syft: { program: { name: 'syft', path: given.syft ?? toolPath('syft') } },
    crane: { program: { name: 'crane', path: toolPath('crane') } },
  })
  return {
    dir,
    commands,
    database: (source, sizesFile) =>
      prepareDatabase(
        { commands, tools: tools({}) },
        { source, workDir, ...(sizesFile !== undefined && { sizesFile }) },
      ),
    inspect: async given => {
      const reportDir = await mkdtemp(join(dir, 'report-'))
      const inspection = await inspectImage(
        {
          commands,
          tools: tools(given),
          ...(given.timeoutMs !== undefined && { timeoutMs: given.timeoutMs }),
        },
        {
          layout: await openLayout(given.layoutDir, { name: 'registry.example/team/app' }),
          database: given.database,
          dockerfile: notConfigured(),
          reportDir,
          workDir: await mkdtemp(join(workDir, 'inspect-')),
        },
      )
      return { ...inspection, reportDir }
    },
    close: async () => {
      await commands.stopAll()
      await rm(dir, { recursive: true, force: true })
    },
  }
}

/** The evidence of the only platform. */
export function onlyPlatform(inspection: Inspection): PlatformEvidence {
  const [first] = inspection.platforms
  if (first === undefined || inspection.platforms.length !== 1) throw new Error('one platform was expected')
  return first
}
