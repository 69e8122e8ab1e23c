import { spawn } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { freePort, type ReferrersRegistry } from './olareg.js'
import { machinePath } from './tools.js'

const START_MS = 20_000

/** Debian's docker-registry (distribution 2.8: no referrers interface), files in a folder of its own, on loopback. */
export async function startDockerRegistry(): Promise<ReferrersRegistry> {
  const dir = await mkdtemp(join(tmpdir(), 'pc-docker-registry-'))
  const host = `127.0.0.1:${String(await freePort())}`
  const config = join(dir, 'config.yml')
  const storage = `storage: {filesystem: {rootdirectory: ${join(dir, 'data')}}, delete: {enabled: true}}`
  await writeFile(config, `version: 0.1\nlog: {level: error}\n${storage}\nhttp: {addr: "${host}"}\n`)
  const env = { PATH: '/usr/bin:/bin', HOME: dir, OTEL_TRACES_EXPORTER: 'none' }
  const child = spawn(machinePath('docker-registry'), ['serve', config], { cwd: dir, env, stdio: 'ignore' })
  const gone = new Promise<void>(resolve => child.once('exit', () => resolve()))
  const until = Date.now() + START_MS
  while ((await fetch(`http://${host}/v2/`).catch(() => null))?.ok !== true) {
    if (child.exitCode !== null || Date.now() > until) throw new Error('docker-registry did not start')
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
