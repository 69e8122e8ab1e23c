import { randomBytes } from 'node:crypto'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Isolation } from '../evidence/tooling.js'
import { readableFor, writableFor } from './bound-paths.js'
import type { OpenedFolder } from './bound-paths.js'
import { candidateRungs, systemProgram } from './confinement.js'
import type { BoundPath, Rung } from './confinement.js'
import { SYSTEM_PATH } from './grants.js'
import { signalOwnGroup, startProcess } from './process.js'
import type { Prepared } from './process.js'
import type { ProcessStart } from './process-start.js'

/** What a confined process may reach beside the system; `folders` are its own HOME and TMPDIR. */
export interface ReachablePaths {
  readonly read?: readonly string[]
  readonly write?: readonly string[]
  readonly folders: readonly string[]
}

export interface LadderOptions {
  readonly workDir: string
  /** Only these rungs are tried; all when absent. */
  readonly rungs?: readonly Isolation[]
}

export interface Ladder {
  readonly isolation: () => Promise<Isolation>
  /** Turns a plain start into a confined one; a plain one stays when no rung holds (`isolation` says `none`). */
  readonly confine: (start: ProcessStart, paths: ReachablePaths) => Promise<Prepared>
}

/** Bound into every confined world already. */
const SYSTEM_FILE = /^\/(?:usr|bin|sbin|lib|lib32|lib64|libx32)\//u
const PROBE_MS = 10_000

/** The confinement ladder (docs/architecture.md, "Tools"): probed once, at the first question, by a real process. */
export function createLadder(given: LadderOptions): Ladder {
  const { workDir } = given
  let chosen: Promise<Rung | undefined> | undefined
  const rung = (): Promise<Rung | undefined> => (chosen ??= chooseRung(given))
  return {
    isolation: async () => (await rung())?.isolation ?? 'none',
    confine: async (start, paths) => {
      const held = await rung()
      if (held !== undefined) return await confineOn(held, start, { ...paths, workDir })
      await Promise.all((paths.write ?? []).map(path => mkdir(path, { recursive: true })))
      return { start, finish: () => Promise.resolve() }
    },
  }
}

async function chooseRung({ workDir, rungs }: LadderOptions): Promise<Rung | undefined> {
  const who = { platform: process.platform, uid: process.getuid?.() ?? -1 }
  const candidates = candidateRungs(who).filter(rung => rungs?.includes(rung.isolation) ?? true)
  for (const rung of candidates) if (await holds(rung, workDir)) return rung
  return undefined
}

async function confineOn(
  rung: Rung,
  start: ProcessStart,
  paths: ReachablePaths & { readonly workDir: string },
): Promise<Prepared> {
  const write = [...new Set([...(paths.write ?? []), ...paths.folders])]
  const opened = await Promise.all(
    write.map(path => writableFor(path, { otherUser: rung.otherUser, workDir: paths.workDir })),
  )
  const wanted = [start.file, ...(paths.read ?? [])]
  const read = [...new Set(wanted)].filter(path => !write.includes(path) && !SYSTEM_FILE.test(path))
  const readable = await Promise.all(read.map(path => boundForReading(path, rung, paths.workDir)))
  const root = await mkdtemp(join(paths.workDir, 'root-'))
  const bound = [...readable, ...opened.map(folder => folder.bound)].sort((a, b) => a.to.length - b.to.length)
  const { cwd, environment, file, args } = start
  const wrapped = rung.wrap({ root, cwd, bound, environment, file, args })
  return {
    start: {
      ...start,
      ...wrapped,
      confined: true,
      cwd: '/',
      environment: { PATH: SYSTEM_PATH },
      signalGroup: signalFor(rung),
    },
    finish: () => takeBack(rung, opened, { root, own: paths.folders }),
  }
}

async function boundForReading(path: string, rung: Rung, workDir: string): Promise<BoundPath> {
  return rung.otherUser ? await readableFor(path, workDir) : { kind: 'read', from: path, to: path }
}

