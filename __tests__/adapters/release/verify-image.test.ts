import { readFileSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { Digest } from '../../../src/evidence/digest.js'
import { PREDICATE } from '../../../src/evidence/statement.js'
import { judgeVerification, VERIFY_REASONS, type VerifyAnswer } from '../../../src/evidence/verification.js'
import { attachBundle } from '../../../src/registry/attach.js'
import { openRegistry } from '../../../src/registry/registry.js'
import { generateRehearsalKey } from '../../../src/release/key.js'
import { planStatements, planSummary, type PlannedStatement } from '../../../src/release/plan.js'
import { pushLayout } from '../../../src/release/push.js'
import { releaseImage } from '../../../src/release/release.js'
import type { ReleaseRequest } from '../../../src/release/request.js'
import { NOTHING_EARLIER } from '../../../src/release/resume.js'
import { openSigner, type Signer } from '../../../src/release/sign.js'
import { openKeySignatory, type Signatory } from '../../../src/release/signatory.js'
import { readServedImage } from '../../../src/release/verify-image.js'
import { NOW, openDesk, PASSWORD, type Desk } from '../../support/release-desk.js'

const EVERYTHING = ['signature', 'spdx', 'cyclonedx', 'vulnerabilities', 'summary'] as const
const DAY = 24 * 3_600_000
const seenReasons = new Set<string>()

let desk: Desk
let otherKey = ''
beforeAll(async () => {
  desk = await openDesk()
  const dir = join(desk.dir, 'other')
  await mkdir(dir)
  const { commands, cosign } = desk.services
  otherKey = await generateRehearsalKey({ commands, program: cosign }, dir, PASSWORD)
})
afterAll(() => desk.close())

/** A request whose statements are not marked as a rehearsal. */
async function serious(platforms: 1 | 2 = 1): Promise<ReleaseRequest> {
  const request = await desk.request(platforms)
  return { ...request, signing: keyed(desk.keyFile) }
}

function keyed(key: string): Extract<ReleaseRequest['signing'], { readonly kind: 'key' }> {
  return { kind: 'key', key, password: PASSWORD, rehearsal: false }
}

/** What a reader with our public key sees, and what is wrong with it. */
async function verified(
  request: ReleaseRequest,
  more: { readonly laterMs?: number; readonly program?: string; readonly key?: string } = {},
): Promise<VerifyAnswer> {
  const { commands, cosign, signal } = desk.services
  const publicKeyFile = `${(more.key ?? desk.keyFile).slice(0, -'.key'.length)}.pub`
  const check = { kind: 'key', publicKeyFile } as const
  const program = more.program === undefined ? cosign : { name: 'cosign', path: more.program }
  const served = await readServedImage(
    {
      registry: openRegistry({ image: request.image, credentials: null, access: 'pull', signal }),
      cosign: { commands, program },
      believed: {
        trust: { kind: 'key', publicKey: readFileSync(publicKeyFile, 'utf8') },
        check: () => check,
      },
      workDir: request.workDir,
    },
    request.layout.subject.digest,
  )
  const answer = judgeVerification(served.bundles, {
    ...{ index: served.index, children: served.children, require: EVERYTHING },
    ...{ now: NOW.getTime() + (more.laterMs ?? 0), maxAgeMs: 30 * DAY },
  })
  for (const problem of answer.problems) seenReasons.add(problem.reason)
  return answer
}

function reasons(answer: VerifyAnswer): readonly string[] {
  return [...new Set(answer.problems.map(problem => problem.reason))]
}

interface Hand {
  readonly signer: Signer
  readonly planned: readonly PlannedStatement[]
  readonly hang: (on: Digest, statement: PlannedStatement | Buffer) => Promise<void>
}

/** Pushes the image without any statement, and hangs on it whatever a test says. */
async function byHand(request: ReleaseRequest, work: (hand: Hand) => Promise<void>): Promise<void> {
  const { commands, crane, signal } = desk.services
  await pushLayout({ commands, program: crane }, request.image, request.layout)
  const signatory: Signatory = await openKeySignatory(desk.services, keyed(desk.keyFile), {
    ...request,
    privateDir: request.workDir,
  })
  const signer = await openSigner(signatory, request, NOTHING_EARLIER)
  const planned = await planStatements(request)
  try {
    await work({
      signer,
      planned,
      hang: async (on, statement) => {
        const ready = Buffer.isBuffer(statement)
        const predicateType = ready ? PREDICATE.signature : statement.predicateType
        const bundle = ready ? statement : (await signer.sign(statement)).bundle
        const created = NOW.toISOString()
        await attachBundle({
          ...{ image: request.image, credentials: null, digest: on },
          ...{ bundle, predicateType, created, signal },
        })
      },
    })
  } finally {
    await signer.close()
    await signatory.close()
  }
}

function of(planned: readonly PlannedStatement[], type: string): PlannedStatement {
  const found = planned.find(one => one.predicateType === type)
  if (found === undefined) throw new Error(`no statement of ${type} is planned`)
  return found
}

function restated(
  statement: PlannedStatement,
  change: (value: Record<string, unknown>) => void,
): PlannedStatement {
  const value = JSON.parse(statement.payload) as Record<string, unknown>
  change(value)
  return { ...statement, payload: JSON.stringify(value) }
}

describe('an image in a registry verifies', () => {
  test.each([1, 2] as const)('when it was released, with %d platform(s)', async platforms => {
    const request = await serious(platforms)
    expect((await releaseImage(desk.services, request)).problems).toEqual([])
    expect(await verified(request)).toEqual({ problems: [], notes: [] })
  })

  test('when something bad hangs beside the good, which is said', async () => {
    const request = await serious()
    await releaseImage(desk.services, request)
    const { digest } = request.layout.subject
    await byHand(request, hand => hand.hang(digest, Buffer.from('{"mediaType": "appl')))
    const answer = await verified(request)
    expect(answer.problems).toEqual([])
    expect(answer.notes).toEqual([expect.stringContaining('is not believed')])
  })
})

describe('an image in a registry does not verify', () => {
  test('unsigned', async () => {
    const request = await serious()
    await byHand(request, () => Promise.resolve())
    expect(reasons(await verified(request))).toEqual(['unsigned'])
  })

  test('an SBOM statement that poses as a signature: signature-missing', async () => {
    const request = await serious()
    const { digest } = request.layout.subject
    await byHand(request, ({ hang, planned }) => hang(digest, of(planned, PREDICATE.spdx)))
    expect(reasons(await verified(request))).toEqual(['signature-missing', 'attestation-missing'])
  })

  test('another key: wrong-signer', async () => {
    const request = await serious()
    await releaseImage(desk.services, request)
    expect(reasons(await verified(request, { key: otherKey }))).toEqual(['wrong-signer'])
  })

  test('the bundle of another image: other-subject', async () => {
    const [one, other] = [await serious(), await serious()]
    await byHand(one, ({ hang }) =>
      byHand(other, async theirs => hang(one.layout.subject.digest, of(theirs.planned, PREDICATE.signature))),
    )
    expect(reasons(await verified(one))).toContain('other-subject')
  })

  test('a truncated bundle: bundle-malformed', async () => {
    const request = await serious()
    const { digest } = request.layout.subject
    await byHand(request, async ({ hang, planned, signer }) => {
      const { bundle } = await signer.sign(of(planned, PREDICATE.signature))
      await hang(digest, bundle.subarray(0, bundle.length / 2))
    })
    expect(reasons(await verified(request))).toEqual(['bundle-malformed'])
  })

  test('the SBOM of arm64 on amd64: other-subject', async () => {
    const request = await serious(2)
    const [amd64, arm64] = request.layout.subject.platforms.map(child => child.manifest.digest)
    if (amd64 === undefined || arm64 === undefined) throw new Error('two platforms')
    await byHand(request, async ({ hang, planned }) => {
      const theirs = planned.find(one => one.predicateType === PREDICATE.spdx && one.subjects[0] === arm64)
      if (theirs === undefined) throw new Error('no SBOM of arm64')
      await hang(amd64, of(planned, PREDICATE.signature))
      await hang(amd64, theirs)
    })
    const answer = await verified(request)
    const said = answer.problems.filter(one => one.digest === amd64).map(one => one.reason)
    expect(said).toContain('other-subject')
    expect(said).not.toContain('signature-missing')
  })

  test('statements that are too old: attestation-expired', async () => {
    const request = await serious()
    await releaseImage(desk.services, request)
    expect(reasons(await verified(request, { laterMs: 31 * DAY }))).toEqual(['attestation-expired'])
    expect(reasons(await verified(request, { laterMs: 29 * DAY }))).toEqual([])
  })

  test('a rehearsal', async () => {
    const request = await desk.request()
    await releaseImage(desk.services, request)
    expect(reasons(await verified(request))).toContain('rehearsal')
  })

  test('a summary that says FAILED, one that says nothing, an SBOM of two images', async () => {
    const request = await serious()
    const { digest } = request.layout.subject
    await byHand(request, async ({ hang, planned, signer }) => {
      const signed = await signer.signEach(planned)
      const summary = planSummary(request, signed)
      await hang(digest, of(planned, PREDICATE.signature))
      await hang(
        digest,
        restated(
          summary,
          value => (value['predicate'] = { ...(value['predicate'] as object), verificationResult: 'FAILED' }),
        ),
      )
      await hang(
        digest,
        restated(of(planned, PREDICATE.vulnerabilities), value => (value['predicate'] = {})),
      )
      await hang(
        digest,
        restated(of(planned, PREDICATE.spdx), value => {
          const [subject] = value['subject'] as readonly object[]
          value['subject'] = [subject, { name: 'other', digest: { sha256: '0'.repeat(64) } }]
        }),
      )
    })
    expect(reasons(await verified(request))).toEqual([
      'subjects-too-many',
      'attestation-missing',
      'attestation-malformed',
      'verdict-failed',
    ])
  })

  test('a later summary that says FAILED, beside one that says PASSED; statements of tomorrow', async () => {
    const request = await serious()
    const { digest } = request.layout.subject
    await releaseImage(desk.services, request)
    expect(reasons(await verified(request, { laterMs: -DAY }))).toEqual(['attestation-malformed'])
    const failed = { ...request.verdict, outcome: 'fail', decidedAt: '2026-11-22T10:04:00.000Z' } as const
    await byHand(request, async ({ hang, planned, signer }) => {
      const signed = await signer.signEach(planned)
      await hang(digest, planSummary({ ...request, verdict: failed }, signed))
    })
    expect(reasons(await verified(request))).toEqual(['verdict-failed'])
  })

  test('when Cosign does not agree: verifiers-disagree', async () => {
    const request = await serious()
    await releaseImage(desk.services, request)
    expect(reasons(await verified(request, { program: '/bin/false' }))).toEqual(['verifiers-disagree'])
  })

  test('every reason but those of certificates was seen', () => {
    const ofCertificates = ['proof-missing']
    expect([...VERIFY_REASONS].filter(one => !seenReasons.has(one))).toEqual(ofCertificates)
  })
})
