import { mkdtemp, rm } from 'node:fs/promises'
import { spawn } from 'node:child_process'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { builtProgram } from './programs.js'

/** A real registry on loopback. */
export interface ReferrersRegistry {
  /** `127.0.0.1:PORT`. */
  readonly host: string
  readonly stop: () => Promise<void>
}

const START_MS = 20_000

/** olareg: the referrers API, in memory. */
export async function startOlareg(): Promise<ReferrersRegistry> {
  const dir = await mkdtemp(join(tmpdir(), 'pc-olareg-'))
  const port = await freePort()
  const args = ['serve', '--addr', '127.0.0.1', '--port', String(port), '--store-type', 'mem', '--dir', dir]
  const env = { PATH: '/usr/bin:/bin', HOME: dir }
  const child = spawn(builtProgram('olareg').path, args, { cwd: dir, env, stdio: 'ignore' })
  const gone = new Promise<void>(resolve => child.once('exit', () => resolve()))
  const host = `127.0.0.1:${String(port)}`
  const until = Date.now() + START_MS
  while (!(await answers(host))) {
    if (child.exitCode !== null || Date.now() > until) throw new Error('olareg did not start')
    await sleep(25)
  }
  return {
    host,
    stop: async () => {
      child.kill('SIGKILL')
      await gone
      await rm(dir, { recursive: true, force: true })
    },
  }
}

async function answers(host: string): Promise<boolean> {
  const answer = await fetch(`http://${host}/v2/`).catch(() => null)
  return answer?.ok === true
}

/** A port that is free now. */
export async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  await new Promise(resolve => server.close(resolve))
  if (address === null || typeof address === 'string') throw new Error('there is no free port')
  return address.port
}
