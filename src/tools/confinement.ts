import { accessSync, constants } from 'node:fs'
import { join } from 'node:path'
import type { Isolation } from '../evidence/tooling.js'
import { CONFINEMENT_SCRIPT } from './confinement-script.js'

/** One path that a confined process may reach; `from` is where its bytes are, `to` where the process sees it. */
export interface BoundPath {
  readonly kind: 'read' | 'write'
  readonly from: string
  readonly to: string
}

/** What is to be confined. All paths absolute; `root` is an empty folder to build the new root on. */
export interface ConfinedStart {
  readonly root: string
  readonly cwd: string
  readonly bound: readonly BoundPath[]
  readonly environment: Readonly<Record<string, string>>
  readonly file: string
  readonly args: readonly string[]
}

/** One rung of the ladder: how a start is turned into the start of the confining program. */
export interface Rung {
  readonly isolation: Isolation
  /** True when the process runs under another uid, so that what it reads must be readable for others. */
  readonly otherUser: boolean
  /** True when the group belongs to root and only `sudo kill` reaches it. */
  readonly elevated: string | undefined
  readonly wrap: (start: ConfinedStart) => { readonly file: string; readonly args: readonly string[] }
}

/** uid and gid of `nobody` on Linux. */
export const NOBODY = 65534

const SYSTEM_FOLDERS = ['/usr/bin', '/bin', '/usr/sbin', '/sbin', '/usr/local/bin', '/usr/local/sbin']
const DROP = ['--no-new-privs', '--inh-caps=-all', '--bounding-set=-all']
const NAMESPACES = ['--net', '--pid', '--ipc', '--uts', '--mount', '--fork', '--kill-child=SIGKILL']

/** Absolute path of a program of the operating system, looked for in its own folders and never through PATH. */
export function systemProgram(name: string): string | undefined {
  return SYSTEM_FOLDERS.map(folder => join(folder, name)).find(path => {
    try {
      accessSync(path, constants.X_OK)
      return true
    } catch {
      return false
    }
  })
}

/** The rungs that this machine has the programs for, strongest first; whether one holds only a probe can tell. */
export function candidateRungs(who: {
  readonly platform: NodeJS.Platform
  readonly uid: number
}): readonly Rung[] {
  if (who.platform !== 'linux') return []
  const unshare = systemProgram('unshare')
  const setpriv = systemProgram('setpriv')
  const pivot = systemProgram('pivot_root')
  const sudo = systemProgram('sudo')
  const bwrap = systemProgram('bwrap')
  const rungs: Rung[] = []
  if (unshare !== undefined && setpriv !== undefined && pivot !== undefined) {
    if (who.uid === 0) rungs.push(otherUser({ unshare, setpriv, sudo: undefined }))
    else if (sudo !== undefined) rungs.push(otherUser({ unshare, setpriv, sudo }))
    rungs.push(userNamespace({ unshare, setpriv }))
  }
  if (bwrap !== undefined) rungs.push(bubblewrap(bwrap))
  return rungs
}

function otherUser(programs: { unshare: string; setpriv: string; sudo: string | undefined }): Rung {
  const { unshare, setpriv, sudo } = programs
  const identity = [
    '--reuid',
    String(NOBODY),
    '--regid',
    String(NOBODY),
    '--clear-groups',
    '--ambient-caps=-all',
  ]
  return {
    isolation: 'other-user',
    otherUser: true,
    elevated: sudo,
    wrap: start => {
      const command = [unshare, ...NAMESPACES, ...scriptArguments(start, [setpriv, ...identity, ...DROP])]
      // sudo loses the parent death signal; without it the scanner dies with us even when we are killed.
      const before = sudo === undefined ? [setpriv, '--pdeathsig', 'KILL', '--'] : [sudo, '-n', '--']
      const [file = unshare, ...args] = [...before, ...command]
      return { file, args }
    },
  }
}

function userNamespace({ unshare, setpriv }: { unshare: string; setpriv: string }): Rung {
  return {
    isolation: 'user-namespace',
    otherUser: false,
    elevated: undefined,
    wrap: start => ({
      file: unshare,
      args: ['--user', '--map-root-user', ...NAMESPACES, ...scriptArguments(start, [setpriv, ...DROP])],
    }),
  }
}

function scriptArguments(start: ConfinedStart, drop: readonly string[]): readonly string[] {
  const bound = start.bound.flatMap(({ kind, from, to }) => [kind === 'write' ? 'w' : 'r', from, to])
  const program = [...drop, '--', ...clearedEnvironment(start)]
  return ['/bin/sh', '-c', CONFINEMENT_SCRIPT, 'confine', start.root, start.cwd, ...bound, '--', ...program]
}

function clearedEnvironment(start: ConfinedStart): readonly string[] {
  const variables = Object.entries(start.environment).map(([name, value]) => `${name}=${value}`)
  return ['/usr/bin/env', '-i', ...variables, start.file, ...start.args]
}

function bubblewrap(bwrap: string): Rung {
  return {
    isolation: 'bubblewrap',
    otherUser: false,
    elevated: undefined,
    wrap: start => ({
      file: bwrap,
      args: [
        ...['--unshare-all', '--die-with-parent', '--new-session', '--cap-drop', 'ALL', '--clearenv'],
        ...['--ro-bind', '/usr', '/usr'],
        ...['bin', 'sbin', 'lib', 'lib32', 'lib64', 'libx32'].flatMap(name => [
          '--ro-bind-try',
          `/${name}`,
          `/${name}`,
        ]),
        ...[
          '--ro-bind-try',
          '/etc/ld.so.cache',
          '/etc/ld.so.cache',
          '--proc',
          '/proc',
          '--dev',
          '/dev',
          '--tmpfs',
          '/tmp',
        ],
        ...['--dir', start.cwd],
        ...start.bound.flatMap(({ kind, from, to }) => [kind === 'write' ? '--bind' : '--ro-bind', from, to]),
        ...Object.entries(start.environment).flatMap(([name, value]) => ['--setenv', name, value]),
        ...['--remount-ro', '/', '--chdir', start.cwd, '--', start.file, ...start.args],
      ],
    }),
  }
}
