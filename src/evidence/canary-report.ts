import { createHash } from 'node:crypto'
import { z } from 'zod'
import { GateError } from '../errors.js'
import type { DiffId, Digest } from './digest.js'

/** A report on an image with a layer of ours on top, and the image that it is to be about. */
export interface DerivedReport {
  readonly derived: { readonly imageId: Digest; readonly added: readonly DiffId[] }
  /** Digest of the image's own configuration. */
  readonly imageId: Digest
  /** In every name of the layer: must not be left anywhere. */
  readonly token: string
}

const object = z.record(z.string(), z.unknown())
const objects = z.array(object)
const layer = z.looseObject({ DiffID: z.string().optional(), Size: z.number().optional() })

/**
 * Takes what came with the canary's layer out of the text of Trivy's report, by the layer's DiffID and by nothing
 * else, and gives it the image's own id, layers, history, size and fingerprints again: what is left is the report
 * that the image alone would have got. The report was read and judged before (`parseTrivyReport`, `readInBand`).
 * Refuses (GateError `integrity`, `canary-not-subtracted`) one in which a trace of the canary is left.
 */
export function withoutCanaryText(text: string, about: DerivedReport): string {
  const report = object.parse(JSON.parse(text))
  const artifact = report['ArtifactID']
  const ids = { before: artifact, after: artifact === about.derived.imageId ? about.imageId : artifact }
  const kept = ownResults(report['Results'], about, ids)
  const clean = {
    ...without(report, ['Results']),
    ...('ArtifactID' in report && { ArtifactID: ids.after }),
    ...('Metadata' in report && { Metadata: ownMetadata(object.parse(report['Metadata']), about) }),
    ...(kept.length > 0 && { Results: kept }),
  }
  const written = `${JSON.stringify(clean, null, 2)}\n`
  const traces = [about.token, about.derived.imageId, ...about.derived.added]
  if (!traces.some(trace => written.includes(trace))) return written
  throw new GateError('integrity', {
    reason: 'canary-not-subtracted',
    message:
      'The package report of Trivy names its canary in places where it cannot be taken out. Nothing is concluded from the report; check the tool.',
  })
}

function isAdded(value: unknown, about: DerivedReport): boolean {
  return about.derived.added.some(id => id === value)
}

function ownMetadata(
  metadata: Readonly<Record<string, unknown>>,
  about: DerivedReport,
): Record<string, unknown> {
  const layers = z.array(layer).nullish().parse(metadata['Layers']) ?? []
  const taken = layers
    .filter(one => isAdded(one.DiffID, about))
    .reduce((sum, one) => sum + (one.Size ?? 0), 0)
  const size = metadata['Size']
  const config = object.nullish().parse(metadata['ImageConfig'])
  return {
    ...metadata,
    ...(typeof size === 'number' && { Size: size - taken }),
    ImageID: about.imageId,
    DiffIDs: ownIds(metadata['DiffIDs'], about),
    ...(config && { ImageConfig: ownConfig(config, about) }),
    ...(layers.length > 0 && { Layers: layers.filter(one => !isAdded(one.DiffID, about)) }),
  }
}

function ownIds(ids: unknown, about: DerivedReport): readonly unknown[] {
  return z
    .array(z.unknown())
    .parse(ids)
    .filter(id => !isAdded(id, about))
}

function ownConfig(config: Readonly<Record<string, unknown>>, about: DerivedReport): Record<string, unknown> {
  const history = z.array(z.unknown()).nullish().parse(config['history'])
  const rootfs = object.nullish().parse(config['rootfs'])
  const layers = about.derived.added.length
  return {
    ...config,
    ...(history && { history: history.slice(0, Math.max(0, history.length - layers)) }),
    ...(rootfs && { rootfs: { ...rootfs, diff_ids: ownIds(rootfs['diff_ids'], about) } }),
  }
}

type Ids = Readonly<Record<'before' | 'after', unknown>>

function ownResults(results: unknown, about: DerivedReport, ids: Ids): readonly unknown[] {
  return (objects.nullish().parse(results) ?? []).flatMap(result => {
    const packages = ownRows(result['Packages'], about)
    const findings = ownRows(result['Vulnerabilities'], about)
    const had = objects.nullish().parse(result['Packages'])?.length ?? 0
    const emptied = had > 0 && packages?.length === 0 && (findings?.length ?? 0) === 0
    // The system's own result is there without packages too; one of languages only with some.
    if (emptied && result['Class'] !== 'os-pkgs') return []
    const target = String(result['Target'])
    return [
      {
        ...without(result, ['Packages', 'Vulnerabilities']),
        ...(packages?.length && { Packages: packages }),
        ...(findings?.length && { Vulnerabilities: findings.map(row => renewed(row, target, ids)) }),
      },
    ]
  })
}

function ownRows(
  rows: unknown,
  about: DerivedReport,
): readonly Readonly<Record<string, unknown>>[] | undefined {
  return objects
    .nullish()
    .parse(rows)
    ?.filter(row => !isAdded(layer.nullish().parse(row['Layer'])?.DiffID, about))
}

/** Trivy 0.74.0 makes a finding's fingerprint of artifact, target, package and advisory; any other one is dropped. */
function renewed(row: Readonly<Record<string, unknown>>, target: string, ids: Ids): Record<string, unknown> {
  if (!('Fingerprint' in row)) return row
  const parts = [target, textOf(row['PkgID']), textOf(row['VulnerabilityID'])]
  const printOf = (id: unknown): string =>
    `sha256:${createHash('sha256')
      .update([textOf(id), ...parts].join(':'))
      .digest('hex')}`
  if (row['Fingerprint'] !== printOf(ids.before)) return without(row, ['Fingerprint'])
  return { ...row, Fingerprint: printOf(ids.after) }
}

function without(row: Readonly<Record<string, unknown>>, names: readonly string[]): Record<string, unknown> {
  return Object.fromEntries(Object.entries(row).filter(([name]) => !names.includes(name)))
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : ''
}
