import type { Digest } from '../../src/evidence/digest.js'
import type { Severity } from '../../src/evidence/scan.js'
import type { ImageSubject } from '../../src/evidence/subject.js'
import type { RuleResult, Verdict, Violation } from '../../src/policy/verdict.js'
import type { ReleaseRecord, RunRecord } from '../../src/record/record.js'

/** A digest of one repeated hex digit. */
export function digestOf(digit: string): Digest {
  return `sha256:${digit.repeat(64)}`
}

export const IMAGE = 'registry.example.com/acme/api'

/** One subject with a child for each platform. */
export function aSubject(...platforms: readonly string[]): ImageSubject {
  const names = platforms.length === 0 ? ['linux/amd64'] : platforms
  return {
    name: IMAGE,
    digest: digestOf('a'),
    mediaType: 'application/vnd.oci.image.manifest.v1+json',
    size: 1024,
    platforms: names.map(platform => ({
      platform,
      manifest: {
        mediaType: 'application/vnd.oci.image.manifest.v1+json',
        digest: digestOf('a'),
        size: 1024,
      },
      configDigest: digestOf('b'),
      configSize: 512,
      layers: [
        {
          mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip',
          digest: digestOf('c'),
          size: 4096,
          diffId: digestOf('d'),
        },
      ],
      config: {
        user: '65532:65532',
        env: ['PATH=/usr/bin'],
        entrypoint: ['/app'],
        cmd: [],
        labels: { 'org.opencontainers.image.source': 'https://example.com/acme/api' },
        exposedPorts: ['8080/tcp'],
        history: [{ createdBy: 'COPY . /app # buildkit', emptyLayer: false }],
        created: '2026-11-22T06:00:00Z',
      },
    })),
  }
}

/** A finding of one package as the rule reports it. */
export function aFinding(
  overrides: {
    readonly name?: string
    readonly version?: string
    readonly id?: string
    readonly severity?: Severity
    readonly fixed?: string | null
    readonly title?: string
    readonly rule?: string
  } & Partial<Pick<Violation, 'location' | 'imagePath' | 'origin' | 'platforms' | 'purl'>> = {},
): Violation {
  const { name = 'requests', version = '2.19.0', id = 'CVE-2018-18074', severity = 'high' } = overrides
  const { rule = 'vulnerability.severity', title, fixed = '2.20.0', ...place } = overrides
  const fixedWords = fixed === null ? 'no fix is known yet' : `fixed in ${fixed}`
  const note = rule === 'vulnerability.kev' ? ', known to be exploited since 2026-01-05' : ''
  return {
    rule,
    thing: `${name} ${version} (${id})`,
    platforms: place.platforms ?? ['linux/amd64'],
    severity,
    message: `${name} ${version} has ${id} (${severity}${note}), ${fixedWords}${title === undefined ? '' : `: ${title}`}`,
    ...(fixed === null ? {} : { fix: `${name}>=${fixed}` }),
    ...(place.location === undefined ? {} : { location: place.location }),
    ...(place.imagePath === undefined ? {} : { imagePath: place.imagePath }),
    origin: place.origin ?? 'own',
    fingerprint: `${rule} ${name} ${id} ${place.imagePath ?? ''}`,
    advisory: id,
    aliases: [],
    purl: place.purl ?? `pkg:pypi/${name}@${version}`,
  }
}

/** A violation that is no finding of a package. */
export function aViolation(overrides: Partial<Violation> = {}): Violation {
  return {
    rule: 'user.nonroot',
    thing: 'no USER is set, so it runs as root',
    platforms: ['linux/amd64'],
    severity: 'high',
    message: 'The image does not run as a known user other than root: no USER is set, so it runs as root',
    fix: 'add USER 65532:65532 at the end of the last stage',
    location: { file: 'Dockerfile', line: 18 },
    origin: 'unknown',
    fingerprint: 'user',
    ...overrides,
  }
}

/** The result of one rule; its outcome follows from what it holds unless it is given. */
export function aResult(overrides: Partial<RuleResult> = {}): RuleResult {
  const { violations = [], unknown = [] } = overrides
  return {
    rule: 'vulnerability.severity',
    title: 'No vulnerability at or above the threshold',
    phase: 'image',
    mode: 'enforce',
    severity: 'high',
    outcome: unknown.length > 0 ? 'unknown' : violations.length > 0 ? 'fail' : 'pass',
    checked: 214,
    violations,
    suppressed: [],
    tolerated: [],
    unknown,
    controls: ['NIST SP 800-218 1.1 RV.1.1'],
    ...overrides,
  }
}

