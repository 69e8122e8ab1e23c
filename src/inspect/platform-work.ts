import type { LimitFunction } from 'p-limit'
import type { DockerfileFacts } from '../evidence/evidence.js'
import type { Known } from '../evidence/known.js'
import type { PlatformImage } from '../evidence/subject.js'
import type { OpenLayout } from '../oci/reader.js'
import type { Scanners } from './scanners.js'

/** Everything that the inspection of one platform needs. */
export interface PlatformWork {
  readonly scanners: Scanners
  /** Bounds how many analyses run at once, over all platforms. */
  readonly limit: LimitFunction
  readonly layout: OpenLayout
  readonly image: PlatformImage
  /** Folder with `db/trivy.db`. */
  readonly cacheDir: string
  readonly dockerfile: Known<DockerfileFacts>
  readonly reportDir: string
  readonly workDir: string
}

/** Name of the flattened layout below the folder that a scanner starts in: reports repeat it. */
export const INPUT = 'image'
