import { existsSync } from 'node:fs'
import { mkdir, readdir, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { openBench, policyText, readRecord, type Bench } from '../support/gate-runs.js'
import { disorders, makeWorkspace, releaseInputs, runJob } from '../support/jobs.js'
import { makeLayout } from '../support/layouts.js'
import { writeLiar } from '../support/liars.js'
import { runNode } from '../support/terminal.js'
import { bundled } from '../support/tools.js'

let bench: Bench

beforeAll(async () => {
  bench = await openBench()
})

afterAll(async () => {
  await bench.close()
})

describe('hostile names', () => {
  const PAYLOADS = [
    '::error title=PLANTED::pwned',
    '##[error]pwned',
    '::add-mask::a',
    'x%0A::set-output name=verdict::pass',
    '</td></tr></table><h1>PLANTED</h1>',
    '`PLANTED`|@octocat',
  ]

  it('no text of the image starts a command, ends a table, or becomes an output', async () => {
    const workspace = await makeWorkspace(bench, 'vulnerable', policyText())
    await rm(workspace.layout, { recursive: true })
    await makeLayout(workspace.layout, {
      config: { User: '::error::pwned', Labels: { 'a##[error]pwned': '::error::pwned' } },
      layers: [
        {
          createdBy: 'RUN ##[error]pwned\n::error::pwned',
          files: [
            { path: 'lib/apk/db/installed', content: PAYLOADS.map(apkEntry).join('\n') },
            { path: 'etc/os-release', content: 'ID=alpine\nVERSION_ID=3.20.3\n' },
            { path: 'etc/alpine-release', content: '3.20.3\n' },
            ...PAYLOADS.flatMap((payload, at) => [
              {
                path: `opt/${payload.replaceAll('/', '_')}\n${payload.replaceAll('/', '_')}`,
                content: '\u007fELF',
                mode: 0o755,
              },
              {
                path: `srv/${at}/${payload.replaceAll('/', '_')}.env`,
                content: `AWS_SECRET_ACCESS_KEY=${secretKey(at)}\naws_access_key_id=AKIA${'ABCDEFGHIJKLMNOP'.slice(0, 15)}${at}\n`,
              },
            ]),
          ],
        },
      ],
    })
    const result = await runJob(bench, workspace, { inputs: releaseInputs(bench, 'hostile') })
    expect([1, 3]).toContain(result.code)
    expect(disorders(result)).toEqual([])
    expect(result.commands.filter(command => command.name === 'add-mask')).toEqual([])
    for (const { data, properties } of result.commands) {
      expect(data.startsWith('pwned')).toBe(false)
      expect(properties['title'] ?? '').not.toContain('PLANTED')
    }
    // Inside a code span nothing is markup; a backtick of the image may not end one.
    expect(result.summary.replaceAll(/`[^`\n]*`/g, '')).not.toMatch(/<h1>|<\/table>|@octocat|`/)
    expect(result.outputs['verdict']).not.toBe('pass')
    const record = await readRecord(result.outputs['report-dir'] ?? '')
    const seen = JSON.stringify(record?.verdict?.results)
    expect(seen).toContain('pwned')
    expect(await bench.registry.catalog()).not.toContain('hostile')
  })
})

/** In the form of a secret access key, made here and valid nowhere. */
function secretKey(at: number): string {
  return Array.from({ length: 40 }, (_, index) =>
    'abcdefghijklmnopqrstuvwxyzABCDEFGHIJ0123456789'.charAt((index * 7 + at * 13) % 46),
  ).join('')
}

function apkEntry(name: string): string {
  return `P:${name}\nV:1.0.0-r0\nA:x86_64\nS:1\nI:1\nT:${name}\nL:MIT\no:${name}\n`
}

describe('a step that is killed', () => {
  it('leaves nothing behind once the post step has run', async () => {
    const workspace = await makeWorkspace(bench, 'fixed', policyText(['tool.verified']))
    const killed = { workDir: '' }
    const temp = await bench.folder('job')
    const liar = await writeLiar(await bench.folder('liar'), 'trivy', 'hanging')
    const tools = `dir:${await bench.toolsWith({ trivy: liar })}`
    const result = await runJob(bench, workspace, {
      inputs: { ...releaseInputs(bench, 'killed'), tools },
      temp,
      started: pid => {
        void killDuringInspection(temp, pid).then(workDir => (killed.workDir = workDir))
      },
    })
    expect(result.signal).toBe('SIGKILL')
    expect(killed.workDir).not.toBe('')
    expect(result.state['work-dir']).toBe(killed.workDir)
    expect(result.post.code).toBe(0)
    expect(existsSync(killed.workDir)).toBe(false)
    expect(await bench.registry.tags('killed')).toEqual([])
    await sleep(1000)
    expect(await scannersAlive(killed.workDir)).toEqual([])
  })

  /** Confined processes that were started for this folder. Under sudo they end by themselves, but later. */
  async function scannersAlive(workDir: string): Promise<readonly string[]> {
    if (process.getuid?.() !== 0) return []
    const found: string[] = []
    for (const pid of (await readdir('/proc')).filter(name => /^\d+$/.test(name))) {
      const command = await readFile(`/proc/${pid}/cmdline`, 'latin1').catch(() => '')
      if (command.includes(workDir)) found.push(command.replaceAll('\0', ' '))
    }
    return found
  }

  async function killDuringInspection(temp: string, pid: number): Promise<string> {
    while (existsSync(`/proc/${pid}`)) {
      await sleep(20)
      const work = (await readdir(temp, { recursive: true })).find(path =>
        /\/portcullis-[^/]+\/gate-[^/]+\/inspect$/.test(path),
      )
      if (work === undefined) continue
      await sleep(500)
      process.kill(pid, 'SIGKILL')
      return join(temp, work, '..', '..')
    }
    return 'the step ended before it could be killed'
  }

  it('the post step of a step that was not killed finds nothing and says nothing', async () => {
    const workspace = await makeWorkspace(bench, 'fixed')
    const result = await runJob(bench, workspace, {
      inputs: { image: 'ghcr.io/a/b' },
      event: { name: 'schedule' },
    })
    expect([result.post.code, result.post.stdout, result.post.stderr]).toEqual([0, '', ''])
  })

  it.each(['/etc', '/tmp', 'portcullis-abc123', '/home/portcullis-'])(
    'the post step never removes %s',
    async path => {
      const cwd = await bench.folder('post')
      await mkdir(join(cwd, 'portcullis-abc123'))
      const ending = await runNode({ script: bundled('post'), cwd, env: { 'STATE_work-dir': path } })
      expect(existsSync(path === 'portcullis-abc123' ? join(cwd, path) : '/etc')).toBe(true)
      expect([0, 3]).toContain(ending.code)
    },
  )
})
