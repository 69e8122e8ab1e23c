import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { machinePath, run } from './tools.js'

/** A Docker engine of the tests' own. */
export interface TestDocker {
  /** For DOCKER_HOST. */
  readonly host: string
  readonly stop: () => Promise<void>
}

const ATTEMPTS = 100
const PAUSE_MS = 200

/**
 * Starts a daemon with its own data folder and socket, without touching the network or the images of the machine.
 * Needs root and Debian's docker.io; throws with the daemon's last lines when it does not answer, never skips.
 */
export async function startDocker(): Promise<TestDocker> {
  const program = machinePath('dockerd')
  // A socket path may have 107 bytes: the folder's name is short.
  const dir = await mkdtemp(join(tmpdir(), 'dd-'))
  const socket = join(dir, 'docker.sock')
  const flags = ['--bridge', 'none', '--iptables=false', '--ip-forward=false', '--log-level', 'warn']
  const folders = [
    '--data-root',
    join(dir, 'data'),
    '--exec-root',
    join(dir, 'exec'),
    '--pidfile',
    join(dir, 'pid'),
  ]
  const daemon = spawn(program, [...folders, ...flags, '-H', `unix://${socket}`], {
    env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', HOME: dir },
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  let printed = ''
  daemon.stderr.setEncoding('utf8').on('data', (text: string) => (printed = (printed + text).slice(-4000)))
  const ended = new Promise<void>(resolve => daemon.once('close', () => resolve()))

  async function stop(): Promise<void> {
    if (daemon.exitCode === null) daemon.kill('SIGTERM')
    await ended
    await rm(dir, { recursive: true, force: true })
  }

  for (let attempt = 0; attempt < ATTEMPTS && daemon.exitCode === null; attempt += 1) {
    if (existsSync(socket) && (await answers(socket))) return { host: `unix://${socket}`, stop }
    await new Promise(resolve => setTimeout(resolve, PAUSE_MS))
  }
  await stop()
  throw new Error(`dockerd does not answer; its last lines:\n${printed}`)
}

async function answers(socket: string): Promise<boolean> {
  return run(machinePath('docker'), ['-H', `unix://${socket}`, 'version']).then(
    () => true,
    () => false,
  )
}
