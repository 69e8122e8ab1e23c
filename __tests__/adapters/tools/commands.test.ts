import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import { setTimeout as wait } from 'node:timers/promises'
import type { Command, Commands, Grant } from '../../../src/tools/command.js'
import { createCommands } from '../../../src/tools/commands.js'
import { hashFile } from '../../../src/tools/hash.js'
import { reasonOfAsync } from '../../support/reasons.js'

const SH = { name: 'sh', path: '/bin/sh' }
const GRANTS: readonly Grant[] = ['scanner', 'engine', 'registry', 'signer', 'toolchain']
const PLANTED = {
  ...{ 'INPUT_REGISTRY-PASSWORD': 'planted-input', INPUT_KEY: 'planted-key', GITHUB_TOKEN: 'planted-github' },
  ...{ ACTIONS_ID_TOKEN_REQUEST_TOKEN: 'planted-id', ACTIONS_RUNTIME_TOKEN: 'planted-runtime' },
  ...{
    AWS_SECRET_ACCESS_KEY: 'planted-aws',
    AZURE_CLIENT_SECRET: 'planted-azure',
    VAULT_TOKEN: 'planted-vault',
  },
  ...{ GITHUB_ENV: '/planted/env', GITHUB_PATH: '/planted/path', COSIGN_PASSWORD: 'planted-password' },
}
let workDir: string
let commands: Commands
let stop: AbortController

beforeEach(() => {
  workDir = mkdtempSync(join(tmpdir(), 'portcullis-commands-'))
  chmodSync(workDir, 0o700)
  stop = new AbortController()
  const environment = { ...PLANTED, PATH: process.env['PATH'], HOME: process.env['HOME'] }
  commands = createCommands({ environment, workDir, signal: stop.signal })
})
afterEach(async () => {
  await commands.stopAll()
  rmSync(workDir, { recursive: true, force: true })
})

function shell(script: string, change: Partial<Command> = {}): Command {
  return { program: SH, args: ['-c', script], grant: 'registry', timeoutMs: 20_000, ...change }
}

function isAlive(pid: number): boolean {
  try {
    // A process that nobody reaped is a name without a process.
    return !/^State:\s+[ZX]/mu.test(readFileSync(`/proc/${pid}/status`, 'utf8'))
  } catch {
    return false
  }
}

test.each(GRANTS)('%s: nothing planted is in the environment of the process or its children', async grant => {
  const { stdout } = await commands.run(
    shell('env; sh -c "cat /proc/self/environ" | tr "\\\\0" "\\\\n"', { grant }),
  )
  expect(stdout).toContain('LANG=C.UTF-8')
  expect(stdout).not.toContain('planted')
})

test.each(GRANTS)('%s: the process starts in a fresh empty folder of the run', async grant => {
  const { stdout } = await commands.run(shell('pwd; ls -A', { grant }))
  expect(stdout).toMatch(new RegExp(`^${workDir}/[^/]+\\n$`, 'u'))
})

test('arguments and input reach the program as they are', async () => {
  const args = ['-c', 'printf "%s|" "$@"; cat', 'x', '$(id)', 'a b', '*', '; exit 9', '']
  expect((await commands.run(shell('', { args, stdin: 'in' }))).stdout).toBe('$(id)|a b|*|; exit 9||in')
})

describe('a stream as input', () => {
  function* pieces(count: number): Generator<Buffer> {
    for (let at = 0; at < count; at += 1) yield Buffer.alloc(64 * 1024, at)
  }

  test('reaches the program whole', async () => {
    const stdin = Readable.from(pieces(100))
    expect((await commands.run(shell('wc -c', { stdin }))).stdout.trim()).toBe(String(100 * 64 * 1024))
  })

  test('is let go when the program reads no more', async () => {
    const stdin = Readable.from(pieces(100))
    expect((await commands.run(shell('head -c 3 >/dev/null', { stdin }))).stdout).toBe('')
    await wait(50)
    expect(stdin.destroyed).toBe(true)
  })

  test('that breaks ends the input, and its owner sees the error', async () => {
    const stdin = Readable.from(broken())
    const seen: unknown[] = []
    stdin.once('error', error => seen.push(error))
    expect(Number((await commands.run(shell('wc -c', { stdin }))).stdout)).toBeLessThanOrEqual(64 * 1024)
    expect(seen).toEqual([new Error('the disk broke')])
  })

  function* broken(): Generator<Buffer> {
    yield Buffer.alloc(64 * 1024)
    throw new Error('the disk broke')
  }
})

