import { execFile } from 'node:child_process'
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { parseImageName, pinnedReference } from '../../../src/evidence/reference.js'
import { PREDICATE } from '../../../src/evidence/statement.js'
import { releaseImage } from '../../../src/release/release.js'
import type { ReleaseRequest } from '../../../src/release/request.js'
import type { Command, Commands } from '../../../src/tools/command.js'
import { createCommands } from '../../../src/tools/commands.js'
import { openKeylessDesk, type KeylessDesk } from '../../support/keyless-desk.js'
import { startOlareg, type ReferrersRegistry } from '../../support/olareg.js'
import { builtProgram } from '../../support/programs.js'
import { policyOf } from '../../support/release-desk.js'
import { JOB, SIGNER } from '../../support/token-issuer.js'

let place: KeylessDesk
let olareg: ReferrersRegistry
beforeAll(async () => {
  place = await openKeylessDesk()
  olareg = await startOlareg()
})
afterAll(async () => {
  await olareg.stop()
  await place.close()
})
beforeEach(async () => {
  const { issuer, ...services } = place.sigstore
  issuer.claim({})
  issuer.trouble(null)
  for (const service of [services.fulcio, services.timestamps, services.rekor]) {
    service.trouble(null)
    await service.up()
  }
})

async function cosign(args: readonly string[]): Promise<string> {
  const { stdout } = await promisify(execFile)(builtProgram('cosign').path, args, {
    env: { PATH: process.env['PATH'], HOME: place.desk.dir },
  })
  return stdout
}

async function tagsOf(request: ReleaseRequest): Promise<readonly string[]> {
  const answer = await fetch(`http://${request.image.host}/v2/${request.image.path}/tags/list`)
  const body = (await answer.json()) as { readonly tags?: readonly string[] | null }
  return (body.tags ?? []).filter(tag => !tag.startsWith('sha256-')).toSorted()
}

/** What refers to the image at a registry without the referrers API. */
async function referrersOf(request: ReleaseRequest): Promise<readonly string[]> {
  const { host, path } = request.image
  const tag = request.layout.subject.digest.replace(':', '-')
  const headers = { accept: 'application/vnd.oci.image.index.v1+json' }
  const answer = await fetch(`http://${host}/v2/${path}/manifests/${tag}`, { headers })
  const index = (await answer.json()) as { readonly manifests: readonly { readonly digest: string }[] }
  return index.manifests.map(one => one.digest).toSorted()
}

/** Everything a run left on disk, as one text. */
function leftBy(request: ReleaseRequest): string {
  const files = [request.reportDir, request.workDir].flatMap(dir =>
    readdirSync(dir, { recursive: true, withFileTypes: true }),
  )
  return files
    .filter(entry => entry.isFile())
    .map(entry => readFileSync(join(entry.parentPath, entry.name), 'latin1'))
    .join('\n')
}

const IDENTITY = {
  subject: SIGNER,
  repository: 'https://github.com/octo-org/app',
  repositoryId: '1',
  ownerId: '2',
  workflow: SIGNER,
  ref: 'refs/heads/main',
  commit: JOB.sha,
  trigger: 'push',
  runnerEnvironment: 'github-hosted',
  run: 'https://github.com/octo-org/app/actions/runs/4242/attempts/1',
}

