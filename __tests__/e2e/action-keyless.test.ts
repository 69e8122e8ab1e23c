import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { PREDICATE } from '../../src/evidence/statement.js'
import { openBench, policyText, readRecord, runGate, type Bench } from '../support/gate-runs.js'
import { disorders, errorsOf, makeWorkspace, releaseInputs, runJob } from '../support/jobs.js'
import type { Job } from '../support/runner.js'
import { startSigstore, type PrivateSigstore } from '../support/sigstore.js'
import { SIGNER } from '../support/token-issuer.js'
import { run, toolPath } from '../support/tools.js'

let bench: Bench
let sigstore: PrivateSigstore

beforeAll(async () => {
  bench = await openBench()
  sigstore = await startSigstore()
})

afterAll(async () => {
  await sigstore.stop()
  await bench.close()
})

/** A push without a word about signing, where the own Sigstore is named. */
function keylessJob(repository: string): Pick<Job, 'inputs' | 'env'> {
  const given = Object.entries(releaseInputs(bench, repository))
  const inputs = Object.fromEntries(given.filter(([name]) => name !== 'sign' && name !== 'key'))
  const { signingConfig, trustedRoot } = sigstore.withLog
  return {
    inputs: { ...inputs, 'signing-config': signingConfig, 'trusted-root': trustedRoot },
    env: sigstore.issuer.environment,
  }
}

describe('a push to the default branch, signed without a key', () => {
  it('is released as this job, verified with the printed command, and shows no token', async () => {
    const workspace = await makeWorkspace(bench, 'fixed')
    sigstore.issuer.claim({ sha: workspace.commit })
    const result = await runJob(bench, workspace, keylessJob('keyless'))
    expect([result.code, errorsOf(result)]).toEqual([0, ''])
    expect(disorders(result)).toEqual([])
    expect(result.summary).toContain('release.yml')

    const record = await readRecord(result.outputs['report-dir'] ?? '')
    expect(record?.release).toMatchObject({
      state: 'released',
      identity: {
        issuer: sigstore.issuer.url,
        subject: SIGNER,
        commit: workspace.commit,
        repositoryId: '1',
        ref: 'refs/heads/main',
      },
    })
    const [program = '', ...args] = (result.outputs['verify-command'] ?? '').split(' ')
    expect(program).toBe('cosign')
    const { stdout } = await run(toolPath('cosign'), [...args, '--output', 'json'], { cwd: workspace.dir })
    expect(stdout).toContain(PREDICATE.signature)

    const token = sigstore.issuer.given.at(-1) ?? ''
    const requestToken = sigstore.issuer.environment.ACTIONS_ID_TOKEN_REQUEST_TOKEN
    const reports = await readFile(join(result.outputs['report-dir'] ?? '', 'portcullis.json'), 'utf8')
    const shown = [result.stdout, result.stderr, result.summary, JSON.stringify(result.outputs), reports]
    expect(token.split('.')).toHaveLength(3)
    for (const text of shown) {
      expect(text).not.toContain(token.split('.')[2])
      expect(text).not.toContain(requestToken)
    }
  })

  it('needs id-token: write, and says so before anything costly: exit 2', async () => {
    const workspace = await makeWorkspace(bench, 'fixed')
    const { inputs } = keylessJob('no-token')
    const result = await runJob(bench, workspace, { inputs, idToken: false })
    expect([result.code, result.outputs['verdict'], result.outputs['reason']]).toEqual([
      2,
      'incomplete',
      'id-token-missing',
    ])
    expect(errorsOf(result)).toMatch(/id-token: write/)
    expect(disorders(result)).toEqual([])
    const record = await readRecord(result.outputs['report-dir'] ?? '')
    expect(record?.stages.filter(one => one.state === 'done').map(one => one.stage)).not.toContain('tools')
    expect(await bench.registry.catalog()).not.toContain('no-token')
  })

  it('is not let in by a policy that lists another repository id: exit 2, nothing pushed', async () => {
    const identities = [
      'identities:',
      `  - issuer: ${sigstore.issuer.url}`,
      '    repository_id: 7',
      '    workflow: .github/workflows/release.yml',
    ]
    const workspace = await makeWorkspace(bench, 'fixed', policyText([], identities))
    sigstore.issuer.claim({ sha: workspace.commit })
    const result = await runJob(bench, workspace, keylessJob('not-listed'))
    expect([result.code, result.outputs['reason']]).toEqual([2, 'identity-not-allowed'])
    expect(errorsOf(result)).toMatch(/repositoryId is "1", expected "7"/)
    expect(disorders(result)).toEqual([])
    expect(await bench.registry.catalog()).not.toContain('not-listed')
  })

  it('refuses a trusted root that is none before anything costly: exit 2', async () => {
    const workspace = await makeWorkspace(bench, 'fixed')
    const { inputs, env = {} } = keylessJob('no-root')
    const wrong = { ...inputs, 'trusted-root': '.github/portcullis.yml' }
    const result = await runJob(bench, workspace, { inputs: wrong, env })
    expect([result.code, result.outputs['reason']]).toEqual([2, 'sigstore-unusable'])
    expect(errorsOf(result)).toMatch(/trusted-root: the file cannot be used/)
    expect(await bench.registry.catalog()).not.toContain('no-root')
  })

  it('a refused image asks for no token', async () => {
    const workspace = await makeWorkspace(bench, 'vulnerable')
    const asked = sigstore.issuer.asked.length
    const result = await runJob(bench, workspace, keylessJob('refused'))
    expect(result.code).toBe(1)
    expect(sigstore.issuer.asked).toHaveLength(asked)
  })
})

it('on a terminal there is no such token: exit 2', async () => {
  const project = await makeWorkspace(bench, 'fixed')
  const publish = ['--publish', 'always', '--tags', '1.0.0', '--sign', 'keyless']
  const result = await runGate(bench, project, { repository: 'terminal', publish })
  expect([result.code, result.record?.reason]).toEqual([2, 'id-token-missing'])
})