/** Ours again: the process's own HOME and TMPDIR are removed, what it wrote elsewhere is looked through. */
async function takeBack(
  rung: Rung,
  opened: readonly OpenedFolder[],
  { root, own }: { readonly root: string; readonly own: readonly string[] },
): Promise<void> {
  if (rung.elevated !== undefined) {
    const owner = `${process.getuid?.() ?? 0}:${process.getgid?.() ?? 0}`
    const folders = opened.map(folder => folder.bound.from)
    const chown = systemProgram('chown') ?? 'chown'
    await quietly(rung.elevated, ['-n', '--', chown, '-R', '--no-dereference', owner, '--', ...folders])
  }
  await rm(root, { recursive: true, force: true })
  for (const path of own) await rm(path, { recursive: true, force: true })
  for (const folder of opened) if (!own.includes(folder.bound.to)) await folder.close()
}

function signalFor(rung: Rung): ProcessStart['signalGroup'] {
  return (pid, signal) => {
    try {
      process.kill(-pid, signal)
    } catch {
      // gone, or not ours to signal: then sudo below
    }
    if (rung.elevated === undefined) return
    const kill = systemProgram('kill') ?? 'kill'
    void quietly(rung.elevated, ['-n', '--', kill, `-${signal.slice(3)}`, '--', `-${pid}`])
  }
}

/** One of the system's own programs, whose answer nobody waits for; what it could not do shows elsewhere. */
async function quietly(file: string, args: readonly string[]): Promise<void> {
  await startProcess(smallStart({ file, args, cwd: '/' })).done.catch(() => undefined)
}

const PROBE_SCRIPT = `
cat "$1/secret-note"
if (: > "$1/planted") 2>/dev/null; then echo wrote-read-only; fi
if ls "$4" >/dev/null 2>&1; then echo saw-outside; fi
for interface in $(cut -d: -f1 -s /proc/net/dev); do echo "net $interface"; done
if cat /proc/[0-9]*/environ 2>/dev/null | grep -q "$3"; then echo read-environment; fi
echo done > "$2/answer"
`

/** Runs a small process on the rung beside a sentinel whose environment holds a marker; true when all was as promised. */
async function holds(rung: Rung, workDir: string): Promise<boolean> {
  const base = await mkdtemp(join(workDir, 'probe-'))
  const [read, write, outside, home] = ['read', 'write', 'outside', 'home'].map(name => join(base, name))
  if (read === undefined || write === undefined || outside === undefined || home === undefined) return false
  const marker = randomBytes(16).toString('hex')
  const note = randomBytes(16).toString('hex')
  const seconds = String(Math.ceil(PROBE_MS / 1000))
  const sentinel = startProcess({
    ...smallStart({ file: systemProgram('sleep') ?? 'sleep', args: [seconds], cwd: '/' }),
    environment: { SENTINEL: marker },
    signalGroup: signalOwnGroup,
  })
  try {
    await Promise.all([read, write, outside, home].map(path => mkdir(path, { mode: 0o700 })))
    await writeFile(join(read, 'secret-note'), `${note}\n`, { mode: 0o600 })
    const prepared = await confineOn(
      rung,
      smallStart({
        file: '/bin/sh',
        args: ['-c', PROBE_SCRIPT, 'probe', read, write, marker, outside],
        cwd: write,
      }),
      {
        ...{ read: [read], write: [write], folders: [home], workDir },
      },
    )
    const result = await startProcess(prepared.start).done
    await prepared.finish()
    const answer = await readFile(join(write, 'answer'), 'utf8')
    return answer === 'done\n' && result.stdout.split(/\s+/u).join(' ').trim() === `${note} net lo`
  } catch {
    return false
  } finally {
    await sentinel.stop('stopped')
    await rm(base, { recursive: true, force: true })
  }
}

/** A process of the ladder itself: nothing in its environment, little output, a few seconds. */
function smallStart(what: Pick<ProcessStart, 'file' | 'args' | 'cwd'>): ProcessStart {
  return {
    ...{ ...what, name: 'confinement', environment: { PATH: SYSTEM_PATH } },
    ...{ timeoutMs: PROBE_MS, stdin: undefined, maxOutputBytes: 64 * 1024, stdout: 'capture', secrets: [] },
    signalGroup: () => undefined,
  }
}
