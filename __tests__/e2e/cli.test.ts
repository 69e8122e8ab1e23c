import { existsSync, readFileSync } from 'node:fs'
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { join, relative } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { cachedName, toolCacheFolder } from '../../src/tools/cache.js'
import { pinnedAsset } from '../../src/tools/install.js'
import {
  makeProject,
  openBench,
  policyText,
  recordOf,
  runGate,
  type Bench,
  type GateResult,
  type Project,
} from '../support/gate-runs.js'
import { writeLiar } from '../support/liars.js'
import { portcullis, shellEnvironment, type Ending } from '../support/terminal.js'
import { ROOT } from '../support/tools.js'

let bench: Bench
let project: Project
let released: GateResult

async function call(...args: readonly string[]): Promise<Ending> {
  const [home, tmp, cwd] = await Promise.all(['home', 'tmp', 'cwd'].map(name => bench.folder(name)))
  return await portcullis(args, {
    cwd: cwd ?? '',
    env: { ...shellEnvironment({ home: home ?? '', tmp: tmp ?? '' }), PORTCULLIS_CACHE: home ?? '' },
  })
}

beforeAll(async () => {
  bench = await openBench()
  project = await makeProject(bench, 'fixed')
  released = await runGate(bench, project, { repository: 'app' })
})

afterAll(async () => {
  await bench.close()
})

describe('words without a run', () => {
  it('--version is the version of package.json', async () => {
    const text = await readFile(join(ROOT, 'package.json'), 'utf8')
    const { version } = JSON.parse(text) as { readonly version: string }
    const ending = await call('--version')
    expect([ending.code, ending.stdout.trim(), ending.stderr]).toEqual([0, version, ''])
  })

  it('--help names every verb there is, and no verb that is not there', async () => {
    const { code, stdout } = await call('--help')
    expect(code).toBe(0)
    for (const verb of ['gate', 'release', 'verify', 'report', 'tools', 'demo'])
      expect(stdout).toMatch(new RegExp(`^ +${verb} `, 'm'))
    for (const verb of ['monitor', 'recall', 'aggregate'])
      expect(stdout).not.toMatch(new RegExp(`^ +${verb} `, 'm'))
  })

  it('gate --help says which flags are not available yet', async () => {
    const { code, stdout } = await call('gate', '--help')
    expect(code).toBe(0)
    expect(stdout.replaceAll(/\s+/g, ' ')).toMatch(
      /--kev <value> Another list of known exploited vulnerabilities\. Not available yet\./,
    )
  })

  it.each([
    [[], /Usage: portcullis/],
    [['frobnicate'], /unknown command 'frobnicate'/],
    [['verify'], /missing required argument 'reference'/],
    [['verify', 'registry.example.com/acme/api'], /names neither a tag nor a digest/],
    [['policy'], /'policy' is not available yet/],
    [['monitor', '--anything', 'x'], /'monitor' is not available yet/],
    [['gate', '--frobnicate', '1'], /unknown option '--frobnicate'/],
    [['gate', '.', 'twice'], /too many arguments/],
    [['gate', '.'], /--image: missing/],
    [['gate', '.', '--context', '.', '--image', 'ghcr.io/a/b'], /context is given twice/],
    [['gate', '.', '--image', 'ghcr.io/a/b', '--kev', 'x'], /--kev: not available yet/],
    [['gate', '.', '--image', 'ghcr.io/a/b', '--sign', 'kms'], /--sign: 'kms' is not available yet/],
    [
      ['gate', '.', '--image', 'ghcr.io/a/b', '--publish', 'always', '--tools', 'source'],
      /sign: publishing needs a choice/,
    ],
    [['gate', '.', '--image', 'ghcr.io/a/b', '--policy', 'nowhere.yml'], /'nowhere\.yml' does not exist/],
    [['report'], /missing required argument 'record'/],
    [['report', 'nowhere.json'], /cannot be read/],
    [['tools', 'frobnicate'], /'tools frobnicate' is not a verb/],
    [['tools', 'install', '--tools', 'brew'], /"brew" is not one of auto, release/],
    [['tools', 'verify', '--tools', 'source'], /--tools: has no meaning with 'tools verify'/],
  ])('%j: exit 2, and says why', async (args, text) => {
    const { code, stdout, stderr } = await call(...args)
    expect(`${stdout}${stderr}`).toMatch(text)
    expect(code).toBe(2)
  })
})

