import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { programsFolder } from '../support/buildkitd.js'
import { makeProject, openBench, policyText, recordOf, runGate, type Bench } from '../support/gate-runs.js'
import { mustEndWith } from '../support/terminal.js'
import { run, toolPath } from '../support/tools.js'

const SECRET = 'a-value-that-nobody-may-see-42'

let bench: Bench
let path = ''

beforeAll(async () => {
  bench = await openBench()
  const bin = await programsFolder(bench.root, ['buildx', 'buildkitd'])
  path = `${bin}:/usr/sbin:/usr/bin:/sbin:/bin`
})

afterAll(async () => {
  await bench.close()
})

/** A project whose Dockerfile has a base by tag, in the registry of the bench. */
async function projectOnBase(variant: 'fixed' | 'vulnerable', repository: string) {
  const project = await makeProject(bench, variant, policyText(['user.nonroot', 'label.required']))
  const base = `${bench.registry.host}/${repository}:1`
  await run(toolPath('crane'), ['push', project.layout, base])
  const digest = (await run(toolPath('crane'), ['digest', base])).stdout.trim()
  await mkdir(join(project.dir, 'lib'))
  await writeFile(join(project.dir, 'lib', 'note'), 'from the named context\n')
  await writeFile(join(project.dir, 'Dockerfile'), `FROM ${base}\nCOPY --from=lib note /note\n`)
  return { project, base, digest }
}

const never = ['--publish', 'never']

it('buildx builds with a BuildKit of its own; the base has the digest that was looked up; caches after the pass', async () => {
  const { project, base, digest } = await projectOnBase('fixed', 'base-good')
  const cache = join(await bench.folder('cache'), 'written')
  const result = await runGate(bench, project, {
    repository: 'built',
    subject: null,
    publish: never,
    args: [
      ...['--engine', 'buildx', '--network', 'none', '--build-contexts', 'lib=lib'],
      ...['--platforms', 'linux/amd64', '--annotations', 'com.example.note=x'],
      ...['--secrets', 'id=token,env=MY_TOKEN', '--cache-to', `type=local,dest=${cache},mode=max`],
    ],
    env: { PATH: path, DOCKER_HOST: 'unix:///nonexistent/docker.sock', MY_TOKEN: SECRET },
  })
  mustEndWith(0, result)
  const record = recordOf(result)
  expect(record.engine?.name).toBe('buildx')
  expect(record.engine?.version).toBe('0.36.1, BuildKit 0.32.2')
  expect(record.engine?.why).toContain("asked for; a BuildKit of this run's own")
  expect(record.bases).toEqual([{ reference: base, state: 'resolved', digest }])
  const pin = record.verdict?.results.find(one => one.rule === 'image.pin')
  expect(pin?.violations.map(one => one.fix)).toEqual([`FROM ${base}@${digest}`])
  expect(record.warnings.filter(text => text.includes('cache'))).toEqual([])
  expect(await readdir(cache)).toContain('index.json')
  const summary = await readFile(join(result.reportDir, 'summary.md'), 'utf8')
  expect(summary).toContain(`${base}@${digest}`)
  expect(`${result.stdout}${result.stderr}${JSON.stringify(record)}`).not.toContain(SECRET)
  expect(await readdir(result.tmp)).toEqual([])
})

it('a run that does not pass writes no cache, and says so', async () => {
  const { project } = await projectOnBase('vulnerable', 'base-bad')
  const cache = join(await bench.folder('cache'), 'written')
  const result = await runGate(bench, project, {
    repository: 'refused',
    subject: null,
    publish: never,
    args: [
      ...['--engine', 'buildx', '--network', 'none', '--build-contexts', 'lib=lib'],
      ...['--cache-to', `type=local,dest=${cache}`],
    ],
    env: { PATH: path, DOCKER_HOST: 'unix:///nonexistent/docker.sock' },
  })
  mustEndWith(1, result)
  const said = recordOf(result).warnings.filter(text => text.includes('cache'))
  expect(said).toEqual([
    'The build cache was not written (cache-to): the run is fail, only one that passes writes caches.',
  ])
  expect(await readdir(join(cache, '..'))).toEqual([])
})

it('a secret behind a link that leads out of the workspace is refused', async () => {
  const { project } = await projectOnBase('fixed', 'base-link')
  await run('/bin/ln', ['-s', '/etc/hostname', join(project.dir, 'token')])
  const result = await runGate(bench, project, {
    repository: 'linked',
    subject: null,
    publish: never,
    args: ['--engine', 'buildx', '--secrets', 'id=token,src=token', '--build-contexts', 'lib=lib'],
    env: { PATH: path },
  })
  mustEndWith(2, result)
  expect(recordOf(result).reason).toBe('path-outside')
})
