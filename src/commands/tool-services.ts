import { toolCacheFolder } from '../tools/cache.js'
import type { Commands } from '../tools/command.js'
import type { ToolServices } from '../tools/tool-set.js'
import type { Services } from '../services.js'

/** What installing tools needs, out of the services of a run. */
export function toolServices(services: Services, commands: Commands): ToolServices {
  const { environment, workDir, programRoot, signal, progress } = services
  return {
    environment,
    commands,
    workDir,
    cacheDir: toolCacheFolder(environment),
    programRoot,
    signal,
    log: line => progress.note(line),
  }
}