describe('a release without a key', () => {
  test.each([
    ['with log', 'without referrers API', 2],
    ['with log', 'with referrers API', 1],
    ['without log', 'without referrers API', 1],
    ['without log', 'with referrers API', 2],
  ] as const)(
    '%s, at a registry %s: signed by this very job, verified, tagged',
    async (log, api, platforms) => {
      const files = log === 'with log' ? place.sigstore.withLog : place.sigstore.withoutLog
      const asked = await place.request(files, { platforms })
      const host = api === 'with referrers API' ? olareg.host : asked.image.host
      const request = { ...asked, image: parseImageName(`${host}/${asked.image.path}`) }
      const outcome = await releaseImage(place.services, request)
      expect(outcome.problems).toEqual([])
      expect(outcome.record.state).toBe('released')
      expect(outcome.record.identity).toEqual({ issuer: place.sigstore.issuer.url, ...IDENTITY })
      expect(outcome.record.signer).toBeUndefined()
      expect(await tagsOf(request)).toEqual(['1.0.0', 'latest'])

      const [program, ...args] = (outcome.record.verifyCommand ?? '').split(' ')
      expect(program).toBe('cosign')
      const reference = pinnedReference(request.image, request.layout.subject.digest)
      const exact = ['--certificate-identity', SIGNER, '--certificate-oidc-issuer', place.sigstore.issuer.url]
      expect(args).toEqual(expect.arrayContaining([...exact, reference]))
      expect(args.includes('--insecure-ignore-tlog')).toBe(log === 'without log')
      expect(await cosign([...args, '--output', 'json'])).toContain(PREDICATE.signature)
      const nearMiss = args.map(arg => (arg === SIGNER ? `${SIGNER}2` : arg))
      await expect(cosign(nearMiss)).rejects.toThrow(/expected SAN value/)
      const attestation = ['verify-attestation', ...args.slice(1), '--type', 'spdxjson']
      const child = request.layout.subject.platforms[0]?.manifest.digest ?? request.layout.subject.digest
      await cosign(attestation.map(arg => (arg === reference ? pinnedReference(request.image, child) : arg)))
    },
  )

  test('a second attempt of the job goes on with what the first attached, and signs nothing again', async () => {
    const request = await place.request(place.sigstore.withLog)
    await releaseImage(place.services, request)
    const signed = place.sigstore.fulcio.requests.length
    const before = await referrersOf(request)
    place.sigstore.issuer.claim({ run_attempt: '2' })
    const again = await releaseImage(place.services, request)
    expect([again.problems, again.record.state]).toEqual([[], 'released'])
    expect(again.record.identity?.run).toBe(`${IDENTITY.run.slice(0, -1)}2`)
    expect(place.sigstore.fulcio.requests).toHaveLength(signed)
    expect(before).toHaveLength(5)
    expect(await referrersOf(request)).toEqual(before)
  })

  test('an attempt of another job signs for itself', async () => {
    const request = await place.request(place.sigstore.withLog)
    await releaseImage(place.services, request)
    const before = await referrersOf(request)
    const workflow = JOB.workflow_ref.replace('release', 'other')
    place.sigstore.issuer.claim({ workflow_ref: workflow, job_workflow_ref: workflow })
    const again = await releaseImage(place.services, request)
    expect([again.problems, again.record.state]).toEqual([[], 'released'])
    expect(await referrersOf(request)).toHaveLength(2 * before.length)
  })

  test('where the public Sigstore cannot be reached nothing is pushed', async () => {
    const environment = { HTTPS_PROXY: 'http://127.0.0.1:9' }
    const { kind, tokens, rehearsal } = place.signing(place.sigstore.withLog)
    const signing = { kind, tokens, rehearsal }
    const request = { ...(await place.request(place.sigstore.withLog)), signing }
    const commands = createCommands({ environment, workDir: request.workDir })
    const before = place.desk.registry.requests.length
    const outcome = await releaseImage({ ...place.services, commands }, request)
    expect(outcome.problems.map(one => [one.code, one.reason])).toEqual([
      ['service', 'public-sigstore-unavailable'],
    ])
    expect(place.desk.registry.requests).toHaveLength(before)
    await commands.stopAll()
  })

  test('the token is in a file of mode 0600 while Cosign signs, and nowhere else before or after', async () => {
    const seen: { mode: number; folder: number; text: string; path: string }[] = []
    const words: string[] = []
    const { commands } = place.desk
    const watched: Commands = {
      ...commands,
      run: (command: Command) => {
        words.push(JSON.stringify([command.args, command.variables]))
        const at = command.args.indexOf('--identity-token')
        if (at >= 0) seen.push(look(command.args[at + 1] ?? ''))
        return commands.run(command)
      },
    }
    const given = place.sigstore.issuer.given.length
    const request = await place.request(place.sigstore.withLog)
    const outcome = await releaseImage({ ...place.services, commands: watched }, request)
    expect(outcome.record.state).toBe('released')
    const tokens = place.sigstore.issuer.given.slice(given)
    expect(tokens).toHaveLength(1)
    expect(seen).toHaveLength(5)
    for (const file of seen) {
      expect([file.mode, file.folder, file.text]).toEqual([0o600, 0o700, tokens[0]])
      expect(existsSync(dirname(file.path))).toBe(false)
    }
    const [, , signature = ''] = (tokens[0] ?? '').split('.')
    expect(signature.length).toBeGreaterThan(100)
    for (const text of [leftBy(request), words.join('\n'), JSON.stringify(outcome)])
      expect(text).not.toContain(signature)
    expect(
      readdirSync(request.workDir).filter(name => /^(?:token|signatory|sign|verify)-/.test(name)),
    ).toEqual([])
  })
})

