import { mkdir, mkdtemp } from 'node:fs/promises'
import { join } from 'node:path'
import { GateError } from '../errors.js'
import type { ToolName } from '../evidence/tooling.js'
import type { Commands, Program } from '../tools/command.js'
import { type Syft, writeSyftFiles } from '../tools/syft.js'
import { type Trivy, writeTrivyFiles } from '../tools/trivy.js'

/** The installed tools that this stage may start; absent ones are refused when they are needed. */
export type InspectTools = Readonly<Partial<Record<ToolName, { readonly program: Program }>>>

export interface InspectServices {
  readonly commands: Commands
  readonly tools: InspectTools
  /** Time limit of one scan, milliseconds. Default 20 minutes. */
  readonly timeoutMs?: number
}

/** What fetching a database needs. */
export interface DatabaseServices {
  readonly commands: Commands
  /** Trivy is needed for OCI references; with crane they are pinned by digest before the download. */
  readonly tools: InspectTools
  readonly signal?: AbortSignal
  readonly log?: (line: string) => void
}

/** The scanners with their private configuration. */
export interface Scanners {
  readonly trivy: Trivy
  readonly syft: Syft
}

/** Writes the scanners' explicit configuration below `workDir` and binds both programs to it. */
export async function prepareScanners(services: InspectServices, workDir: string): Promise<Scanners> {
  await mkdir(workDir, { recursive: true })
  const dir = await mkdtemp(join(workDir, 'scanners-'))
  const { commands, timeoutMs } = services
  const shared = { commands, ...(timeoutMs !== undefined && { timeoutMs }) }
  return {
    trivy: {
      ...shared,
      program: programOf(services.tools, 'trivy'),
      files: await writeTrivyFiles(join(dir, 'trivy')),
    },
    syft: {
      ...shared,
      program: programOf(services.tools, 'syft'),
      files: await writeSyftFiles(join(dir, 'syft')),
    },
  }
}

/** The program of a tool. Refuses (GateError `tool`, `tool-missing`) one that was not installed. */
export function programOf(tools: InspectTools, name: ToolName): Program {
  const tool = tools[name]
  if (tool !== undefined) return tool.program
  throw new GateError('tool', { reason: 'tool-missing', message: `${name} is needed but was not installed.` })
}

/** A fresh folder that one call writes to. */
export async function freshDir(workDir: string, name: string): Promise<string> {
  await mkdir(workDir, { recursive: true })
  return await mkdtemp(join(workDir, `${name}-`))
}
