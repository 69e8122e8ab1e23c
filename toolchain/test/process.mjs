import { spawn } from 'node:child_process'
import { closeSync, openSync } from 'node:fs'

const running = new Set()

/**
 * Starts a program in a process group of its own, without standard input. Its output goes to the terminal, or to the
 * file `log`. `done` resolves (never rejects) to `{ ok, why, seconds }`; after `limitMinutes` the whole group is
 * killed and the step has failed.
 */
export function start({ file, args, env, cwd, log, limitMinutes }) {
  const out = log ? openSync(log, 'a') : 'inherit'
  const started = Date.now()
  const child = spawn(file, args, { env, cwd, stdio: ['ignore', out, out], detached: true })
  running.add(child)
  const timer = setTimeout(() => stop(child), limitMinutes * 60_000)
  const done = new Promise(resolve => {
    const end = why => {
      clearTimeout(timer)
      running.delete(child)
      if (log) closeSync(out)
      resolve({ ok: why === '', why, seconds: (Date.now() - started) / 1000 })
    }
    child.once('error', error => end(`cannot start ${file}: ${error.message}`))
    child.once('close', (code, signal) =>
      end(code === 0 ? '' : signal ? `ended by ${signal}` : `exit code ${code}`),
    )
  })
  return { done }
}

/** Kills whatever `start` started and is still running, with its children. */
export function stopAll() {
  for (const child of running) stop(child)
}

function stop(child) {
  if (child.pid === undefined) return
  try {
    process.kill(-child.pid, 'SIGKILL')
  } catch {
    child.kill('SIGKILL')
  }
}