describe('report', () => {
  function recordPath(): string {
    return join(released.reportDir, 'portcullis.json')
  }

  it('the run that it renders was a release', () => {
    expect([released.code, recordOf(released).release.state]).toEqual([0, 'released'])
  })

  it('json is the record itself', async () => {
    const { code, stdout } = await call('report', recordPath(), '--format', 'json')
    expect(code).toBe(0)
    expect(JSON.parse(stdout)).toEqual(JSON.parse(await readFile(recordPath(), 'utf8')))
  })

  it('summary is the file beside the record', async () => {
    const { code, stdout } = await call('report', recordPath(), '--format', 'summary')
    expect(code).toBe(0)
    expect(stdout.trim()).toBe((await readFile(join(released.reportDir, 'summary.md'), 'utf8')).trim())
  })

  it('terminal is what the run showed, and the default', async () => {
    const { code, stdout } = await call('report', recordPath())
    expect(code).toBe(0)
    expect(released.stdout).toContain(stdout.trim())
    expect(stdout).toMatch(/^PASS {2}/m)
  })

  it('annotations are one line each, level and place first, and no workflow commands', async () => {
    const { code, stdout } = await call('report', recordPath(), '--format', 'annotations')
    expect(code).toBe(0)
    for (const line of stdout.split('\n').filter(text => text !== ''))
      expect(line).toMatch(/^(error|warning|notice) /)
  })

  it.each([
    ['an unknown format', ['--format', 'sarif'], 'good'],
    ['no JSON', [], 'not json'],
    ['another schema', [], '{"schema":"portcullis/record/v9"}'],
    ['a record with a forged ending', [], 'forged'],
  ])('refuses %s with exit 2 or 3, and renders nothing', async (_what, flags, content) => {
    const path = join(await bench.folder('record'), 'portcullis.json')
    const text = await readFile(recordPath(), 'utf8')
    const forged = text.replace('"exitCode": 0', '"exitCode": 17')
    await writeFile(path, content === 'good' ? text : content === 'forged' ? forged : content)
    const { code, stdout, stderr } = await call('report', path, ...flags)
    expect([2, 3]).toContain(code)
    expect(stdout).toBe('')
    expect(stderr).toMatch(/^portcullis: /)
  })
})

