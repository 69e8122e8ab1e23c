import type { Commands } from '../tools/command.js'

/** What an engine works with. */
export interface BuildServices {
  readonly commands: Commands
  /** Private folder of this run. */
  readonly workDir: string
  /** The environment of the run: where programs lie, and the values of secrets. */
  readonly environment: Readonly<Record<string, string | undefined>>
  /** False when nothing is signed in this job; else steps of a build must not see its processes. */
  readonly signs?: boolean
}

/** A secret of the build, handed to RUN steps by `--mount=type=secret`; never part of the image or of a record. */
export type BuildSecret =
  | { readonly id: string; readonly file: string }
  /** The name of a variable of this process; its value goes to the engine alone. */
  | { readonly id: string; readonly env: string }

/** A base whose digest was checked before the build: the engine must use exactly this one. */
export interface CheckedBase {
  /** As the Dockerfile names it, with its variables expanded. */
  readonly reference: string
  /** `sha256:…` of the manifest or index. */
  readonly digest: string
}

/** What is asked of an engine, in the words that all engines share. Paths are absolute. */
export interface BuildRequest {
  readonly context: string
  readonly dockerfile: string
  readonly target?: string
  /** `NAME=VALUE`. */
  readonly buildArgs: readonly string[]
  /** `os/arch[/variant]`; none means that of the engine. */
  readonly platforms: readonly string[]
  readonly labels: Readonly<Record<string, string>>
  readonly annotations: Readonly<Record<string, string>>
  /** Named contexts: name -> folder, `oci-layout://DIR@DIGEST`, `docker-image://REF` or a URL of git. */
  readonly buildContexts: Readonly<Record<string, string>>
  readonly secrets: readonly BuildSecret[]
  /** `default` or `ID=SOCKET_OR_KEY`, as `--ssh` takes them. */
  readonly ssh: readonly string[]
  /** As `--cache-from` takes them. */
  readonly cacheFrom: readonly string[]
  /** As `--cache-to` takes them; never handed to a build before the verdict. */
  readonly cacheTo: readonly string[]
  /** Name of an existing builder (buildx). */
  readonly builder?: string
  readonly network?: 'default' | 'none' | 'host'
  readonly noCache: boolean
  readonly pull: boolean
  readonly bases: readonly CheckedBase[]
}
