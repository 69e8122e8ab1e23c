import { existsSync } from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { openBench, policyText, readRecord, type Bench } from '../support/gate-runs.js'
import { disorders, errorsOf, makeWorkspace, releaseInputs, runJob, type Workspace } from '../support/jobs.js'
import { REPOSITORY } from '../support/runner.js'
import { run, toolPath } from '../support/tools.js'

let bench: Bench

beforeAll(async () => {
  bench = await openBench()
})

afterAll(async () => {
  await bench.close()
})

describe('configuration', () => {
  let workspace: Workspace

  beforeAll(async () => {
    workspace = await makeWorkspace(bench, 'fixed')
  })

  const NOT_YET = ['kev', 'github-token']

  it.each<readonly [string, Readonly<Record<string, string>>, readonly RegExp[]]>([
    ['no image', {}, [/image: missing/]],
    ['an image with a tag', { image: 'ghcr.io/a/b:1' }, [/image: /]],
    ['an unknown engine', { engine: 'podman' }, [/engine: expected 'auto' or 'buildx' .*, got 'podman'/]],
    ['a signer of later', { sign: 'kms' }, [/sign: 'kms' is not available yet/]],
    ['a surface of later', { comment: 'auto', sarif: 'always' }, [/comment: .*not available yet/, /sarif: /]],
    ['a platform that is none', { platforms: 'linux/amd64,arm' }, [/platforms: /]],
    [
      'build inputs without a form',
      { annotations: 'x', 'build-contexts': 'x', secrets: 'x', ssh: 'x', overwrite: 'x' },
      [/^annotations: /m, /^build-contexts: /m, /^secrets: /m, /^ssh: /m, /^overwrite: /m],
    ],
    ['a subject without a digest', { subject: 'registry:ghcr.io/a/b:1' }, [/subject: .*digest/]],
    ['an unknown subject', { subject: 'app.tar' }, [/subject: expected oci-layout:DIR/]],
    ['no yes or no', { pull: 'yes' }, [/pull: expected true or false/]],
    ['no minutes', { timeout: '0' }, [/timeout: expected whole minutes/]],
    ['tools from nowhere', { tools: 'brew' }, [/tools: expected auto, release/]],
    ['a key without sign', { key: 'cosign.key' }, [/key: given, but sign is not 'key'/]],
    ['a user without a password', { 'registry-username': 'me' }, [/registry-username and registry-password/]],
    [
      'everything that is not there yet',
      Object.fromEntries(NOT_YET.map(name => [name, 'x'])),
      NOT_YET.map(name => new RegExp(`^${name}: not available yet`, 'm')),
    ],
    [
      'many things at once',
      { image: 'NOT AN IMAGE', engine: 'podman', timeout: 'soon', tags: 'a b/c' },
      [/image: /, /engine: /, /timeout: /, /tags: /],
    ],
  ])('%s: exit 2, said in annotation, summary and outputs', async (_what, inputs, texts) => {
    const given =
      inputs['image'] === undefined && texts[0]?.source !== 'image: missing' ? { image: 'ghcr.io/a/b' } : {}
    const result = await runJob(bench, workspace, { inputs: { ...given, ...inputs } })
    expect(result.code).toBe(2)
    expect(result.outputs).toMatchObject({ verdict: 'incomplete', reason: 'inputs-invalid' })
    for (const text of texts) expect(errorsOf(result)).toMatch(text)
    expect(result.summary).toMatch(/^### ⚠️ /)
    expect(disorders(result)).toEqual([])
  })
})

describe('events', () => {
  let workspace: Workspace

  beforeAll(async () => {
    workspace = await makeWorkspace(bench, 'fixed')
  })

  function payload(changes: object): object {
    return {
      ref: 'refs/heads/main',
      after: workspace.commit,
      deleted: false,
      repository: { full_name: REPOSITORY, default_branch: 'main' },
      ...changes,
    }
  }

  it.each([
    ...[
      'pull_request',
      'pull_request_target',
      'merge_group',
      'schedule',
      'workflow_dispatch',
      'workflow_run',
    ],
    ...['release', 'repository_dispatch', ''],
  ])('%p is not available yet: exit 2', async name => {
    const result = await runJob(bench, workspace, { inputs: releaseInputs(bench, 'events'), event: { name } })
    expect([result.code, result.outputs['verdict'], result.outputs['reason']]).toEqual([
      2,
      'incomplete',
      'event-not-available',
    ])
    expect(errorsOf(result)).toMatch(/not available yet in this version/)
    expect(disorders(result)).toEqual([])
  })

  it.each([
    ['another branch', { ref: 'refs/heads/topic' }],
    ['a branch whose name begins alike', { ref: 'refs/heads/main2' }],
    ['a tag', { ref: 'refs/tags/main' }],
    ['a deleted branch', { deleted: true }],
  ])('a push to %s is not available yet: exit 2', async (_what, changes) => {
    const ref = 'ref' in changes ? { ref: changes.ref } : {}
    const event = { name: 'push', ...ref, payload: payload(changes) }
    const result = await runJob(bench, workspace, { inputs: releaseInputs(bench, 'events'), event })
    expect([result.code, result.outputs['reason']]).toEqual([2, 'event-not-available'])
    expect(disorders(result)).toEqual([])
  })

  it.each([
    ['another commit than the variables', { after: 'f'.repeat(40) }, 'event-contradicts'],
    [
      'another repository than the variables',
      { repository: { full_name: 'evil/app', default_branch: 'main' } },
      'event-contradicts',
    ],
    ['no repository', { repository: undefined }, 'event-unreadable'],
    ['no commit', { after: 'main' }, 'event-unreadable'],
  ])('a payload that names %s is no evidence: exit 3', async (_what, changes, reason) => {
    const result = await runJob(bench, workspace, {
      inputs: releaseInputs(bench, 'events'),
      event: { name: 'push', payload: payload(changes) },
    })
    expect([result.code, result.outputs['verdict'], result.outputs['reason']]).toEqual([
      3,
      'incomplete',
      reason,
    ])
    expect(disorders(result)).toEqual([])
  })

  it('a payload that is not there is no evidence: exit 3', async () => {
    const result = await runJob(bench, workspace, {
      inputs: releaseInputs(bench, 'events'),
      env: { GITHUB_EVENT_PATH: '/nonexistent/event.json' },
    })
    expect([result.code, result.outputs['reason']]).toEqual([3, 'event-unreadable'])
  })

  it('a runner without command files is not served in silence: never exit 0 or 1', async () => {
    const result = await runJob(bench, workspace, {
      inputs: releaseInputs(bench, 'events'),
      env: { GITHUB_EVENT_NAME: 'schedule' },
    })
    expect(result.code).toBe(2)
  })

  it('nothing was pushed by any of them', async () => {
    expect(await bench.registry.catalog()).not.toContain('events')
  })
})

describe('a push to the default branch', () => {
  it('releases a good image, by the policy of the commit and not of the working tree', async () => {
    const workspace = await makeWorkspace(bench, 'fixed')
    await writeFile(join(workspace.dir, '.github', 'portcullis.yml'), 'this: is not a policy\n')
    const result = await runJob(bench, workspace, { inputs: releaseInputs(bench, 'good') })
    expect([result.code, errorsOf(result)]).toEqual([0, ''])
    expect(disorders(result)).toEqual([])

    const { outputs } = result
    const index: unknown = JSON.parse(await readFile(join(workspace.layout, 'index.json'), 'utf8'))
    expect(index).toMatchObject({ manifests: [{ digest: outputs['digest'] }] })
    expect(outputs).toMatchObject({
      verdict: 'pass',
      reason: 'clean',
      'image-ref': `${bench.registry.host}/good@${outputs['digest'] ?? ''}`,
      platforms: '["linux/amd64"]',
      tags: '["1.0.0","latest"]',
      violations: '0',
    })
    for (const name of ['sbom-spdx', 'sbom-cyclonedx', 'bundles']) {
      const files: unknown = JSON.parse(outputs[name] ?? '')
      expect(files).not.toEqual([])
      for (const file of files as string[]) expect(existsSync(file)).toBe(true)
    }
    const record = await readRecord(outputs['report-dir'] ?? '')
    expect(record?.verdict?.policy.origin).toBe(`.github/portcullis.yml at ${workspace.commit.slice(0, 12)}`)
    expect(record?.trigger).toMatchObject({
      kind: 'event',
      event: 'push',
      ref: 'refs/heads/main',
      commit: workspace.commit,
      repository: REPOSITORY,
      runUrl: `https://github.com/${REPOSITORY}/actions/runs/4242`,
    })
    expect(result.summary.split('\n')[0]).toMatch(
      /^### ✅ .*good: passed, signed, verified, tagged 1\.0\.0, latest$/,
    )

    const reference = outputs['image-ref'] ?? ''
    const { stdout } = await run(toolPath('crane'), ['digest', `${bench.registry.host}/good:1.0.0`])
    expect(stdout.trim()).toBe(outputs['digest'])
    await run(toolPath('cosign'), [
      ...['verify', '--key', bench.key.publicKey, '--insecure-ignore-tlog', reference],
    ])
  })

  it('refuses a bad image, whatever the working tree says: exit 1, on the line of the Dockerfile', async () => {
    const workspace = await makeWorkspace(bench, 'vulnerable')
    const lax = policyText(['vulnerability.severity', 'vulnerability.kev', 'secret.found'])
    await writeFile(join(workspace.dir, '.github', 'portcullis.yml'), lax)
    const result = await runJob(bench, workspace, { inputs: releaseInputs(bench, 'bad') })
    expect([result.code, result.outputs['verdict'], result.outputs['reason']]).toEqual([
      1,
      'fail',
      'vulnerability.severity',
    ])
    expect(disorders(result)).toEqual([])
    expect(Number(result.outputs['violations'])).toBeGreaterThan(0)
    expect(result.outputs['image-ref']).toBe('')
    expect(result.outputs['tags']).toBe('[]')
    expect(result.summary.split('\n')[0]).toMatch(/^### ⛔ /)
    const onLine = result.commands.filter(
      command => command.name === 'error' && command.properties['file'] === 'Dockerfile',
    )
    const dockerfile = (await readFile(join(workspace.dir, 'Dockerfile'), 'utf8')).split('\n')
    const lines = onLine.map(command => dockerfile[Number(command.properties['line']) - 1] ?? '')
    expect(lines.length).toBeGreaterThan(0)
    expect(lines.every(line => line.startsWith('COPY'))).toBe(true)
    expect(await bench.registry.catalog()).not.toContain('bad')
  })

  it('a policy of the commit that is broken is exit 2, whatever the working tree says', async () => {
    const workspace = await makeWorkspace(
      bench,
      'fixed',
      'apiVersion: portcullis/v1\nkind: ImagePolicy\nmoed: audit\n',
    )
    await writeFile(join(workspace.dir, '.github', 'portcullis.yml'), policyText())
    const result = await runJob(bench, workspace, { inputs: releaseInputs(bench, 'broken-policy') })
    expect(result.code).toBe(2)
    expect(errorsOf(result)).toMatch(/portcullis\.yml:3:1.*moed/)
    expect(disorders(result)).toEqual([])
    expect(await bench.registry.catalog()).not.toContain('broken-policy')
  })
})
