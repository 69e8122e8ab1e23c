import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { GateError } from '../errors.js'
import { canonicalJson } from '../evidence/canonical.js'
import { placeFile } from '../oci/flatten.js'
import { enforcedOutcome, judge } from '../policy/evaluate.js'
import type { ResolvedPolicy } from '../policy/resolve.js'
import type { Verdict } from '../policy/verdict.js'
import type { RunRecord } from '../record/record.js'
import { size } from '../report/sections.js'
import { installTools } from '../tools/install.js'
import { factsOf } from '../tools/tool-set.js'
import { ROAD } from './road.js'
import { reportFolder, type Given, type Road } from './run.js'
import { openSealed, type Sealed, type SealedPlace } from './sealed.js'
import { toolServices } from './tool-services.js'

/** Evidence is judged again for this long, milliseconds; the world moves on. */
const MAX_AGE_MS = 24 * 3_600_000
const CLOCK_TOLERANCE_MS = 5 * 60_000

/**
 * The road of `portcullis release`: the same stages over an image that was built, inspected and judged before. It
 * starts no build and no scanner: every byte is hashed again, and the evidence is judged again by today's trusted
 * policy, with the time of the verdict as its clock. Anything but the very same verdict is refused.
 */
export function sealedRoad(place: SealedPlace, record: RunRecord): Road {
  let opened: Promise<Sealed> | undefined
  const sealed = (): Promise<Sealed> => (opened ??= openSealed(place, record))
  return {
    ...ROAD,

    tools: async ({ services, request, commands }) => {
      const names = ['crane', 'cosign'] as const
      const tools = await installTools(toolServices(services, commands), { source: request.tools, names })
      return {
        value: tools,
        detail: factsOf(tools)
          .map(tool => `${tool.name} ${tool.version}`)
          .join(', '),
      }
    },

    sources: async ({ services }, { policy }) => {
      const { evidence } = await sealed()
      const age = services.clock().getTime() - Date.parse(record.verdict?.decidedAt ?? '')
      refuseAge(age)
      const judged = judge({ policy, evidence, phases: ['source'], now: decidedAt(record) })
      const stops = enforcedOutcome(judged.results)
      const verdict = { ...judged, blocks: stops !== null && judged.blocks }
      return {
        value: { dockerfile: evidence.dockerfile, verdict },
        detail: `sealed ${Math.max(0, Math.round(age / 60_000))} min ago`,
      }
    },

    build: async () => {
      const { layout, record: said } = await sealed()
      const bytes = layout.blobs.reduce((sum, blob) => sum + blob.size, 0)
      const detail = `sealed image, ${layout.blobs.length} blobs hashed, ${size(bytes)}`
      const { engine, bases, build } = said
      const made = {
        ...(bases === undefined ? {} : { bases }),
        ...(build === undefined ? {} : { build }),
      }
      return { value: { layout, engine, ...made }, detail }
    },

    inspect: async given => {
      const { dir, evidence } = await sealed()
      await takeOverFiles(given, dir, record)
      return { value: evidence, detail: `evidence of ${record.finishedAt}` }
    },

    judge: (_given, { policy, evidence }) => {
      const verdict = judge({ policy, evidence, phases: ['source', 'image'], now: decidedAt(record) })
      refuseOtherVerdict(record, policy, verdict)
      return Promise.resolve({ value: verdict, detail: `${verdict.outcome}, as before` })
    },
  }
}

function decidedAt(record: RunRecord): Date {
  return new Date(record.verdict?.decidedAt ?? Number.NaN)
}

function refuseAge(age: number): void {
  if (age >= -CLOCK_TOLERANCE_MS && age <= MAX_AGE_MS) return
  const message =
    age > MAX_AGE_MS
      ? 'The evidence is older than 24 hours: advisories may have been published since. Run the gate again.'
      : 'The evidence was judged in the future. One of the two clocks is wrong.'
  const reason = age > MAX_AGE_MS ? 'sealed-too-old' : 'clock-wrong'
  throw new GateError('evidence', { reason, message })
}

/** The reports that belong to the evidence, beside the record of this run. */
async function takeOverFiles(given: Given, dir: string, record: RunRecord): Promise<void> {
  const { facts, request } = given
  const reportDir = reportFolder({ request }, facts)
  for (const { path } of record.files) {
    await rm(join(reportDir, path), { force: true })
    await placeFile(join(dir, path), join(reportDir, path))
  }
  facts.files = [...facts.files, ...record.files]
}

function refuseOtherVerdict(record: RunRecord, policy: ResolvedPolicy, verdict: Verdict): void {
  const before = record.verdict
  if (before?.policy.digest !== policy.digest) {
    const message = `The policy is not the one that the image was judged by (${policy.digest} now, ${before?.policy.digest ?? 'none'} then). Run the gate again.`
    throw new GateError('evidence', { reason: 'sealed-policy-changed', message })
  }
  if (canonicalJson(comparable(before)) === canonicalJson(comparable(verdict))) return
  const message = `Judged again, the evidence gives '${verdict.outcome}', and not the verdict of the record ('${before.outcome}', word for word). Nothing is released; run the gate again.`
  throw new GateError('integrity', { reason: 'sealed-verdict-differs', message })
}

/** All of a verdict but where its policy was read from. */
function comparable(verdict: Verdict): unknown {
  const { policy, ...rest } = verdict
  return { ...rest, policy: policy.digest }
}
