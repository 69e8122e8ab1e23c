import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { formsOf, watchProcessTree, type Watch, type WatchReport } from '../support/environment-watch.js'
import { openBench, type Bench } from '../support/gate-runs.js'
import { disorders, makeWorkspace, releaseInputs, runJob } from '../support/jobs.js'
import type { StepResult } from '../support/runner.js'
import { mustEndWith } from '../support/terminal.js'
import { node24 } from '../support/tools.js'

/** A secret that needs escaping in a URL and that is in no dictionary. */
function plant(name: string): string {
  return `${name
    .toLowerCase()
    .replaceAll(/[^a-z]/g, '')
    .slice(0, 8)}/+ ${randomBytes(15).toString('base64url')}=&`
}

const CLOUD = [
  ...['AWS_SECRET_ACCESS_KEY', 'AWS_SESSION_TOKEN', 'AWS_ACCESS_KEY_ID', 'AWS_BEARER_TOKEN_BEDROCK'],
  ...['AZURE_CLIENT_SECRET', 'AZURE_CREDENTIALS', 'ARM_CLIENT_SECRET', 'GOOGLE_CREDENTIALS'],
  ...['GOOGLE_OAUTH_ACCESS_TOKEN', 'CLOUDSDK_AUTH_ACCESS_TOKEN', 'DIGITALOCEAN_ACCESS_TOKEN', 'VAULT_TOKEN'],
  ...['GITHUB_TOKEN', 'GH_TOKEN', 'NPM_TOKEN', 'NODE_AUTH_TOKEN', 'TRIVY_PASSWORD', 'TRIVY_TOKEN'],
  ...['SYFT_REGISTRY_AUTH_TOKEN', 'SIGSTORE_ID_TOKEN', 'COSIGN_PIV_PIN', 'DATABASE_URL'],
]
const ACTIONS = ['ACTIONS_RUNTIME_TOKEN', 'ACTIONS_ID_TOKEN_REQUEST_TOKEN', 'ACTIONS_CACHE_TOKEN']
const INPUTS = ['registry-password', 'an-undeclared-token']

let bench: Bench
let planted: ReadonlyMap<string, string>
let result: StepResult
let report: WatchReport
let jobFolder = ''

beforeAll(async () => {
  bench = await openBench()
  planted = new Map([...CLOUD, ...ACTIONS, ...INPUTS].map(name => [name, plant(name)]))
  const value = (name: string): string => planted.get(name) ?? ''
  const workspace = await makeWorkspace(bench, 'fixed')
  jobFolder = await bench.folder('watched')
  const watching: { watch?: Watch } = {}
  result = await runJob(bench, workspace, {
    temp: jobFolder,
    inputs: {
      ...releaseInputs(bench, 'secrets'),
      'registry-username': 'robot',
      ...Object.fromEntries(INPUTS.map(name => [name, value(name)])),
    },
    env: {
      ...Object.fromEntries([...CLOUD, ...ACTIONS].map(name => [name, value(name)])),
      ACTIONS_ID_TOKEN_REQUEST_URL: `http://127.0.0.1:9/?token=${encodeURIComponent(value('ACTIONS_ID_TOKEN_REQUEST_TOKEN'))}`,
    },
    started: root => {
      const needles = [...planted.values()].flatMap(formsOf)
      watching.watch = watchProcessTree({ root, needles, folders: [jobFolder, workspace.dir] })
    },
  })
  if (watching.watch === undefined) throw new Error('the step was never watched')
  report = await watching.watch.stop()
}, 600_000)

afterAll(async () => {
  await bench.close()
})

it('the run that was watched is a release with every tool', () => {
  mustEndWith(0, result)
  expect(result.outputs['verdict']).toBe('pass')
  expect(disorders(result)).toEqual([])
  expect(report.programs).toEqual(expect.arrayContaining(['trivy', 'syft', 'cosign', 'crane']))
  expect(report.polls).toBeGreaterThan(50)
})

it('no child sees a planted secret, in its environment or its arguments', () => {
  expect(report.sightings.filter(sighting => !sighting.place.startsWith('file '))).toEqual([])
})

it('no file holds one, but the login for the registry that crane reads while it pushes', async () => {
  const files = report.sightings.filter(sighting => sighting.place.startsWith('file '))
  const login = formsOf(planted.get('registry-password') ?? '')
  const other = files.filter(
    sighting => !(/\/registry-login\/config\.json$/.test(sighting.place) && login.includes(sighting.needle)),
  )
  expect(other).toEqual([])
  const left = (await readdir(jobFolder, { recursive: true })).filter(path => path.includes('portcullis-'))
  expect(left).toEqual([])
})

it('no log, summary, output or report shows one', async () => {
  const reportDir = result.outputs['report-dir'] ?? ''
  const names = await readdir(reportDir, { recursive: true })
  const texts = [result.stdout, result.stderr, result.summary, result.post.stdout, result.post.stderr]
  texts.push(JSON.stringify(result.outputs), JSON.stringify(result.state))
  for (const name of names) {
    const path = join(reportDir, name)
    if ((await stat(path)).isFile()) texts.push(await readFile(path, 'latin1'))
  }
  expect(names.length).toBeGreaterThan(8)
  for (const [name, secret] of planted) {
    const found = formsOf(secret).filter(form => texts.some(text => text.includes(form)))
    expect([name, found]).toEqual([name, []])
  }
})

describe('the watch itself', () => {
  const secret = plant('control')

  async function watched(script: string, env: Readonly<Record<string, string>>): Promise<WatchReport> {
    const child = spawn(node24(), ['-e', script], { env: { PATH: '/usr/bin:/bin', ...env }, stdio: 'ignore' })
    const ended = new Promise(resolve => child.once('exit', resolve))
    const watch = watchProcessTree({ root: child.pid ?? 0, needles: formsOf(secret), folders: [bench.root] })
    await ended
    return await watch.stop()
  }

  const START = "const { spawnSync } = require('node:child_process');"

  it.each([
    ['plain, in an environment that is handed on', `${START} spawnSync('sleep', ['0.3'])`],
    [
      'as base64, in an argument',
      `${START} spawnSync('sh', ['-c', 'sleep 0.3; :', Buffer.from('user:' + process.env.S).toString('base64')], { env: {} })`,
    ],
    [
      'URL-encoded, in a variable',
      `${START} spawnSync('sleep', ['0.3'], { env: { U: encodeURIComponent(process.env.S) } })`,
    ],
    [
      'in a grandchild',
      `${START} spawnSync('sh', ['-c', 'A="$0" sleep 0.3; :', ''], { env: {}, input: '' }); spawnSync('sh', ['-c', 'sleep 0.3; :', process.env.S], { env: {} })`,
    ],
    [
      'in a file for a moment',
      "const fs = require('node:fs'); fs.writeFileSync(process.env.F, process.env.S); setTimeout(() => fs.rmSync(process.env.F), 400)",
    ],
  ])('sees a secret %s', async (_what, script) => {
    const seen = await watched(script, { S: secret, F: join(bench.root, 'for-a-moment') })
    expect(seen.sightings.length).toBeGreaterThan(0)
  })

  it('sees nothing where nothing leaks, and not the process that was given the secret', async () => {
    const seen = await watched(`${START} spawnSync('sleep', ['0.3'], { env: { PATH: '/bin' } })`, {
      S: secret,
    })
    expect(seen.sightings).toEqual([])
    expect(seen.programs).toEqual(['sleep'])
  })
})
