import type { Stage } from './evidence/known.js'
import { visible } from './report/markdown.js'

/** What a person sees while a run goes on. Never carries a secret; texts are made inert here. */
export interface Progress {
  stageStarted(stage: Stage): void
  stageEnded(stage: Stage, state: 'done' | 'failed' | 'skipped', detail: string, milliseconds: number): void
  note(text: string): void
}

/** Where progress is written: standard error of the program. */
export interface ProgressTarget {
  readonly isTTY?: boolean
  write(text: string): unknown
}

const MARKS = { done: '✓', failed: '✗', skipped: '-' } as const
const FRAME_MS = 120
const FRAMES = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏']

/** Live stages on a terminal, one plain line per finished stage elsewhere. */
export function createProgress(target: ProgressTarget): Progress {
  return target.isTTY === true ? liveProgress(target) : plainProgress(target)
}

function plainProgress(target: ProgressTarget): Progress {
  return {
    stageStarted: () => undefined,
    stageEnded: (stage, state, detail, milliseconds) =>
      target.write(`${line(stage, state, detail, milliseconds)}\n`),
    note: text => target.write(`  ${visible(text)}\n`),
  }
}

function liveProgress(target: ProgressTarget): Progress {
  let running: { readonly stage: Stage; readonly timer: NodeJS.Timeout } | null = null
  const clear = (): void => {
    if (running === null) return
    clearInterval(running.timer)
    running = null
    target.write('\r\u001b[2K')
  }
  return {
    stageStarted: stage => {
      clear()
      let frame = 0
      const draw = (): unknown => target.write(`\r\u001b[2K${FRAMES[frame++ % FRAMES.length] ?? ''} ${stage}`)
      draw()
      const timer = setInterval(draw, FRAME_MS)
      timer.unref()
      running = { stage, timer }
    },
    stageEnded: (stage, state, detail, milliseconds) => {
      clear()
      target.write(`${line(stage, state, detail, milliseconds)}\n`)
    },
    note: text => {
      const paused = running
      if (paused !== null) target.write('\r\u001b[2K')
      target.write(`  ${visible(text)}\n`)
    },
  }
}

function line(stage: Stage, state: keyof typeof MARKS, detail: string, milliseconds: number): string {
  const time = `${(milliseconds / 1000).toFixed(1)} s`.padStart(8)
  return `${MARKS[state]} ${stage.padEnd(8)}${time}  ${visible(detail)}`.trimEnd()
}