/** A verdict over results; outcome and blocking follow from them unless they are given. */
export function aVerdict(overrides: Partial<Verdict> = {}): Verdict {
  const { results = [aResult()], mode = 'enforce' } = overrides
  const enforced = results.filter(result => result.mode === 'enforce').map(result => result.outcome)
  const outcome =
    overrides.outcome ??
    (enforced.includes('unknown') ? 'incomplete' : enforced.includes('fail') ? 'fail' : 'pass')
  return {
    outcome,
    mode,
    blocks: outcome === 'incomplete' || (outcome === 'fail' && mode === 'enforce'),
    results,
    exceptions: [],
    warnings: [],
    subject: { name: IMAGE, digest: digestOf('a') },
    policy: { digest: 'e'.repeat(64), origin: 'main@4c1d2e3', profiles: ['recommended'] },
    decidedAt: '2026-11-22T07:00:30Z',
    ...overrides,
  }
}

export const NOTHING_PUSHED: ReleaseRecord = { state: 'not-wanted', bundles: [], tags: [] }

/** A release that went to its end. */
export function aRelease(overrides: Partial<ReleaseRecord> = {}): ReleaseRecord {
  return {
    state: 'released',
    reference: `${IMAGE}@${digestOf('a')}`,
    digest: digestOf('a'),
    served: { objects: 3, bytes: 48_210_944 },
    bundles: [
      'https://sigstore.dev/cosign/sign/v1',
      'https://spdx.dev/Document',
      'https://cyclonedx.org/bom',
      'https://cosign.sigstore.dev/attestation/vuln/v1',
      'https://slsa.dev/verification_summary/v1',
    ].map((predicateType, at) => ({
      predicateType,
      attachedTo: digestOf('a'),
      referrer: digestOf(String(at + 1)),
      file: `bundles/${at + 1}.json`,
      verified: ['cosign', 'sigstore-js', 'portcullis'],
    })),
    tags: [{ tag: '1.0.0', state: 'created' }],
    signer: 'f'.repeat(64),
    verifyCommand: `cosign verify --key cosign.pub --insecure-ignore-tlog ${IMAGE}@${digestOf('a')}`,
    ...overrides,
  }
}

/** A passed run on a terminal that was not asked to publish. */
export function aRecord(overrides: Partial<RunRecord> = {}): RunRecord {
  return {
    schema: 'portcullis/record/v1',
    portcullis: { version: '0.1.0', project: 'https://github.com/OWNER/portcullis' },
    command: 'gate',
    startedAt: '2026-11-22T07:00:00.000Z',
    finishedAt: '2026-11-22T07:00:31.000Z',
    trigger: { kind: 'terminal', trusted: true },
    request: { image: IMAGE, subject: 'build', publish: 'never', sign: 'unset', tags: [] },
    outcome: 'pass',
    exitCode: 0,
    reason: 'clean',
    problems: [],
    stages: [
      {
        stage: 'tools',
        state: 'done',
        startedAt: '2026-11-22T07:00:00.000Z',
        milliseconds: 1240,
        detail: 'trivy, syft, cosign, crane',
      },
      {
        stage: 'inspect',
        state: 'done',
        startedAt: '2026-11-22T07:00:10.000Z',
        milliseconds: 9120,
        detail: '214 packages',
      },
      {
        stage: 'release',
        state: 'skipped',
        startedAt: '2026-11-22T07:00:30.000Z',
        milliseconds: 0,
        detail: 'not asked to publish',
      },
    ],
    subject: aSubject(),
    engine: { name: 'docker', version: '29.1.0' },
    imageId: digestOf('b'),
    isolation: 'other-user',
    tools: [
      { name: 'trivy', version: '0.74.0', source: 'release', sha256: '1'.repeat(64), verified: true },
      { name: 'syft', version: '1.51.0', source: 'release', sha256: '2'.repeat(64), verified: true },
    ],
    database: {
      sha256: '9'.repeat(64),
      size: 900_000_000,
      updatedAt: '2026-11-22T06:10:00Z',
      origin: 'folder',
    },
    packages: 214,
    counts: { critical: 0, high: 0, medium: 0, low: 0, unknown: 0 },
    verdict: aVerdict(),
    evidence: { path: 'evidence.json', sha256: '8'.repeat(64) },
    release: NOTHING_PUSHED,
    files: [{ path: 'sbom.spdx.json', kind: 'sbom-spdx', sha256: '7'.repeat(64), size: 40_000 }],
    warnings: [],
    ...overrides,
  }
}
