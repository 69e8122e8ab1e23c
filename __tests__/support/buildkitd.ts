import { spawn } from 'node:child_process'
import { mkdir, mkdtemp, rm, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { builtProgram } from './programs.js'
import { machinePath, run } from './tools.js'

const SYSTEM_PATH = '/usr/sbin:/usr/bin:/sbin:/bin'
const ATTEMPTS = 100
const PAUSE_MS = 200

/** A BuildKit of the tests' own, known to buildx as a remote builder. */
export interface TestBuildkit {
  /** Name of the builder; also the one that is selected. */
  readonly builder: string
  /** BUILDX_CONFIG, and a PATH with buildx and without buildkitd. */
  readonly environment: Readonly<Record<string, string>>
  readonly stop: () => Promise<void>
}

/** A folder with the built programs of these names, to be put on PATH. */
export async function programsFolder(into: string, names: readonly string[]): Promise<string> {
  const bin = join(into, 'bin')
  await mkdir(bin, { recursive: true })
  for (const name of names) await symlink(builtProgram(name).path, join(bin, name))
  return bin
}

/**
 * Starts buildkitd as root with its own data folder and socket, in namespaces of its own, and makes a builder for it.
 * Throws with the daemon's last lines when it does not answer, never skips.
 */
export async function startBuildkit(): Promise<TestBuildkit> {
  machinePath('runc')
  const dir = await mkdtemp(join(tmpdir(), 'bk-'))
  const address = `unix://${join(dir, 'sock')}`
  const namespaces = [
    '--mount',
    '--propagation',
    'private',
    '--pid',
    '--fork',
    '--kill-child',
    '--mount-proc',
  ]
  const flags = ['--addr', address, '--root', join(dir, 'root'), '--containerd-worker=false']
  const daemon = spawn('/usr/bin/unshare', [...namespaces, builtProgram('buildkitd').path, ...flags], {
    env: { PATH: SYSTEM_PATH, HOME: dir },
    stdio: ['ignore', 'ignore', 'pipe'],
    detached: true,
  })
  let printed = ''
  daemon.stderr.setEncoding('utf8').on('data', (text: string) => (printed = (printed + text).slice(-4000)))
  const ended = new Promise<void>(resolve => daemon.once('close', () => resolve()))
  const bin = await programsFolder(dir, ['buildx'])
  const environment = {
    PATH: `${bin}:${SYSTEM_PATH}`,
    HOME: dir,
    BUILDX_CONFIG: join(dir, 'buildx'),
  }

  async function stop(): Promise<void> {
    // The whole group: unshare itself does not hand a signal on.
    if (daemon.exitCode === null && daemon.pid !== undefined) process.kill(-daemon.pid, 'SIGTERM')
    await ended
    await rm(dir, { recursive: true, force: true })
  }

  const buildx = builtProgram('buildx').path
  const create = ['create', '--name', 'tests', '--driver', 'remote', '--use', address]
  await run(buildx, create, { env: environment })
  for (let attempt = 0; attempt < ATTEMPTS && daemon.exitCode === null; attempt += 1) {
    const { stdout } = await run(buildx, ['inspect', 'tests'], { env: environment })
    if (/^Status:\s+running$/m.test(stdout)) return { builder: 'tests', environment, stop }
    await new Promise(resolve => setTimeout(resolve, PAUSE_MS))
  }
  await stop()
  throw new Error(`buildkitd does not answer; its last lines:\n${printed}`)
}

/** A tree in which `sh`, `cat` and `wc` of this machine run, to build images on without any registry. */
export async function smallRoot(into: string): Promise<string> {
  const root = join(into, 'root')
  const files = [
    ['/bin/dash', '/bin/sh'],
    ['/bin/cat', '/bin/cat'],
    ['/usr/bin/wc', '/bin/wc'],
    ['/lib64/ld-linux-x86-64.so.2', '/lib64/ld-linux-x86-64.so.2'],
    ['/lib/x86_64-linux-gnu/libc.so.6', '/lib/x86_64-linux-gnu/libc.so.6'],
  ]
  for (const folder of ['bin', 'lib64', 'lib/x86_64-linux-gnu'])
    await mkdir(join(root, folder), { recursive: true })
  for (const [from = '', to = ''] of files) await run('/bin/cp', ['-L', from, join(root, to)])
  return root
}
