import { createHash } from 'node:crypto'
import { z } from 'zod'
import { GateError, type ErrorCode } from '../errors.js'
import { isDigest } from './digest.js'
import type { Digest } from './digest.js'
import { parseStrictJson } from './strict-json.js'
import type { Descriptor, ImageConfig } from './subject.js'

/** A descriptor with what decides how its target is read (OCI image spec, descriptor.md). */
export interface ReferencedDescriptor extends Descriptor {
  readonly platform?: OciPlatform
  readonly annotations: Readonly<Record<string, string>>
}

export interface OciPlatform {
  readonly os: string
  readonly architecture: string
  readonly variant?: string
}

export interface OciIndex {
  readonly kind: 'index'
  readonly manifests: readonly ReferencedDescriptor[]
}

export interface OciManifest {
  readonly kind: 'manifest'
  readonly config: ReferencedDescriptor
  readonly layers: readonly ReferencedDescriptor[]
}

export interface OciConfig {
  readonly platform: OciPlatform
  readonly diffIds: readonly Digest[]
  readonly config: ImageConfig
}

const MANIFEST_KEYS: ReadonlySet<string> = new Set(
  (
    'schemaVersion mediaType artifactType manifests config layers subject annotations digest size urls data ' +
    'platform architecture os os.version os.features variant features blobs fsLayers history signatures'
  ).split(' '),
)
const CONFIG_KEYS: ReadonlySet<string> = new Set(
  (
    'created author architecture variant os os.version os.features config rootfs type diff_ids history ' +
    'created_by comment empty_layer User ExposedPorts Env Entrypoint Cmd Volumes WorkingDir Labels StopSignal ' +
    'ArgsEscaped Memory MemorySwap CpuShares Healthcheck OnBuild Shell'
  ).split(' '),
)
const FREE_MAPS: ReadonlySet<string> = new Set(['annotations', 'Labels', 'ExposedPorts', 'Volumes'])

const text = z.string().max(4096)
const strings = z.array(z.string().max(256 * 1024)).max(10_000)
const map = z.record(text, z.string().max(1024 * 1024))
const platformShape = z.looseObject({ os: text, architecture: text, variant: text.nullish() })
const descriptorShape = z.looseObject({
  mediaType: text,
  digest: text,
  size: z.int().nonnegative(),
  urls: z.array(text).nullish(),
  data: z.string().nullish(),
  annotations: map.nullish(),
  platform: platformShape.nullish(),
})
const headShape = z.looseObject({ schemaVersion: z.int(), mediaType: text.optional() })
const indexShape = z.looseObject({ manifests: z.array(descriptorShape).max(1000) })
const manifestShape = z.looseObject({
  config: descriptorShape,
  layers: z.array(descriptorShape).max(1000),
})
const configShape = z.looseObject({
  created: text.nullish(),
  os: text,
  architecture: text,
  variant: text.nullish(),
  config: z
    .looseObject({
      User: text.nullish(),
      Env: strings.nullish(),
      Entrypoint: strings.nullish(),
      Cmd: strings.nullish(),
      Labels: map.nullish(),
      ExposedPorts: z.record(text, z.unknown()).nullish(),
      OnBuild: strings.nullish(),
    })
    .nullish(),
  rootfs: z.looseObject({ type: z.literal('layers'), diff_ids: z.array(text).max(1000) }),
  history: z
    .array(
      z.looseObject({
        created_by: z
          .string()
          .max(1024 * 1024)
          .nullish(),
        empty_layer: z.boolean().nullish(),
        comment: z
          .string()
          .max(64 * 1024)
          .nullish(),
      }),
    )
    .max(10_000)
    .nullish(),
})

/**
 * Reads an image index or image manifest; `expectedType` is the media type the descriptor gave. Refuses what two
 * readers could take for different things: both kinds in one document, another own media type, embedded data
 * unlike its digest, remote (foreign) content. Throws GateError with a reason per refusal.
 */
export function parseManifestDocument(
  bytes: Uint8Array,
  given: { readonly what: string; readonly expectedType: string | null },
): OciIndex | OciManifest {
  const { what, expectedType } = given
  const document = parseStrictJson(bytes, { what, knownKeys: MANIFEST_KEYS, freeMaps: FREE_MAPS })
  const head = shaped(headShape, document, what)
  if (head.schemaVersion !== 2) {
    throw refusal('evidence', 'oci-schema-version', `${what} has schema version ${head.schemaVersion}, not 2`)
  }
  const isIndex = 'manifests' in head
  if (isIndex && ('layers' in head || 'config' in head || 'fsLayers' in head || 'blobs' in head)) {
    throw refusal('integrity', 'oci-mixed-document', `${what} claims to be an index and an image at once`)
  }
  if (expectedType !== null && head.mediaType !== undefined && head.mediaType !== expectedType) {
    throw refusal(
      'integrity',
      'oci-media-type',
      `${what} says it is ${head.mediaType}, its descriptor says ${expectedType}`,
    )
  }
  if (isIndex) {
    const { manifests } = shaped(indexShape, document, what)
    return { kind: 'index', manifests: manifests.map(item => descriptorOf(item, what)) }
  }
  const { config, layers } = shaped(manifestShape, document, what)
  return {
    kind: 'manifest',
    config: descriptorOf(config, what),
    layers: layers.map(item => descriptorOf(item, what)),
  }
}

