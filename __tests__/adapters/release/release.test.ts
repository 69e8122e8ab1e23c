import { execFile } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { z } from 'zod'
import { PREDICATE } from '../../../src/evidence/statement.js'
import { pinnedReference } from '../../../src/evidence/reference.js'
import { releaseImage } from '../../../src/release/release.js'
import type { ReleaseRequest } from '../../../src/release/request.js'
import { builtProgram, hexOf } from '../../support/programs.js'
import { openDesk, policyOf, type Desk } from '../../support/release-desk.js'

let desk: Desk
beforeAll(async () => {
  desk = await openDesk()
})
afterAll(() => desk.close())
beforeEach(() => desk.registry.lie(null))

async function run(name: string, args: readonly string[]): Promise<string> {
  const env = { PATH: process.env['PATH'], HOME: desk.dir }
  const { stdout } = await promisify(execFile)(builtProgram(name).path, args, { env, timeout: 30_000 })
  return stdout
}

async function realTags(request: ReleaseRequest): Promise<readonly string[]> {
  const listed = await run('crane', ['ls', `${desk.embedded.host}/${request.image.path}`])
  return listed
    .split('\n')
    .filter(tag => tag !== '' && !tag.startsWith('sha256-'))
    .sort()
}

describe('a release with a key', () => {
  test.each([1, 2] as const)(
    'of %d platform(s) is pushed, signed, attached, verified, tagged',
    async platforms => {
      const request = await desk.request(platforms)
      const outcome = await releaseImage(desk.services, request)
      expect(outcome.problems).toEqual([])
      expect(outcome.record.state).toBe('released')
      expect(outcome.record.tags).toEqual([
        { tag: '1.0.0', state: 'created' },
        { tag: 'latest', state: 'created' },
      ])
      expect(outcome.record.served?.objects).toBe(request.layout.blobs.length)
      expect(outcome.results.map(one => [one.rule, one.outcome])).toEqual([['sign.present', 'pass']])
      const children = request.layout.subject.platforms.length
      const signed = platforms === 1 ? 1 : 3
      expect(outcome.record.bundles).toHaveLength(2 * signed + 3 * children)
      const whole = outcome.record.bundles.filter(one => one.predicateType === PREDICATE.signature)
      expect(whole.map(one => one.attachedTo)).toEqual([
        ...new Set([
          request.layout.subject.digest,
          ...request.layout.subject.platforms.map(one => one.manifest.digest),
        ]),
      ])
    },
  )

  test('other programs agree with the record', async () => {
    const request = await desk.request(2)
    const { record, files } = await releaseImage(desk.services, request)
    const reference = pinnedReference(request.image, request.layout.subject.digest)
    expect(await realTags(request)).toEqual(['1.0.0', 'latest'])
    for (const tag of await realTags(request)) {
      expect((await run('crane', ['digest', `${request.image.name}:${tag}`])).trim()).toBe(record.digest)
    }
    expect(`sha256:${hexOf(await run('crane', ['manifest', reference]))}`).toBe(record.digest)
    expect(record.verifyCommand).toBe(
      `cosign verify --key ${join(request.reportDir, 'cosign.pub')} --insecure-ignore-tlog ${reference}`,
    )
    const key = ['--key', join(request.reportDir, 'cosign.pub'), '--insecure-ignore-tlog']
    expect(await run('cosign', ['verify', ...key, '-o', 'json', reference])).toContain(PREDICATE.signature)
    const child = request.layout.subject.platforms[1]?.manifest.digest ?? record.digest
    for (const type of ['spdxjson', 'cyclonedx', 'vuln', PREDICATE.summary]) {
      await run('cosign', [
        'verify-attestation',
        ...key,
        '--type',
        type,
        `${request.image.name}@${child ?? ''}`,
      ])
    }
    for (const file of files) {
      expect(hexOf(readFileSync(join(request.reportDir, file.path)))).toBe(file.sha256)
    }
  })

  test('done again it keeps the tags and adds no others', async () => {
    const request = await desk.request()
    await releaseImage(desk.services, request)
    const again = await releaseImage(desk.services, request)
    expect(again.record.state).toBe('released')
    expect(again.record.tags.map(one => one.state)).toEqual(['kept', 'kept'])
  })

  test('a key in a variable is used and its file is gone afterwards', async () => {
    const request = await desk.request()
    const environment = { RELEASE_KEY: readFileSync(desk.keyFile, 'utf8') }
    const signing = { ...request.signing, key: 'env://RELEASE_KEY' } as ReleaseRequest['signing']
    const outcome = await releaseImage({ ...desk.services, environment }, { ...request, signing })
    expect(outcome.record.state).toBe('released')
    expect(readdirSync(request.workDir).filter(name => /^(key|sign|verify)-/.test(name))).toEqual([])
  })

  test('the summary says what it is made of, and that it is a rehearsal', async () => {
    const request = await desk.request()
    await releaseImage(desk.services, request)
    const bundle = z
      .object({ dsseEnvelope: z.object({ payload: z.string() }) })
      .parse(JSON.parse(readFileSync(join(request.reportDir, 'bundles', 'summary.sigstore.json'), 'utf8')))
    const statement: unknown = JSON.parse(Buffer.from(bundle.dsseEnvelope.payload, 'base64').toString())
    expect(statement).toMatchObject({
      predicateType: PREDICATE.summary,
      predicate: {
        verificationResult: 'PASSED',
        policy: { digest: { sha256: request.policy.digest } },
        portcullis_rehearsal: true,
        inputAttestations: expect.arrayContaining([
          {
            uri: PREDICATE.signature,
            digest: {
              sha256: hexOf(readFileSync(join(request.reportDir, 'bundles', 'signature.sigstore.json'))),
            },
          },
        ]) as unknown,
      },
    })
  })
})

