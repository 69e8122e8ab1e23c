import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { makeProject, openBench, policyText, recordOf, runGate, type Bench } from '../support/gate-runs.js'
import { mustEndWith } from '../support/terminal.js'
import { machinePath, node24, run, toolPath } from '../support/tools.js'

let bench: Bench

beforeAll(async () => {
  machinePath('buildah')
  bench = await openBench()
})
afterAll(() => bench.close())

const ENGINE = ['--engine', 'buildah', '--network', 'none', '--build-contexts', 'lib=lib']

/** A project whose Dockerfile has a base by tag, in the registry of the bench, and these lines behind it. */
async function projectOnBase(repository: string, lines: readonly string[]) {
  const project = await makeProject(bench, 'fixed', policyText(['user.nonroot', 'label.required']))
  const base = `${bench.registry.host}/${repository}:1`
  await run(toolPath('crane'), ['push', project.layout, base])
  const digest = (await run(toolPath('crane'), ['digest', base])).stdout.trim()
  await mkdir(join(project.dir, 'lib'))
  await writeFile(join(project.dir, 'lib', 'note'), 'from the named context\n')
  await writeFile(join(project.dir, 'Dockerfile'), [`FROM ${base}`, ...lines, ''].join('\n'))
  return { project, base, digest }
}

/** A program that runs the bundle on a machine where runc cannot be started. */
async function withoutRunc(): Promise<string> {
  const path = join(await bench.folder('no-runc'), 'node')
  const hide = `mount --bind /dev/null ${machinePath('runc')} && exec ${node24()} "$@"`
  await writeFile(
    path,
    `#!/bin/sh\nexec unshare --mount --propagation private /bin/sh -c '${hide}' sh "$@"\n`,
    { mode: 0o755 },
  )
  return path
}

it('an image built by buildah on the digest that was looked up is released', async () => {
  const { project, base, digest } = await projectOnBase('buildah-base', ['COPY --from=lib note /note'])
  const result = await runGate(bench, project, {
    repository: 'built-by-buildah',
    subject: null,
    args: ENGINE,
  })
  mustEndWith(0, result)
  const record = recordOf(result)
  expect(record.engine).toMatchObject({ name: 'buildah', isolation: 'oci' })
  expect(record.engine?.why).toContain('asked for; buildah ')
  expect(record.bases).toEqual([{ reference: base, state: 'resolved', digest }])
  expect(await bench.registry.tags('built-by-buildah')).toEqual(['1.0.0'])
  const served = await run(toolPath('crane'), ['digest', `${bench.registry.host}/built-by-buildah:1.0.0`])
  expect(served.stdout.trim()).toBe(record.subject?.digest)
  expect(await readFile(join(result.reportDir, 'summary.md'), 'utf8')).toContain('isolation oci (runc)')
  expect(await readdir(result.tmp)).toEqual([])
})

it('two platforms are built and judged', async () => {
  const project = await makeProject(bench, 'fixed', policyText(['user.nonroot', 'label.required']))
  await mkdir(join(project.dir, 'lib'))
  await writeFile(join(project.dir, 'lib', 'note'), 'x\n')
  await writeFile(join(project.dir, 'Dockerfile'), 'FROM scratch\nCOPY --from=lib note /note\n')
  const result = await runGate(bench, project, {
    repository: 'two',
    subject: null,
    publish: ['--publish', 'never'],
    args: [...ENGINE, '--platforms', 'linux/amd64,linux/arm64'],
  })
  const record = recordOf(result)
  expect(record.subject?.platforms.map(image => image.platform).sort()).toEqual([
    'linux/amd64',
    'linux/arm64',
  ])
  expect(record.engine?.name).toBe('buildah')
})

it('a Dockerfile that buildah would misread is refused with its lines', async () => {
  const lines = ['SHELL ["/bin/bash", "-c"]', 'COPY --link lib/note /note']
  const { project } = await projectOnBase('buildah-lines', lines)
  const result = await runGate(bench, project, { repository: 'lines', subject: null, args: ENGINE })
  mustEndWith(2, result)
  const record = recordOf(result)
  expect(record.reason).toBe('dockerfile-unsupported')
  const message = record.problems.map(problem => problem.message).join('\n')
  expect(message).toContain('Dockerfile:2: SHELL is left out')
  expect(message).toContain('Dockerfile:3: COPY --link is not known')
  expect(await bench.registry.tags('lines')).toEqual([])
})

it('where only chroot is left, a run that signs is refused and one that does not goes on', async () => {
  const { project } = await projectOnBase('buildah-chroot', ['COPY --from=lib note /note'])
  const node = await withoutRunc()
  const args = ['--engine', 'buildah', '--build-contexts', 'lib=lib']
  const signing = await runGate(bench, project, { repository: 'chroot', subject: null, args, node })
  mustEndWith(3, signing)
  expect(recordOf(signing).reason).toBe('build-isolation')
  expect(await bench.registry.tags('chroot')).toEqual([])
  const judging = await runGate(bench, project, {
    ...{ repository: 'chroot', subject: null, args, node },
    publish: ['--publish', 'never'],
  })
  mustEndWith(0, judging)
  expect(recordOf(judging).engine).toMatchObject({ name: 'buildah', isolation: 'chroot' })
})
