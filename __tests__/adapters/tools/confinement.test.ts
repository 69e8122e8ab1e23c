import { spawn } from 'node:child_process'
import {
  chmodSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { z } from 'zod'
import type { Isolation } from '../../../src/evidence/tooling.js'
import type { Command, Commands } from '../../../src/tools/command.js'
import { createCommands } from '../../../src/tools/commands.js'
import { candidateRungs } from '../../../src/tools/confinement.js'
import { makeLayout } from '../../support/layouts.js'
import { reasonOfAsync } from '../../support/reasons.js'

const SH = { name: 'sh', path: '/bin/sh' }
const RUNGS: readonly Isolation[] = candidateRungs({
  platform: process.platform,
  uid: process.getuid?.() ?? -1,
}).map(rung => rung.isolation)
let workDir: string
let commands: Commands

beforeEach(() => {
  workDir = mkdtempSync(join(tmpdir(), 'portcullis-confined-'))
  chmodSync(workDir, 0o700)
})
afterEach(async () => {
  await commands.stopAll()
  rmSync(workDir, { recursive: true, force: true })
})

function start(rung?: Isolation): Commands {
  const rungs = rung === undefined ? {} : { rungs: [rung] }
  commands = createCommands({
    environment: { PATH: process.env['PATH'], SECRET: 'planted' },
    workDir,
    ...rungs,
  })
  return commands
}

function shell(script: string, change: Partial<Command> = {}): Command {
  return { program: SH, args: ['-c', script, 'sh', workDir], grant: 'scanner', timeoutMs: 20_000, ...change }
}

test('this machine has rungs, and the strongest one holds', async () => {
  expect(RUNGS[0]).toBe('other-user')
  expect(await start().isolation()).toBe('other-user')
})

test('no rung allowed is none, and the scanner still runs with its own environment', async () => {
  commands = createCommands({ environment: { SECRET: 'planted' }, workDir, rungs: [] })
  expect(await commands.isolation()).toBe('none')
  const { stdout } = await commands.run(shell('env'))
  expect(stdout).not.toContain('planted')
})

describe.each(RUNGS)('%s', rung => {
  test('holds here', async () => {
    expect(await start(rung).isolation()).toBe(rung)
  })

  test('the environment of no other process can be read', async () => {
    const sentinel = spawn('/bin/sleep', ['60'], { env: { MARK: 'sentinel-secret' }, stdio: 'ignore' })
    const own = `/proc/${process.pid}/environ /proc/${sentinel.pid ?? 0}/environ`
    const script = `cat ${own} 2>/dev/null | grep -c "" ; cat /proc/[0-9]*/environ 2>/dev/null | tr '\\0' '\\n'; ls -d /proc/[0-9]* | wc -l`
    const { stdout } = await start(rung).run(shell(script))
    sentinel.kill('SIGKILL')
    const [parent, ...rest] = stdout.trim().split('\n')
    expect(parent).toBe('0')
    expect(rest.join('\n')).not.toMatch(/sentinel-secret|planted/u)
    expect(Number(rest.at(-1))).toBeLessThan(12)
  })

  test('there is no network, not even to loopback services of the machine', async () => {
    const server = createServer((_request, response) => void response.end('reached'))
    await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
    const address = server.address()
    const port = typeof address === 'object' && address !== null ? address.port : 0
    const script = `
      const net = require('node:net')
      const tries = [['127.0.0.1', ${port}], ['192.0.2.1', 80]].map(([host, port]) => new Promise(done => {
        const socket = net.connect(port, host, () => done('reached'))
        socket.on('error', error => done(error.code))
        setTimeout(() => done('silent'), 3000)
      }))
      Promise.all(tries).then(answers => { console.log(answers.join()); process.exit() })`
    const node = { name: 'node', path: process.execPath }
    const { stdout } = await start(rung).run(shell('', { program: node, args: ['-e', script] }))
    server.close()
    expect(stdout.trim()).toMatch(/^(?:ECONNREFUSED|ENETUNREACH),ENETUNREACH$/u)
  })

  test('only the listed paths are there, and only the write ones can be written', async () => {
    for (const name of ['in', 'other']) mkdirSync(join(workDir, name), { mode: 0o700 })
    writeFileSync(join(workDir, 'in', 'note'), 'readable', { mode: 0o600 })
    writeFileSync(join(workDir, 'other', 'key'), 'private')
    const script = `cat "$1/in/note"; echo
      cat "$1/other/key" 2>/dev/null; ls /root /home /var 2>/dev/null
      for place in "$1/in/x" "$1/in/note" /usr/x /x /etc/x "$1/x"; do (echo x > $place) 2>/dev/null && echo "wrote $place"; done
      mkdir "$1/out/sub" && echo result > "$1/out/sub/report"`
    const paths = { read: [join(workDir, 'in')], write: [join(workDir, 'out')] }
    const { stdout } = await start(rung).run(shell(`${script}; true`, { paths }))
    expect(stdout.replaceAll(`wrote ${workDir}/x\n`, '')).toBe('readable\n')
    expect(existsSync(join(workDir, 'x'))).toBe(false)
    expect(readFileSync(join(workDir, 'out', 'sub', 'report'), 'utf8')).toBe('result\n')
    expect(statSync(join(workDir, 'out', 'sub')).uid).toBe(process.getuid?.())
  })

  test('it has no capabilities and cannot get new ones', async () => {
    const { stdout } = await start(rung).run(
      shell('grep -E "^(Cap(Prm|Eff|Bnd|Amb)|NoNewPrivs)" /proc/self/status'),
    )
    expect(stdout.replaceAll(/\s+/gu, ' ').trim()).toBe(
      `CapPrm: ${'0'.repeat(16)} CapEff: ${'0'.repeat(16)} CapBnd: ${'0'.repeat(16)} CapAmb: ${'0'.repeat(16)} NoNewPrivs: 1`,
    )
  })

  test('links in the output folder are refused', async () => {
    const paths = { read: [], write: [join(workDir, 'out')] }
    const result = reasonOfAsync(start(rung).run(shell('ln -s /etc/passwd "$1/out/report"', { paths })))
    expect(await result).toBe('foreign-output')
    expect(lstatSync(join(workDir, 'out', 'report')).isSymbolicLink()).toBe(true)
  })

  test('what a layout shares by hard links keeps its modes', async () => {
    for (const name of ['a', 'b']) mkdirSync(join(workDir, name), { mode: 0o700 })
    writeFileSync(join(workDir, 'a', 'blob'), 'bytes', { mode: 0o600 })
    linkSync(join(workDir, 'a', 'blob'), join(workDir, 'b', 'blob'))
    const paths = { read: [join(workDir, 'b')], write: [] }
    expect((await start(rung).run(shell('cat "$1/b/blob"', { paths }))).stdout).toBe('bytes')
    expect(statSync(join(workDir, 'a', 'blob')).mode & 0o777).toBe(0o600)
  })
})

describe('the real scanners', () => {
  const toolchain = z.record(z.string(), z.object({ path: z.string(), sha256: z.string() }))

  function tool(name: string) {
    const list = process.env['PORTCULLIS_TOOLCHAIN']
    if (list === undefined) throw new Error('PORTCULLIS_TOOLCHAIN is not set: run `npm test`')
    const built = toolchain.parse(JSON.parse(readFileSync(list, 'utf8')))[name]
    if (built === undefined) throw new Error(`${name} is not built: run node toolchain/build.mjs ${name}`)
    return { name, path: built.path, sha256: built.sha256 }
  }

  async function layout(): Promise<void> {
    const metadata = 'Metadata-Version: 2.1\nName: requests\nVersion: 2.19.0\n'
    const path = 'usr/lib/python3/dist-packages/requests-2.19.0.dist-info/METADATA'
    await makeLayout(join(workDir, 'image'), { layers: [{ files: [{ path, content: metadata }] }] })
  }

  test.each(RUNGS)('Syft reads a layout and writes its output (%s)', async rung => {
    await layout()
    await start(rung).run({
      ...{ program: tool('syft'), grant: 'scanner', timeoutMs: 120_000, cwd: workDir },
      args: ['scan', 'oci-dir:image', '-q', '-o', `spdx-json=${join(workDir, 'out', 'sbom.json')}`],
      variables: { SYFT_CHECK_FOR_APP_UPDATE: 'false' },
      paths: { read: [join(workDir, 'image')], write: [join(workDir, 'out')] },
    })
    expect(readFileSync(join(workDir, 'out', 'sbom.json'), 'utf8')).toContain('pkg:pypi/requests@2.19.0')
  })

  test.each(RUNGS)('Trivy reads a layout and writes its output (%s)', async rung => {
    await layout()
    await start(rung).run({
      ...{ program: tool('trivy'), grant: 'scanner', timeoutMs: 120_000, cwd: workDir },
      args: [
        ...['image', '--input', 'image', '--scanners', 'secret', '--format', 'json', '--list-all-pkgs'],
        ...['--cache-backend', 'memory', '--cache-dir', join(workDir, 'cache'), '--config', '/dev/null'],
        ...['--quiet', '--no-progress', '--skip-version-check', '--disable-telemetry', '--offline-scan'],
        ...['--ignorefile', '/dev/null', '-o', join(workDir, 'out', 'report.json')],
      ],
      paths: { read: [join(workDir, 'image')], write: [join(workDir, 'out'), join(workDir, 'cache')] },
    })
    const report: unknown = JSON.parse(readFileSync(join(workDir, 'out', 'report.json'), 'utf8'))
    expect(report).toMatchObject({ SchemaVersion: 2, ArtifactName: 'image' })
  })
})