describe('a release without signature', () => {
  test('is pushed by digest and not tagged, for the reason sign.present', async () => {
    const request = { ...(await desk.request()), signing: { kind: 'none' } } as const
    const outcome = await releaseImage(desk.services, request)
    expect(outcome.problems).toEqual([])
    expect(outcome.record).toMatchObject({ state: 'pushed', tags: [], bundles: [] })
    expect(outcome.results.map(one => [one.rule, one.outcome])).toEqual([['sign.present', 'fail']])
    expect(await realTags(request)).toEqual([])
    await run('crane', ['manifest', pinnedReference(request.image, request.layout.subject.digest)])
  })

  test('is not tagged in audit mode either', async () => {
    const request = {
      ...(await desk.request()),
      signing: { kind: 'none' },
      policy: policyOf('mode: audit\n'),
    } as const
    const outcome = await releaseImage(desk.services, request)
    expect(outcome.record).toMatchObject({ state: 'pushed', tags: [] })
  })

  test('is tagged where the policy turned the rule off', async () => {
    const policy = policyOf('rules:\n  sign.present:\n    mode: off\n    reason: signed elsewhere\n')
    const request = { ...(await desk.request()), signing: { kind: 'none' }, policy } as const
    const outcome = await releaseImage(desk.services, request)
    expect(outcome.problems).toEqual([])
    expect(outcome.record.state).toBe('released')
    expect(await realTags(request)).toEqual(['1.0.0', 'latest'])
  })
})

describe('nothing is pushed', () => {
  const other = `sha256:${'0'.repeat(64)}` as const
  test.each<[string, string, (request: ReleaseRequest) => ReleaseRequest]>([
    [
      'a verdict that blocks',
      'verdict-blocks',
      r => ({ ...r, verdict: { ...r.verdict, outcome: 'fail', blocks: true } }),
    ],
    [
      'an incomplete verdict',
      'verdict-blocks',
      r => ({ ...r, verdict: { ...r.verdict, outcome: 'incomplete' } }),
    ],
    [
      'a verdict over another image',
      'other-subject',
      r => ({ ...r, verdict: { ...r.verdict, subject: { name: r.image.name, digest: other } } }),
    ],
    [
      'a name the policy does not bind',
      'image-not-bound',
      r => ({ ...r, policy: policyOf('bind:\n  - image: ghcr.io/acme/app\n') }),
    ],
    [
      'no confinement and a key',
      'isolation-none',
      r => ({ ...r, evidence: { ...r.evidence, isolation: { state: 'present', value: 'none' } } }),
    ],
  ])('for %s', async (_name, reason, change) => {
    const request = change(await desk.request())
    const before = desk.registry.requests.length
    const outcome = await releaseImage(desk.services, request)
    expect(outcome.problems.map(one => one.reason)).toEqual([reason])
    expect(outcome.record).toMatchObject({ state: 'refused', tags: [] })
    expect(desk.registry.requests.slice(before)).toEqual([])
  })

  test('for a failing verdict in audit mode, without a problem', async () => {
    const request = await desk.request()
    const verdict = { ...request.verdict, outcome: 'fail', mode: 'audit', blocks: false } as const
    const outcome = await releaseImage(desk.services, { ...request, verdict })
    expect(outcome).toMatchObject({ record: { state: 'refused', tags: [] }, problems: [] })
  })

  test.each([
    ['a wrong password', { password: 'wrong' }],
    ['a missing key', { key: '/nonexistent/key' }],
    ['an unset variable', { key: 'env://NOT_SET' }],
    ['a key service', { key: 'awskms://alias/x' }],
  ])('for %s', async (_name, change) => {
    const request = await desk.request()
    const signing = { ...request.signing, ...change } as ReleaseRequest['signing']
    const before = desk.registry.requests.length
    const outcome = await releaseImage(desk.services, { ...request, signing })
    expect(outcome.problems).toMatchObject([{ code: 'config', reason: 'key-unusable' }])
    expect(desk.registry.requests.slice(before)).toEqual([])
  })

  test('when a blob changed after it was judged', async () => {
    const request = await desk.request()
    const layer = request.layout.subject.platforms[0]?.layers[0]
    const path = join(request.layout.dir, 'blobs', 'sha256', layer?.digest.slice(7) ?? '')
    const bytes = readFileSync(path)
    bytes[bytes.length - 1] = (bytes.at(-1) ?? 0) ^ 1
    writeFileSync(path, bytes)
    const outcome = await releaseImage(desk.services, request)
    expect(outcome.problems.map(one => one.reason)).toEqual(['blob-digest-mismatch'])
    await expect(realTags(request)).rejects.toThrow()
  })

  test('when a tag exists elsewhere', async () => {
    const first = await desk.request()
    await releaseImage(desk.services, first)
    const second = { ...(await desk.request()), image: first.image }
    const outcome = await releaseImage(desk.services, second)
    expect(outcome.problems).toMatchObject([{ code: 'config', reason: 'tag-exists' }])
    await expect(
      run('crane', ['manifest', pinnedReference(first.image, second.layout.subject.digest)]),
    ).rejects.toThrow()
  })
})

