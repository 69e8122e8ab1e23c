import { dirname } from 'node:path'
import {
  makeProject,
  openBench,
  policyText,
  recordOf,
  runGate,
  type Bench,
  type Project,
} from '../support/gate-runs.js'
import { mustEndWith } from '../support/terminal.js'
import { run, toolPath } from '../support/tools.js'

let bench: Bench
let project: Project

beforeAll(async () => {
  bench = await openBench()
  project = await makeProject(bench, 'fixed')
})

afterAll(async () => {
  await bench.close()
})

async function outside(repository: string): Promise<{ pushed: boolean; tags: readonly string[] }> {
  return {
    pushed: (await bench.registry.catalog()).includes(repository),
    tags: await bench.registry.tags(repository),
  }
}

describe('without being asked to publish', () => {
  it.each([
    ['publish never', ['--publish', 'never']],
    ['publish auto at a terminal', []],
  ])('%s: a good image passes and nothing leaves this machine', async (what, publish) => {
    const repository = what.replaceAll(' ', '-')
    const result = await runGate(bench, project, { repository, publish })
    mustEndWith(0, result)
    const record = recordOf(result)
    expect([record.outcome, record.release.state]).toEqual(['pass', 'not-wanted'])
    expect(record.tools.map(tool => tool.name)).not.toContain('cosign')
    expect(await outside(repository)).toEqual({ pushed: false, tags: [] })
  })
})

describe('sign none', () => {
  it('pushes by digest, does not tag, and fails with sign.present', async () => {
    const publish = ['--publish', 'always', '--sign', 'none', '--tags', '1.0.0']
    const result = await runGate(bench, project, { repository: 'unsigned', publish })
    expect([result.code, recordOf(result).outcome, recordOf(result).reason]).toEqual([
      1,
      'fail',
      'sign.present',
    ])
    expect(await outside('unsigned')).toEqual({ pushed: true, tags: [] })
  })

  it('tags where the policy turned sign.present off', async () => {
    const lax = await makeProject(bench, 'fixed', policyText(['sign.present']))
    const publish = ['--publish', 'always', '--sign', 'none', '--tags', '1.0.0']
    const result = await runGate(bench, lax, { repository: 'unsigned-accepted', publish })
    mustEndWith(0, result)
    expect(await outside('unsigned-accepted')).toEqual({ pushed: true, tags: ['1.0.0'] })
  })
})

describe('tags', () => {
  it('one that is ours already is kept; one that points elsewhere stops everything before the push', async () => {
    const first = await runGate(bench, project, { repository: 'twice' })
    mustEndWith(0, first)
    const again = await runGate(bench, project, { repository: 'twice' })
    mustEndWith(0, again)
    expect(recordOf(again).release.tags).toEqual([{ tag: '1.0.0', state: 'kept' }])

    const lax = ['vulnerability.severity', 'vulnerability.kev', 'secret.found']
    const other = await makeProject(bench, 'vulnerable', policyText(lax))
    const moved = await runGate(bench, other, { repository: 'twice' })
    expect([moved.code, recordOf(moved).reason]).toEqual([2, 'tag-exists'])
    const { digest } = recordOf(moved).subject ?? { digest: '' }
    expect((await bench.registry.fetch(`twice/manifests/${digest}`)).status).toBe(404)
    const tagged = await run(toolPath('crane'), ['digest', `${bench.registry.host}/twice:1.0.0`])
    expect(tagged.stdout.trim()).toBe(recordOf(first).subject?.digest)
  })
})

describe('the mode audit', () => {
  it('reports what it would have refused, ends with 0, and releases nothing', async () => {
    const audit = await makeProject(bench, 'vulnerable', policyText([], ['mode: audit']))
    const result = await runGate(bench, audit, { repository: 'audited' })
    const record = recordOf(result)
    expect([result.code, record.outcome, record.verdict?.blocks]).toEqual([0, 'fail', false])
    expect(result.stdout).toMatch(/would have failed/)
    expect(await outside('audited')).toEqual({ pushed: false, tags: [] })
  })
})

describe('the embedded registry', () => {
  it('rehearses a whole release; its verify command works after the registry is gone', async () => {
    const flags = ['--registry', 'embedded', '--publish', 'always', '--tags', '1.0.0']
    const publish = [...flags, '--sign', 'key', '--key', bench.key.key]
    const result = await runGate(bench, project, {
      repository: 'team/app',
      host: 'registry.example.com',
      publish,
    })
    mustEndWith(0, result)
    const record = recordOf(result)
    expect(record.release.state).toBe('released')
    const cosign = await run('/bin/sh', ['-c', record.release.verifyCommand ?? 'false'], {
      cwd: project.dir,
      env: { PATH: `${dirname(toolPath('cosign'))}:/usr/bin:/bin` },
    })
    expect(cosign.stderr).toMatch(/Verified OK/)
  })
})

describe('what the policy binds', () => {
  it('another name than the policy lists is refused before anything costly: exit 2', async () => {
    const bound = await makeProject(
      bench,
      'fixed',
      policyText([], ['bind:', '  - image: ghcr.io/octo-org/app']),
    )
    const result = await runGate(bench, bound, { repository: 'unbound' })
    expect([result.code, recordOf(result).reason]).toEqual([2, 'request-refused'])
    expect(recordOf(result).stages.map(stage => stage.stage)).not.toContain('tools')
    expect(await outside('unbound')).toEqual({ pushed: false, tags: [] })
  })
})
