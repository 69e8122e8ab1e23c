import { readdirSync, readFileSync, readlinkSync, statSync, type Dirent } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

/** One place where a needle was seen. */
export interface Sighting {
  readonly needle: string
  /** `environment of NAME`, `arguments of NAME` or `file NAME`. */
  readonly place: string
}

export interface WatchReport {
  readonly sightings: readonly Sighting[]
  /** Names of the programs that were read at least once while alive. */
  readonly programs: readonly string[]
  readonly polls: number
}

export interface Watch {
  /** Ends the watch after one more look. */
  readonly stop: () => Promise<WatchReport>
}

interface State {
  readonly root: number
  readonly needles: readonly string[]
  readonly folders: readonly string[]
  /** Process ids known to be ours, or known not to be, with their start time so that a reused id is new again. */
  readonly known: Map<string, boolean>
  readonly sightings: Map<string, Sighting>
  readonly programs: Set<string>
  readonly files: Set<string>
  polls: number
}

const POLL_MS = 10
const FILES_EVERY = 5
const MAX_FILE = 4 * 1024 * 1024

/**
 * Reads environment and arguments of all descendants of a process, while they live, about every 10 ms, and the
 * files below `folders` as they come and go. The process itself is not read: it is given the secrets on purpose.
 * A child that was orphaned stays ours, because it was seen with its parent before.
 */
export function watchProcessTree(given: {
  readonly root: number
  readonly needles: readonly string[]
  readonly folders?: readonly string[]
}): Watch {
  const state: State = {
    ...given,
    folders: given.folders ?? [],
    known: new Map(),
    sightings: new Map(),
    programs: new Set(),
    files: new Set(),
    polls: 0,
  }
  const control = { stopping: false }
  const loop = (async () => {
    while (!control.stopping) {
      look(state)
      await sleep(POLL_MS)
    }
    look({ ...state, polls: 0 })
  })()
  return {
    stop: async () => {
      control.stopping = true
      await loop
      return {
        sightings: [...state.sightings.values()],
        programs: [...state.programs].toSorted(),
        polls: state.polls,
      }
    },
  }
}

function look(state: State): void {
  const rootCommand = read(`/proc/${state.root}/cmdline`)
  for (const pid of descendants(state)) {
    const command = read(`/proc/${pid}/cmdline`)
    // Between fork and exec a child still shows its parent's memory: that is the parent, not a leak.
    if (command === null || command === '' || command === rootCommand) continue
    const environment = read(`/proc/${pid}/environ`) ?? ''
    if (read(`/proc/${pid}/cmdline`) !== command) continue
    const name = programName(pid, command)
    state.programs.add(name)
    search(state, command, `arguments of ${name}`)
    search(state, environment, `environment of ${name}`)
  }
  if (state.polls % FILES_EVERY === 0) for (const folder of state.folders) searchFolder(state, folder)
  state.polls += 1
}

function programName(pid: number, command: string): string {
  try {
    return readlinkSync(`/proc/${pid}/exe`).split('/').at(-1) ?? '?'
  } catch {
    return command.split('\0')[0]?.split('/').at(-1) ?? '?'
  }
}

/** Living descendants of the root. Processes that are not ours are looked at once and remembered. */
function descendants(state: State): readonly number[] {
  const ours = new Set<number>([state.root])
  const open: { pid: number; parent: number; key: string }[] = []
  for (const name of readdirSync('/proc')) {
    if (!/^[0-9]+$/.test(name)) continue
    const pid = Number(name)
    if (pid === state.root || pid === process.pid) continue
    const facts = statOf(pid)
    if (facts === null) continue
    const key = `${pid}:${facts.started}`
    const known = state.known.get(key)
    if (known === true) ours.add(pid)
    else if (known === undefined) open.push({ pid, parent: facts.parent, key })
  }
  let grew = true
  while (grew) {
    grew = false
    for (const { pid, parent, key } of open) {
      if (ours.has(pid) || !ours.has(parent)) continue
      ours.add(pid)
      state.known.set(key, true)
      grew = true
    }
  }
  for (const { pid, key } of open) if (!ours.has(pid)) state.known.set(key, false)
  ours.delete(state.root)
  return [...ours]
}

function statOf(pid: number): { readonly parent: number; readonly started: string } | null {
  const text = read(`/proc/${pid}/stat`)
  if (text === null) return null
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
  return { parent: Number(fields[1]), started: fields[19] ?? '' }
}

function searchFolder(state: State, folder: string): void {
  for (const entry of entries(folder)) {
    const path = join(folder, entry.name)
    if (entry.isDirectory()) searchFolder(state, path)
    else if (entry.isFile()) searchFile(state, path)
  }
}

function searchFile(state: State, path: string): void {
  try {
    const { size, mtimeMs, ino } = statSync(path)
    const key = `${path}:${ino}:${size}:${mtimeMs}`
    if (size > MAX_FILE || state.files.has(key)) return
    state.files.add(key)
    search(state, readFileSync(path, 'latin1'), `file ${path}`)
  } catch {
    // gone again, or not for us to read
  }
}

function entries(folder: string): readonly Dirent[] {
  try {
    return readdirSync(folder, { withFileTypes: true })
  } catch {
    return []
  }
}

function search(state: State, text: string, place: string): void {
  for (const needle of state.needles) {
    if (text.includes(needle)) state.sightings.set(`${needle} ${place}`, { needle, place })
  }
}

function read(path: string): string | null {
  try {
    return readFileSync(path, 'latin1')
  } catch {
    return null
  }
}

/** A secret in the forms that a leak takes: plain, base64 (whatever came before it) and URL-encoded. */
export function formsOf(secret: string): readonly string[] {
  return [secret, ...base64Forms(secret), encodeURIComponent(secret)]
}

/** The part of the base64 text that does not depend on the neighbours, for each of the three alignments. */
function base64Forms(secret: string): readonly string[] {
  return [0, 1, 2].flatMap(shift => {
    const text = Buffer.concat([Buffer.alloc(shift, 0x78), Buffer.from(secret)]).toString('base64')
    const sure = text.replaceAll('=', '').slice(shift === 0 ? 0 : 4, -1)
    return [sure, sure.replaceAll('+', '-').replaceAll('/', '_')]
  })
}
