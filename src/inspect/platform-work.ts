import type { LimitFunction } from 'p-limit'
import type { DiffId } from '../evidence/digest.js'
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
  /** Brings the Java database into `cacheDir/java-db`, once for all platforms; fails where there is none. */
  readonly java: () => Promise<unknown>
  readonly dockerfile: Known<DockerfileFacts>
  /** Whether the image was built from this Dockerfile in this run. */
  readonly builtHere: boolean
  /** The layers of the base image, where they are known. */
  readonly baseLayers?: readonly DiffId[]
  readonly reportDir: string
  readonly workDir: string
}

/** Name of the flattened layout below the folder that a scanner starts in: reports repeat it. */
export const INPUT = 'image'