test.each(['registry', 'scanner'] as const)('%s: each way to end badly has its own reason', async grant => {
  const cases: readonly (readonly [string, Partial<Command>, string])[] = [
    ['exit 3', {}, 'exit-code'],
    ['echo fine; exit 1', {}, 'exit-code'],
    ['kill -9 $$', {}, 'killed'],
    ['sleep 60', { timeoutMs: 300 }, 'timed-out'],
    ['trap "" TERM; sleep 60 & wait; wait; sleep 60', { timeoutMs: 300 }, 'timed-out'],
    ['yes', { maxOutputBytes: 10_000 }, 'output-too-big'],
    ['yes >&2', { maxOutputBytes: 10_000 }, 'output-too-big'],
  ]
  for (const [script, change, reason] of cases)
    expect([script, await reasonOfAsync(commands.run(shell(script, { ...change, grant })))]).toEqual([
      script,
      reason,
    ])
})

test('words on stderr fail nothing: the exit code alone decides', async () => {
  const { stderr } = await commands.run(shell('echo "ERROR: fatal" >&2'))
  expect(stderr).toBe('ERROR: fatal\n')
})

test('a program that is not there, or may not be executed, is named', async () => {
  const none = { name: 'none', path: '/nonexistent/none' }
  expect(await reasonOfAsync(commands.run(shell('', { program: none })))).toBe('not-found')
  const file = join(workDir, 'plain')
  writeFileSync(file, 'text')
  expect(await reasonOfAsync(commands.run(shell('', { program: { name: 'plain', path: file } })))).toBe(
    'not-found',
  )
  await expect(commands.run(shell('', { program: { name: 'sh', path: 'sh' } }))).rejects.toThrow(TypeError)
})

test('a program changed after it was proved is not started', async () => {
  const path = join(workDir, 'tool')
  writeFileSync(path, `#!/bin/sh\necho good\n`, { mode: 0o755 })
  const program = { name: 'tool', path, sha256: await hashFile(path) }
  for (const grant of ['registry', 'scanner'] as const)
    expect((await commands.run(shell('', { program, grant, args: [] }))).stdout).toBe('good\n')
  writeFileSync(path, `#!/bin/sh\ntouch ${workDir}/evil\n`)
  for (const grant of ['registry', 'scanner'] as const)
    expect(await reasonOfAsync(commands.run(shell('', { program, grant, args: [] })))).toBe('hash-changed')
  expect(existsSync(join(workDir, 'evil'))).toBe(false)
})

test('messages carry the last lines, harmless and without secrets', async () => {
  const script = 'printf "::error::x\\n\\033[31m##[warning]y\\n$COSIGN_PASSWORD\\n" >&2; exit 1'
  const command = shell(script, { grant: 'signer', variables: { COSIGN_PASSWORD: 'sesame-word' } })
  await expect(commands.run(command)).rejects.toThrow(
    'sh failed with exit code 1.\nIts last lines:\n: :error: :x\n# #[warning]y\n***',
  )
})

test('variables that a grant does not hold are a defect', async () => {
  await expect(commands.run(shell('', { variables: { GITHUB_TOKEN: 'x' } }))).rejects.toThrow(TypeError)
})

test.each(['registry', 'scanner'] as const)(
  '%s: what a process leaves behind is gone when it ends',
  async grant => {
    const mark = `${60 + Math.floor(Math.random() * 1e6)}`
    const program = { grant, timeoutMs: 20_000 } as const
    await commands.run(shell(`sleep ${mark} >/dev/null 2>&1 </dev/null & exit 0`, program))
    expect(await running(`sleep\u0000${mark}`)).toEqual([])
  },
)

test('scanner: even a daemon in a session of its own is gone when the scanner ends', async () => {
  const mark = `${60 + Math.floor(Math.random() * 1e6)}`
  const script = `setsid sh -c 'setsid sleep ${mark} >/dev/null 2>&1 </dev/null &' & sleep 0.3; pgrep -c sleep`
  const { stdout } = await commands.run(shell(script, { grant: 'scanner' }))
  expect(stdout.trim()).toBe('1')
  expect(await running(`sleep\u0000${mark}`)).toEqual([])
})