function descriptorOf(item: z.infer<typeof descriptorShape>, what: string): ReferencedDescriptor {
  const { digest, mediaType, size, platform } = item
  if (!isDigest(digest)) {
    throw refusal('integrity', 'descriptor-digest', `${what} names a digest that is not a whole SHA-256`)
  }
  if (item.urls !== undefined && item.urls !== null && item.urls.length > 0) {
    throw refusal('evidence', 'layer-foreign', `${what} names content that is fetched from elsewhere (urls)`)
  }
  if (item.data !== undefined && item.data !== null) checkData(item.data, { digest, size, what })
  return {
    mediaType,
    digest,
    size,
    annotations: item.annotations ?? {},
    ...(platform === undefined || platform === null ? {} : { platform: platformOf(platform) }),
  }
}

function checkData(
  data: string,
  given: { readonly digest: Digest; readonly size: number; readonly what: string },
): void {
  const bytes = Buffer.from(data, 'base64')
  const digest = `sha256:${createHash('sha256').update(bytes).digest('hex')}`
  if (digest !== given.digest || bytes.byteLength !== given.size || bytes.toString('base64') !== data) {
    throw refusal('integrity', 'descriptor-data', `${given.what} embeds data that is not ${given.digest}`)
  }
}

function platformOf(shape: z.infer<typeof platformShape>): OciPlatform {
  const variant = shape.variant ?? ''
  return { os: shape.os, architecture: shape.architecture, ...(variant === '' ? {} : { variant }) }
}

/** Reads an image configuration (OCI image spec, config.md). Unset fields become their empty value. */
export function parseImageConfig(bytes: Uint8Array, what: string): OciConfig {
  const document = parseStrictJson(bytes, { what, knownKeys: CONFIG_KEYS, freeMaps: FREE_MAPS })
  const shape = shaped(configShape, document, what)
  const diffIds = shape.rootfs.diff_ids.map(id => {
    if (!isDigest(id))
      throw refusal('integrity', 'descriptor-digest', `${what} has a diff_id that is no SHA-256`)
    return id
  })
  const config = shape.config ?? {}
  return {
    platform: platformOf(shape),
    diffIds,
    config: {
      user: config.User ?? '',
      env: config.Env ?? [],
      entrypoint: config.Entrypoint ?? [],
      cmd: config.Cmd ?? [],
      labels: config.Labels ?? {},
      exposedPorts: Object.keys(config.ExposedPorts ?? {}),
      ...(config.OnBuild?.length ? { onBuild: config.OnBuild } : {}),
      history: (shape.history ?? []).map(entry => ({
        createdBy: entry.created_by ?? '',
        emptyLayer: entry.empty_layer ?? false,
        ...(entry.comment === undefined || entry.comment === null ? {} : { comment: entry.comment }),
      })),
      ...(shape.created === undefined || shape.created === null ? {} : { created: shape.created }),
    },
  }
}

const layoutShape = z.looseObject({ imageLayoutVersion: text })

/** Checks the `oci-layout` file (OCI image spec, image-layout.md); only version 1.0.0 is read. */
export function checkLayoutMarker(bytes: Uint8Array, what: string): void {
  const document = parseStrictJson(bytes, { what, knownKeys: new Set(['imageLayoutVersion']) })
  const { imageLayoutVersion } = shaped(layoutShape, document, what)
  if (imageLayoutVersion !== '1.0.0') {
    throw refusal('evidence', 'layout-version', `${what} has layout version ${imageLayoutVersion}, not 1.0.0`)
  }
}

function shaped<T>(schema: z.ZodType<T>, document: unknown, what: string): T {
  const result = schema.safeParse(document)
  if (result.success) return result.data
  const issue = result.error.issues[0]
  const where = issue === undefined ? '' : ` at ${issue.path.map(String).join('.')}: ${issue.message}`
  throw refusal('evidence', 'oci-shape', `${what} does not have the shape of the OCI specification${where}`)
}

/** A GateError about an image that cannot be taken as it is. */
export function refusal(code: ErrorCode, reason: string, message: string): GateError {
  return new GateError(code, { reason, message })
}
