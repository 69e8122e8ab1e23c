import { GateError } from '../errors.js'
import type { LayerDescriptor } from '../evidence/subject.js'

/** The same refusal with the layer it is about; `at` counts from 0. What is no GateError stays as it is. */
export function faultOfLayer(thrown: unknown, layer: LayerDescriptor, at: number): unknown {
  if (!(thrown instanceof GateError) || thrown.reason === 'cancelled') return thrown
  const { code, reason, message } = thrown
  const named = message.includes(layer.digest)
    ? `layer ${at + 1}: ${message}`
    : `layer ${at + 1} (${layer.digest}): ${message}`
  return new GateError(code, { reason, message: named, cause: thrown })
}