describe('tools', () => {
  it('list prints the pins of this machine, without any program', async () => {
    const { code, stdout } = await call('tools', 'list')
    expect(code).toBe(0)
    for (const tool of ['trivy', 'syft', 'cosign', 'crane'])
      expect(stdout).toMatch(new RegExp(`^${tool} +\\d[0-9.]+ +not cached$`, 'm'))
    expect(stdout.match(/sha256:[0-9a-f]{64} +https:\/\/github\.com\//g)).toHaveLength(4)
  })

  it('install proves a folder of known builds', async () => {
    const { code, stdout } = await call('tools', 'install', '--tools', `dir:${bench.tools}`)
    expect([code, stdout.match(/ dir +verified +sha256:/g)?.length]).toEqual([0, 4])
  })

  it('install says which program is not known', async () => {
    const liar = await writeLiar(await bench.folder('liar'), 'syft', 'silent')
    const folder = `dir:${await bench.toolsWith({ syft: liar })}`
    const { stdout } = await call('tools', 'install', '--tools', folder)
    expect(stdout).toMatch(/^syft .* UNVERIFIED /m)
    expect(stdout.match(/ dir +verified +sha256:/g)).toHaveLength(3)
  })

  it('install from a folder without programs: exit 3, never 0', async () => {
    const { code, stderr } = await call('tools', 'install', '--tools', `dir:${await bench.folder('empty')}`)
    expect(code).toBe(3)
    expect(stderr).toMatch(/is not in the given place/)
  })

  it('verify finds a changed file in the cache: exit 3; an empty cache holds nothing wrong', async () => {
    const empty = await call('tools', 'verify')
    expect([empty.code, empty.stdout.match(/ absent$/gm)?.length]).toEqual([0, 4])
    const pinned = pinnedAsset({}, 'crane')?.asset
    if (pinned === undefined) throw new Error('crane is not pinned for this machine')
    const [home, tmp] = await Promise.all([bench.folder('home'), bench.folder('tmp')])
    const env = { ...shellEnvironment({ home, tmp }), PORTCULLIS_CACHE: home }
    const cache = toolCacheFolder(env)
    await mkdir(cache, { recursive: true })
    await writeFile(join(cache, cachedName(pinned)), 'not what was pinned')
    const changed = await portcullis(['tools', 'verify'], { cwd: tmp, env })
    expect([changed.code, changed.stdout.match(/^crane .* changed$/m) !== null]).toEqual([3, true])
  })
})

describe('stopped', () => {
  it.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const)('by %s while a scanner runs: exit %i, nothing is left', async (signal, code) => {
    const lax = await makeProject(bench, 'fixed', policyText(['tool.verified']))
    const liar = await writeLiar(await bench.folder('liar'), 'trivy', 'hanging')
    const seen: { sleepers: readonly number[] } = { sleepers: [] }
    const result = await runGate(bench, lax, {
      repository: `stopped-${signal.toLowerCase()}`,
      tools: await bench.toolsWith({ trivy: liar }),
      started: pid => {
        void stopDuringInspection(pid, signal).then(sleepers => (seen.sleepers = sleepers))
      },
    })
    expect([result.code, result.signal]).toEqual([code, null])
    const record = recordOf(result)
    expect([record.outcome, record.reason, record.exitCode]).toEqual(['incomplete', 'cancelled', code])
    expect(await readdir(result.tmp)).toEqual([])
    expect(await filesIn(result.home)).toEqual([SIZES])
    expect(seen.sleepers).not.toEqual([])
    expect(seen.sleepers.filter(pid => existsSync(`/proc/${pid}`))).toEqual([])
    expect(await processesWith(bench.root)).toEqual([])
    expect(await bench.registry.catalog()).not.toContain(`stopped-${signal.toLowerCase()}`)
  })

  async function stopDuringInspection(pid: number, signal: NodeJS.Signals): Promise<readonly number[]> {
    for (;;) {
      await sleep(50)
      const sleepers = (await processesWith('sleep\x00600')).filter(found => descendsFrom(found, pid))
      if (sleepers.length === 0) continue
      process.kill(pid, signal)
      return sleepers
    }
  }
})

/** What a run keeps for the next one: how large each vulnerability database was. */
const SIZES = '.cache/portcullis/database-sizes.json'

async function filesIn(home: string): Promise<readonly string[]> {
  const found = await readdir(home, { recursive: true, withFileTypes: true })
  return found.filter(one => !one.isDirectory()).map(one => relative(home, join(one.parentPath, one.name)))
}

function descendsFrom(pid: number, ancestor: number): boolean {
  let current = pid
  while (current > 1 && current !== ancestor) {
    const stat = existsSync(`/proc/${current}/stat`) ? readFileSync(`/proc/${current}/stat`, 'latin1') : ''
    current = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1] ?? 0)
  }
  return current === ancestor
}

/** Processes whose arguments hold a text, ourselves and the registry left out. */
async function processesWith(text: string): Promise<readonly number[]> {
  const found: number[] = []
  for (const name of await readdir('/proc')) {
    if (!/^\d+$/.test(name) || Number(name) === process.pid) continue
    const command = await readFile(`/proc/${name}/cmdline`, 'latin1').catch(() => '')
    if (command.includes(text)) found.push(Number(name))
  }
  return found
}

it('a finished run leaves nothing but its report', async () => {
  expect(await readdir(released.tmp)).toEqual([])
  expect(await filesIn(released.home)).toEqual([SIZES])
  expect(existsSync(join(project.dir, 'portcullis-report'))).toBe(false)
})

describe('a crash that nobody caught', () => {
  it.each([
    ['an uncaught exception', "setTimeout(() => { throw new Error('planted') }, 150)"],
    ['an unhandled rejection', "setTimeout(() => { void Promise.reject(new Error('planted')) }, 150)"],
    ['an end of the event loop that nobody expected', 'setTimeout(() => process.exit(), 150)'],
  ])('%s ends with 3, never with 0 or 1', async (_what, code) => {
    const folder = await bench.folder('preload')
    const preload = join(folder, 'preload.cjs')
    await writeFile(preload, code)
    const result = await runGate(bench, project, {
      repository: 'crashed',
      env: { NODE_OPTIONS: `--require=${preload}` },
    })
    expect(result.code).toBe(3)
    expect(await bench.registry.tags('crashed')).toEqual([])
  })
})