test('a daemon outside the group that holds the output open makes the result a failure', async () => {
  const held = 'setsid sh -c "echo \\$\\$ > $0/pid; exec sleep 30" & sleep 0.3'
  const result = reasonOfAsync(commands.run(shell('', { args: ['-c', held, workDir] })))
  expect(await result).toBe('left-running')
  process.kill(Number(readFileSync(join(workDir, 'pid'), 'utf8')), 'SIGKILL')
})

test('cancelling ends what runs and refuses what comes', async () => {
  const pidFile = join(workDir, 'pid')
  const result = reasonOfAsync(commands.run(shell(`echo $$ > ${pidFile}; sleep 60`)))
  while (!existsSync(pidFile) || readFileSync(pidFile, 'utf8') === '') await wait(10)
  stop.abort()
  expect(await result).toBe('cancelled')
  expect(isAlive(Number(readFileSync(pidFile, 'utf8')))).toBe(false)
  expect(await reasonOfAsync(commands.run(shell('exit 0')))).toBe('cancelled')
})

test('a stream ends well only when the program did', async () => {
  const good = commands.stream(shell('echo one; echo two'))
  expect(await text(good.stdout)).toBe('one\ntwo\n')
  await expect(good.done).resolves.toMatchObject({ stderr: '' })
  const bad = commands.stream(shell('echo one; exit 4'))
  await expect(text(bad.stdout)).rejects.toMatchObject({ reason: 'exit-code' })
  await expect(bad.done).rejects.toMatchObject({ reason: 'exit-code' })
  const never = commands.stream(shell('', { program: { name: 'none', path: '/nonexistent' } }))
  await expect(text(never.stdout)).rejects.toMatchObject({ reason: 'not-found' })
})

test.each([100_000, 200_000, 260_000])(
  'a stream of %d bytes is whole for a reader that comes late',
  async size => {
    const { stdout, done } = commands.stream(shell(`head -c ${size} /dev/zero`))
    await wait(700)
    const read = await text(stdout)
    await done
    expect(read).toHaveLength(size)
  },
)

test('a stream that nobody wants any more does not keep its process waiting', async () => {
  const { stdout, done } = commands.stream(shell('head -c 260000 /dev/zero'))
  stdout.destroy()
  await expect(done).resolves.toMatchObject({ stdout: '' })
})

test('a stream of a slow reader is whole', async () => {
  const { stdout, done } = commands.stream(shell('head -c 3000000 /dev/zero'))
  await wait(300)
  let size = 0
  for await (const chunk of stdout) size += (chunk as Buffer).length
  expect(size).toBe(3_000_000)
  await done
})

test('a service runs until it is stopped, and shows what it wrote', async () => {
  const service = await commands.serve(shell('echo ready on $$; exec sleep 300', { timeoutMs: 1 }))
  while (!service.output().includes('ready')) await wait(10)
  const pid = Number(/on (\d+)/u.exec(service.output())?.[1])
  expect(isAlive(pid)).toBe(true)
  await service.stop()
  expect(isAlive(pid)).toBe(false)
})

test('stopAll ends services too', async () => {
  const service = await commands.serve(shell('echo $$; exec sleep 300'))
  while (service.output() === '') await wait(10)
  await commands.stopAll()
  expect(isAlive(Number(service.output()))).toBe(false)
})

/** Processes whose command line holds the text, zombies left out. */
async function running(fragment: string): Promise<readonly string[]> {
  const { readdir } = await import('node:fs/promises')
  const pids = (await readdir('/proc')).filter(name => /^\d+$/u.test(name))
  return pids.filter(pid => {
    try {
      return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(fragment) && isAlive(Number(pid))
    } catch {
      return false
    }
  })
}

test('folders of a scanner are removed when it ends', async () => {
  await commands.run(shell('echo x > "$HOME/file"; ln -s /etc "$TMPDIR/link"', { grant: 'scanner' }))
  const { readdir } = await import('node:fs/promises')
  const left = (await readdir(workDir, { recursive: true })).filter(name =>
    /file|link|home\/home|root-/u.test(name),
  )
  expect(left).toEqual([])
})
