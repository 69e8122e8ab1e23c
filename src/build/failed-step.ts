import { GateError } from '../errors.js'

/** The Dockerfile step that failed, read from what the builder printed; undefined when it does not say. */
export function failedStep(output: string): string | undefined {
  const place = [...output.matchAll(/^(?<place>\S{1,200}:\d+)\s*$\n-{4,}/gm)].at(-1)?.groups?.['place']
  const kit = [...output.matchAll(/^#\d+ (?<step>\[[^\]\n]{1,80}\] [^\n]{1,300})$/gm)].at(-1)?.groups?.[
    'step'
  ]
  const classic = [...output.matchAll(/^Step (?<step>\d+\/\d+ : [^\n]{1,300})$/gm)].at(-1)?.groups?.['step']
  const buildah = [...output.matchAll(/ building at STEP "(?<step>[^\n]{1,300}?)": /g)].at(-1)?.groups?.[
    'step'
  ]
  const step = kit ?? classic ?? buildah
  return place === undefined ? step : [place, ...(step === undefined ? [] : [step])].join(' ')
}

/** A build that ended with an exit code as `build-failed`, naming the step; every other error as it is. */
export function buildFailed(thrown: unknown, printed = ''): unknown {
  if (!(thrown instanceof GateError) || thrown.reason !== 'exit-code') return thrown
  const step = failedStep(`${printed}\n${thrown.message}`)
  const where = step === undefined ? '' : ` at ${step}`
  const message = `The build failed${where}. ${thrown.message}`
  return new GateError('tool', { reason: 'build-failed', message, cause: thrown })
}
