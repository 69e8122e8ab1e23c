import {
  linkSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { randomUUID } from 'node:crypto'
import { hostname } from 'node:os'
import { dirname } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { say } from './files.mjs'

const BEAT_MS = 30_000
const SILENT_MS = 10 * 60_000

/**
 * Runs `work` while holding the lock file `path`, so that one builder works at a time. Waits, and says so, while
 * another builder lives. A lock is stale when its process is gone (same host; a reused process id is told by the
 * start time) or, written on another host or unreadable, when it was not touched for ten minutes.
 */
export async function withLock(path, work) {
  mkdirSync(dirname(path), { recursive: true })
  const mine = JSON.stringify({
    pid: process.pid,
    born: born(process.pid),
    host: hostname(),
    token: randomUUID(),
  })
  await take(path, mine)
  const beat = setInterval(() => touch(path), BEAT_MS)
  const free = () => release(path, mine)
  process.once('exit', free)
  try {
    return await work()
  } finally {
    clearInterval(beat)
    process.removeListener('exit', free)
    free()
  }
}

async function take(path, mine) {
  let told
  for (;;) {
    if (create(path, mine)) return
    const text = read(path)
    if (text === undefined) continue
    if (isStale(path, text)) {
      remove(path, text)
      continue
    }
    if (told !== text) say(`waiting for another builder (${describe(text)}), lock ${path}`)
    told = text
    await sleep(500)
  }
}

/** Complete from its first moment on: written under another name, then linked, which fails when `path` exists. */
function create(path, text) {
  const draft = `${path}.${randomUUID()}`
  writeFileSync(draft, text, { flag: 'wx' })
  try {
    linkSync(draft, path)
    return true
  } catch (error) {
    if (error.code === 'EEXIST') return false
    throw error
  } finally {
    rmSync(draft, { force: true })
  }
}

/** Whether the builder that wrote `text` into the lock file is gone. */
export function isStale(path, text) {
  const owner = parse(text)
  if (owner?.host !== hostname()) return silentFor(path) > SILENT_MS
  const now = born(owner.pid)
  return !isAlive(owner.pid) || (owner.born !== undefined && now !== undefined && owner.born !== now)
}

/** Removes a stale lock; if another waiter was faster and a new lock was caught, that one is put back. */
function remove(path, stale) {
  const aside = `${path}.${randomUUID()}`
  try {
    renameSync(path, aside)
  } catch {
    return
  }
  if (read(aside) === stale) say(`removed a stale lock (${describe(stale)})`)
  else putBack(aside, path)
  rmSync(aside, { force: true })
}

function putBack(aside, path) {
  try {
    linkSync(aside, path)
  } catch {
    say(`another builder took ${path} meanwhile`)
  }
}

function release(path, mine) {
  if (read(path) === mine) rmSync(path, { force: true })
}

function touch(path) {
  try {
    utimesSync(path, new Date(), new Date())
  } catch {
    say(`the lock ${path} is gone while we are building`)
  }
}

function silentFor(path) {
  try {
    return Date.now() - statSync(path).mtimeMs
  } catch {
    return 0
  }
}

function read(path) {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return undefined
  }
}

function parse(text) {
  try {
    const owner = JSON.parse(text)
    return Number.isInteger(owner?.pid) && owner.pid > 0 ? owner : undefined
  } catch {
    return undefined
  }
}

function describe(text) {
  const owner = parse(text)
  return owner ? `process ${owner.pid} on ${owner.host}` : 'unreadable lock'
}

function isAlive(pid) {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return error.code === 'EPERM'
  }
}

/** Start time of a process in clock ticks since boot, where /proc tells it. */
function born(pid) {
  const stat = read(`/proc/${pid}/stat`)
  return stat?.slice(stat.lastIndexOf(')') + 2).split(' ')[19]
}