function look(path: string): { mode: number; folder: number; text: string; path: string } {
  const mode = statSync(path).mode & 0o777
  return { mode, folder: statSync(dirname(path)).mode & 0o777, text: readFileSync(path, 'utf8'), path }
}

describe('who may sign', () => {
  const MAIN2 = JOB.workflow_ref.replace('main', 'main2')
  const policy = (issuer: string): ReturnType<typeof policyOf> =>
    policyOf(
      [
        'identities:',
        `  - issuer: ${issuer}`,
        '    repository_id: 1',
        '    owner_id: 2',
        '    workflow: .github/workflows/release.yml',
        '    ref: refs/heads/main',
        '    trigger: push',
        '    runner_environment: github-hosted',
        '',
      ].join('\n'),
    )

  test('the identity that the policy lists', async () => {
    const { sigstore } = place
    const request = await place.request(sigstore.withoutLog, { policy: policy(sigstore.issuer.url) })
    const decided = { ...request.verdict.policy, digest: request.policy.digest }
    const verdict = { ...request.verdict, policy: decided }
    const outcome = await releaseImage(place.services, { ...request, verdict })
    expect([outcome.problems, outcome.record.state]).toEqual([[], 'released'])
  })

  test.each([
    [
      'a branch whose name begins alike',
      { ref: 'refs/heads/main2', workflow_ref: MAIN2, job_workflow_ref: MAIN2 },
    ],
    ['the workflow of another branch', { job_workflow_ref: MAIN2 }],
    ['a repository of the same name and another id', { repository_id: '11' }],
    ['another owner of the same name', { repository_owner_id: '22' }],
    ['another workflow of the repository', { job_workflow_ref: JOB.workflow_ref.replace('release', 'test') }],
    ['a workflow of another repository', { job_workflow_ref: JOB.workflow_ref.replace('app', 'evil') }],
    ['another trigger', { event_name: 'pull_request_target' }],
    ['another kind of runner', { runner_environment: 'self-hosted' }],
  ])('not %s: nothing is pushed', async (_what, claims) => {
    const { sigstore, desk } = place
    sigstore.issuer.claim(claims)
    const request = await place.request(sigstore.withLog, { policy: policy(sigstore.issuer.url) })
    const before = desk.registry.requests.length
    const outcome = await releaseImage(place.services, request)
    expect(outcome.problems.map(one => [one.code, one.reason])).toEqual([['config', 'identity-not-allowed']])
    expect(outcome.record.state).toBe('failed')
    expect(desk.registry.requests).toHaveLength(before)
  })

  test('not one of another issuer', async () => {
    const request = await place.request(place.sigstore.withLog, {
      policy: policy(`${place.sigstore.issuer.url}0`),
    })
    const { problems } = await releaseImage(place.services, request)
    expect(problems.map(one => one.reason)).toEqual(['identity-not-allowed'])
  })
})
