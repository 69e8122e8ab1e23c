import type { ToolFacts, ToolName } from '../evidence/tooling.js'
import type { Catalog, CatalogAsset, CatalogTool, ToolPlatform } from './catalog.js'
import type { Commands, Program } from './command.js'
import type { DownloadLimits } from './download.js'

/** What installing needs. The optional parts have the shipped values; tests put their own in. */
export interface ToolServices {
  readonly environment: Readonly<Record<string, string | undefined>>
  readonly commands: Commands
  /** Private folder of this run: programs are unpacked into it. */
  readonly workDir: string
  /** Assets from earlier runs; see `toolCacheFolder`. */
  readonly cacheDir: string
  /** Folder that holds `toolchain/` (the checkout or the downloaded action). */
  readonly programRoot: string
  readonly signal: AbortSignal
  readonly log: (line: string) => void
  readonly catalog?: Catalog
  readonly releaseBase?: string
  readonly limits?: DownloadLimits
  readonly platform?: ToolPlatform
}

export interface InstalledTool {
  readonly program: Program
  readonly facts: ToolFacts
}

/** The tools that were asked for; take one with `toolOf`. */
export type ToolSet = Readonly<Partial<Record<ToolName, InstalledTool>>>

/** One tool of a set; a tool that nobody asked for is a defect of the caller. */
export function toolOf(tools: ToolSet, name: ToolName): InstalledTool {
  const tool = tools[name]
  if (tool === undefined) throw new TypeError(`the tool ${name} was not installed`)
  return tool
}

/** The facts of a set, in the order of their names. */
export function factsOf(tools: ToolSet): readonly ToolFacts[] {
  return Object.values(tools)
    .map(tool => tool.facts)
    .sort((a, b) => (a.name < b.name ? -1 : 1))
}

/** What the catalog pins for one tool on this machine. */
export interface Pinned {
  readonly tool: CatalogTool
  readonly asset: CatalogAsset
}
