import { appendFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { startDocker, type TestDocker } from '../support/dockerd.js'
import { watchProcessTree, type Watch } from '../support/environment-watch.js'
import { openBench, policyText, readRecord, type Bench } from '../support/gate-runs.js'
import { disorders, errorsOf, makeWorkspace, releaseInputs, runJob, type Workspace } from '../support/jobs.js'
import { commitAll, REPOSITORY, type StepResult } from '../support/runner.js'
import { mustEndWith } from '../support/terminal.js'
import { machinePath, run, toolPath } from '../support/tools.js'

let bench: Bench
let docker: TestDocker

beforeAll(async () => {
  bench = await openBench()
  docker = await startDocker()
})

afterAll(async () => {
  await docker.stop()
  await bench.close()
})

/** A step that builds the Dockerfile of the workspace with the engine. */
async function build(
  workspace: Workspace,
  repository: string,
  started: (pid: number) => void = () => undefined,
): Promise<StepResult> {
  const inputs = { ...releaseInputs(bench, repository), subject: '', engine: 'docker', network: 'none' }
  const env = { DOCKER_HOST: docker.host, COSIGN_PASSWORD: bench.key.password }
  return await runJob(bench, workspace, { inputs, env, started })
}

it('builds with the engine, releases, and no token of the runner reaches a child', async () => {
  const workspace = await makeWorkspace(bench, 'fixed')
  await rm(workspace.layout, { recursive: true })
  const watching: { watch?: Watch } = {}
  const result = await build(workspace, 'built', root => {
    const needles = ['runtime-token-of-this-job', 'id-token-request-token-of-this-job', bench.key.password]
    watching.watch = watchProcessTree({ root, needles })
  })
  const report = await watching.watch?.stop()
  mustEndWith(0, result)
  expect(disorders(result)).toEqual([])
  const record = await readRecord(result.outputs['report-dir'] ?? '')
  expect(record?.engine?.name).toBe('docker')
  expect(record?.imageId).toBe(result.outputs['image-id'])
  expect(record?.stages.map(stage => stage.state)).not.toContain('failed')
  const required = record?.verdict?.results.find(one => one.rule === 'label.required')
  expect([required?.outcome, required?.violations]).toEqual(['pass', []])

  expect(report?.programs).toEqual(expect.arrayContaining(['docker', 'trivy', 'syft', 'cosign', 'crane']))
  const tokens = report?.sightings.filter(sighting => sighting.needle !== bench.key.password)
  expect(tokens).toEqual([])
  const password = report?.sightings.map(sighting => sighting.place) ?? []
  // setpriv is what the process is for a moment before it becomes cosign.
  const places = new Set(password.filter(place => place !== 'environment of setpriv'))
  expect([...places]).toEqual(['environment of cosign'])

  const reference = `${bench.registry.host}/built:1.0.0`
  const { stdout } = await run(toolPath('crane'), ['config', reference])
  const config: unknown = JSON.parse(stdout)
  expect(config).toMatchObject({
    config: {
      User: '65532:65532',
      Labels: {
        'org.opencontainers.image.source': `https://github.com/${REPOSITORY}`,
        'org.opencontainers.image.revision': workspace.commit,
      },
    },
  })
  const images = await run(machinePath('docker'), [
    '-H',
    docker.host,
    'images',
    '--format',
    '{{.Repository}}',
  ])
  expect(images.stdout).not.toContain('portcullis-build')
})

it('a build that fails is incomplete, and says which step failed and how', async () => {
  const workspace = await makeWorkspace(bench, 'fixed', policyText())
  await appendFile(join(workspace.dir, 'Dockerfile'), 'COPY not-there.txt /\n')
  const commit = await commitAll(workspace.dir)
  const result = await build({ ...workspace, commit }, 'not-built')
  mustEndWith(3, result)
  expect([result.outputs['verdict'], result.outputs['reason']]).toEqual(['incomplete', 'build-failed'])
  expect(errorsOf(result)).toMatch(/not-there\.txt/)
  expect(disorders(result)).toEqual([])
  expect(await bench.registry.catalog()).not.toContain('not-built')
})