test('an SBOM that changed after it was judged is not signed', async () => {
  const request = await desk.request()
  writeFileSync(join(request.reportDir, 'linux-amd64.spdx.json'), '{"spdxVersion":"SPDX-2.3"}')
  const outcome = await releaseImage(desk.services, request)
  expect(outcome.problems.map(one => one.reason)).toEqual(['sbom-changed'])
  expect(await realTags(request)).toEqual([])
  expect(existsSync(join(request.reportDir, 'bundles', 'summary.sigstore.json'))).toBe(false)
})

describe('a registry with a login', () => {
  const login = Buffer.from('ann:p:w').toString('base64')
  const refuse = { status: 401, headers: { 'www-authenticate': 'Basic realm="x"' } }

  function requireLogin(): void {
    desk.registry.lie(seen => (seen.headers.authorization === `Basic ${login}` ? null : refuse))
  }

  test('is used with the login of the docker configuration', async () => {
    const folder = join(desk.dir, 'docker')
    mkdirSync(folder, { recursive: true })
    const file = join(folder, 'config.json')
    writeFileSync(file, JSON.stringify({ auths: { [desk.registry.host]: { auth: login } } }))
    requireLogin()
    const request = await desk.request()
    const outcome = await releaseImage(desk.services, request)
    rmSync(file)
    expect(outcome.problems).toEqual([])
    expect(outcome.record.state).toBe('released')
    expect(await realTags(request)).toEqual(['1.0.0', 'latest'])
  })

  test('that asks for none is used with one all the same', async () => {
    const folder = join(desk.dir, 'docker')
    mkdirSync(folder, { recursive: true })
    const file = join(folder, 'config.json')
    writeFileSync(file, JSON.stringify({ auths: { [desk.registry.host]: { auth: login } } }))
    const outcome = await releaseImage(desk.services, await desk.request())
    rmSync(file)
    expect(outcome.problems).toEqual([])
    expect(outcome.record.state).toBe('released')
  })

  test('refuses without one, before anything is pushed', async () => {
    requireLogin()
    const request = await desk.request()
    const outcome = await releaseImage(desk.services, request)
    expect(outcome.problems).toMatchObject([{ code: 'service', reason: 'registry-refused' }])
    await expect(realTags(request)).rejects.toThrow('NAME_UNKNOWN')
  })

  test('whose login cannot be read is a problem of its own', async () => {
    const folder = join(desk.dir, 'docker')
    mkdirSync(folder, { recursive: true })
    const file = join(folder, 'config.json')
    writeFileSync(file, '{ not json')
    const outcome = await releaseImage(desk.services, await desk.request())
    rmSync(file)
    expect(outcome.problems).toMatchObject([{ code: 'service', reason: 'registry-login-unreadable' }])
  })
})
