import { pairs, sharedFlags } from './build-flags.js'
import type { BuildRequest, CheckedBase } from './build-request.js'
import { csv, type SecretInputs } from './secrets.js'

/** Where one call reads from and writes to, beside the request. */
export interface BuildxCall {
  /** Name of the builder; the selected one when absent. */
  readonly builder?: string
  readonly secrets: SecretInputs
  readonly output:
    | { readonly kind: 'layout'; readonly dir: string; readonly metadataFile: string }
    /** Nothing is kept but the caches. */
    | { readonly kind: 'cache'; readonly to: readonly string[] }
}

/** Variables of a build: no attestations of the engine (ours are signed), and the bases it used in the metadata. */
export const BUILDX_VARIABLES: Readonly<Record<string, string>> = {
  BUILDX_NO_DEFAULT_ATTESTATIONS: '1',
  BUILDX_METADATA_PROVENANCE: 'min',
}

/** Arguments of `buildx build`, without what stands before the subcommand. The context is last, behind `--`. */
export function buildxArguments(request: BuildRequest, call: BuildxCall): readonly string[] {
  const { output } = call
  return [
    'build',
    ...(call.builder === undefined ? [] : ['--builder', call.builder]),
    ...sharedFlags(request, {
      dockerfile: request.dockerfile,
      buildContexts: contextsWithBases(request),
      secrets: call.secrets,
    }),
    ...pairs('--annotation', request.annotations),
    ...(request.noCache && output.kind === 'layout' ? ['--no-cache'] : []),
    ...['--provenance=false', '--sbom=false', '--progress', 'plain'],
    ...(output.kind === 'layout'
      ? [
          '--output',
          csv(['type=oci', `dest=${output.dir}`, 'tar=false']),
          '--metadata-file',
          output.metadataFile,
        ]
      : [...['--output', 'type=cacheonly'], ...output.to.flatMap(cache => ['--cache-to', cache])]),
    ...['--', request.context],
  ]
}

/** The named contexts that were asked for, and each checked base as a context of its digest. */
export function contextsWithBases(
  request: Pick<BuildRequest, 'bases' | 'buildContexts'>,
): Readonly<Record<string, string>> {
  const bases = request.bases.filter(base => !base.reference.includes('@'))
  return { ...Object.fromEntries(bases.map(asContext)), ...request.buildContexts }
}

function asContext({ reference, digest }: CheckedBase): readonly [string, string] {
  return [reference, `docker-image://${reference}@${digest}`]
}
