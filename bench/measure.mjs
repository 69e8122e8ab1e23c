// Runs one command and measures the whole process tree: wall, CPU and the largest sum of resident memory.
import { spawn } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'

const TICK_MS = 10 // USER_HZ is 100 on Linux
const SAMPLE_MS = 40
const PAGE = 4096

/**
 * @returns {Promise<{code: number, wallMs: number, cpuMs: number, peakBytes: number, stdout: string, stderr: string,
 *   stages: {stage: string, wallMs: number, cpuMs: number, peakBytes: number}[]}>}
 * A stage ends when `stageEnd(line)` names it on a line of standard error.
 */
export function measure(file, args, { env = process.env, cwd = process.cwd(), stageEnd = () => null } = {}) {
  return new Promise((resolve, reject) => {
    const started = performance.now()
    const child = spawn(file, args, { env, cwd, stdio: ['ignore', 'pipe', 'pipe'] })
    const cpu = new Map()
    const state = { cpuMs: 0, peakBytes: 0, stages: [], mark: { wall: started, cpu: 0, peak: 0 } }
    const sample = () => {
      let bytes = 0
      for (const one of tree(child.pid)) {
        cpu.set(one.key, one.cpuMs)
        bytes += one.bytes
      }
      state.cpuMs = [...cpu.values()].reduce((sum, value) => sum + value, 0)
      state.peakBytes = Math.max(state.peakBytes, bytes)
      state.mark.peak = Math.max(state.mark.peak, bytes)
    }
    const timer = setInterval(sample, SAMPLE_MS)
    const text = { stdout: '', stderr: '' }
    child.stdout.on('data', chunk => (text.stdout += chunk))
    child.stderr.on('data', chunk => {
      text.stderr += chunk
      for (const line of String(chunk).split('\n')) {
        const stage = stageEnd(line)
        if (stage === null) continue
        sample()
        const now = performance.now()
        state.stages.push({
          stage,
          wallMs: now - state.mark.wall,
          cpuMs: state.cpuMs - state.mark.cpu,
          peakBytes: state.mark.peak,
        })
        state.mark = { wall: now, cpu: state.cpuMs, peak: 0 }
      }
    })
    child.on('error', reject)
    child.on('close', code => {
      clearInterval(timer)
      const wallMs = performance.now() - started
      resolve({ code, wallMs, cpuMs: state.cpuMs, peakBytes: state.peakBytes, stages: state.stages, ...text })
    })
  })
}

/** CPU (own, without children) and resident memory of a process and all below it. */
function tree(root) {
  const children = new Map()
  const facts = new Map()
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue
    try {
      const stat = readFileSync(`/proc/${name}/stat`, 'utf8')
      const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
      const parent = Number(fields[1])
      children.set(parent, [...(children.get(parent) ?? []), Number(name)])
      facts.set(Number(name), {
        key: `${name}:${fields[19]}`,
        cpuMs: (Number(fields[11]) + Number(fields[12])) * TICK_MS,
        bytes: Number(fields[21]) * PAGE,
      })
    } catch {
      // gone meanwhile
    }
  }
  const found = []
  const queue = [root]
  for (let at = 0; at < queue.length; at += 1) {
    const one = facts.get(queue[at])
    if (one) found.push(one)
    queue.push(...(children.get(queue[at]) ?? []))
  }
  return found
}
