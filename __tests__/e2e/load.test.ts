import { appendFile } from 'node:fs/promises'
import { join } from 'node:path'
import { startDocker, type TestDocker } from '../support/dockerd.js'
import { makeProject, openBench, recordOf, runGate, type Bench, type Project } from '../support/gate-runs.js'
import { mustEndWith, portcullis, shellEnvironment, type Ending } from '../support/terminal.js'
import { machinePath, run } from '../support/tools.js'

let bench: Bench
let project: Project
let docker: TestDocker
beforeAll(async () => {
  bench = await openBench()
  docker = await startDocker()
  project = await makeProject(bench, 'fixed')
})
afterAll(async () => {
  await docker.stop()
  await bench.close()
})

async function command(...args: readonly string[]): Promise<Ending> {
  const [home, tmp] = await Promise.all([bench.folder('home'), bench.folder('tmp')])
  const own = { DOCKER_HOST: docker.host, COSIGN_PASSWORD: bench.key.password }
  return await portcullis(args, { cwd: project.dir, env: { ...shellEnvironment({ home, tmp }), ...own } })
}

async function idOf(reference: string): Promise<string> {
  const args = ['-H', docker.host, 'image', 'inspect', '--format', '{{.Id}}', reference]
  return (await run(machinePath('docker'), args)).stdout.trim()
}

test('what was judged is loaded, and then released: three times the same image', async () => {
  const gated = await runGate(bench, project, { repository: 'acme/app', publish: ['--publish', 'never'] })
  mustEndWith(0, gated)
  const { subject } = recordOf(gated)
  const configDigest = subject?.platforms[0]?.configDigest

  const loaded = await command('load', gated.reportDir)
  mustEndWith(0, loaded)
  expect(loaded.stdout).toBe(`${bench.registry.host}/acme/app:sealed\n`)
  expect(await idOf(loaded.stdout.trim())).toBe(configDigest)

  mustEndWith(0, await command('load', project.layout, '--tag', 'registry.example/app:test'))
  expect(await idOf('registry.example/app:test')).toBe(configDigest)

  const output = join(await bench.folder('out'), 'report')
  const flags = ['--sign', 'key', '--key', bench.key.key, '--tools', `dir:${bench.tools}`, '--output', output]
  mustEndWith(0, await command('release', gated.reportDir, '--tags', '1.0.0', ...flags))
  const args = ['digest', `${bench.registry.host}/acme/app:1.0.0`]
  expect((await run(join(bench.tools, 'crane'), args)).stdout.trim()).toBe(subject?.digest)

  await appendFile(join(gated.reportDir, 'sealed', 'evidence.json'), ' ')
  const changed = await command('load', gated.reportDir, '--tag', 'registry.example/app:changed')
  mustEndWith(3, changed)
  expect(changed.stderr).toContain('What was sealed has changed')
  await expect(idOf('registry.example/app:changed')).rejects.toThrow()
})

test.each([
  ['a layout without a name for it', (): string[] => ['load', project.layout], '--tag NAME:TAG'],
  ['a name without a tag', (): string[] => ['load', project.layout, '--tag', 'app'], 'expected NAME:TAG'],
  ['a folder that is neither', (): string[] => ['load', project.dir], 'portcullis.json'],
  [
    'a platform that is not there',
    (): string[] => ['load', project.layout, '--tag', 'app:1', '--platform', 'linux/s390x'],
    'there are: linux/amd64',
  ],
])('%s ends with 2', async (_name, args, said) => {
  const ending = await command(...args())
  mustEndWith(2, ending)
  expect(ending.stderr).toContain(said)
})
