import type { Verdict } from '../../src/policy/verdict.js'
import type { ReleaseRecord, RunRecord } from '../../src/record/record.js'
import {
  IMAGE,
  NOTHING_PUSHED,
  aFinding,
  aRecord,
  aRelease,
  aResult,
  aSubject,
  aVerdict,
  aViolation,
} from './records.js'

const WARNED = aResult({
  rule: 'image.pin',
  title: 'Every base image is pinned by digest',
  phase: 'source',
  mode: 'warn',
  severity: 'medium',
  checked: 1,
  violations: [
    aViolation({
      rule: 'image.pin',
      thing: 'debian:13-slim',
      platforms: [],
      severity: 'medium',
      message: 'The base image debian:13-slim is not pinned by digest',
      fix: 'FROM debian:13-slim@sha256:<its digest>',
      location: { file: 'Dockerfile', line: 1 },
      origin: 'own',
      fingerprint: 'pin',
    }),
  ],
})

const REQUESTS = { location: { file: 'Dockerfile', line: 12 }, imagePath: 'app/requirements.txt' }

/** Two vulnerable packages, one secret, and beside them what does not block. */
export function failingVerdict(mode: 'enforce' | 'audit' = 'enforce'): Verdict {
  const severity = aResult({
    violations: [
      aFinding({ ...REQUESTS, title: 'Redirect from HTTPS to HTTP leaks the Authorization header' }),
      aFinding({ ...REQUESTS, id: 'CVE-2023-32681', severity: 'medium', fixed: '2.31.0' }),
      aFinding({
        name: 'urllib3',
        version: '1.26.4',
        id: 'CVE-2021-33503',
        fixed: '1.26.5',
        location: { file: 'Dockerfile', line: 12 },
        title: 'ReDoS in the authority part of a URL',
      }),
    ],
    suppressed: [
      {
        violation: aFinding({ name: 'libexpat1', version: '2.6.3', id: 'CVE-2026-12345' }),
        exception: {
          id: 'CVE-2026-12345',
          owner: '@acme/api',
          reason: 'no untrusted XML is parsed',
          expires: '2026-12-31',
        },
      },
    ],
    tolerated: [
      { thing: 'zlib1g 1.3 (CVE-2026-1)', why: 'unfixable', severity: 'high' },
      { thing: 'zlib1g 1.3 (CVE-2026-2)', why: 'unfixable', severity: 'high' },
      { thing: 'idna 3.6 (CVE-2026-3)', why: 'grace', severity: 'high', until: '2026-12-01' },
      { thing: 'idna 3.6 (CVE-2026-4)', why: 'below-threshold', severity: 'low' },
    ],
  })
  const kev = aResult({
    rule: 'vulnerability.kev',
    title: 'No known exploited vulnerability',
    severity: 'critical',
    violations: [aFinding({ ...REQUESTS, rule: 'vulnerability.kev' })],
  })
  const secret = aResult({
    rule: 'secret.found',
    title: 'No secret in the image',
    severity: 'critical',
    checked: 4120,
    violations: [
      aViolation({
        rule: 'secret.found',
        thing: 'AWS Access Key ID in app/.env',
        severity: 'critical',
        message: 'app/.env, line 3 holds what looks like a secret: AWS Access Key ID (AWS)',
        fix: 'revoke it, remove app/.env from the build, use RUN --mount=type=secret',
        location: { file: 'Dockerfile', line: 9 },
        imagePath: 'app/.env',
        origin: 'own',
        fingerprint: 'secret',
      }),
    ],
  })
  return aVerdict({
    mode,
    results: [severity, kev, secret, WARNED],
    exceptions: [
      {
        id: 'CVE-2026-12345',
        state: 'used',
        owner: '@acme/api',
        expires: '2026-12-31',
        detail: 'used 1 time',
      },
      {
        id: 'CVE-2025-99',
        state: 'unused',
        owner: '@acme/api',
        expires: '2026-12-31',
        detail: 'no finding matches it',
      },
    ],
    warnings: [
      'Exception CVE-2025-99 of @acme/api: no finding matches it.',
      ...(mode === 'audit'
        ? ['The policy is in mode audit: this would have failed, and it does not block.']
        : []),
    ],
  })
}

const EVENT: RunRecord['trigger'] = {
  kind: 'event',
  event: 'push',
  ref: 'refs/heads/main',
  commit: '4c1d2e3'.padEnd(40, '0'),
  repository: 'acme/api',
  runUrl: 'https://github.com/acme/api/actions/runs/1',
  trusted: true,
}
const PUBLISHING = {
  trigger: EVENT,
  request: { image: IMAGE, subject: 'build', publish: 'auto', sign: 'key', tags: ['1.0.0'] },
} as const
const REFUSED: ReleaseRecord = { ...NOTHING_PUSHED, state: 'refused' }

function failing(mode: 'enforce' | 'audit'): Partial<RunRecord> {
  const verdict = failingVerdict(mode)
  return {
    ...PUBLISHING,
    outcome: 'fail',
    exitCode: mode === 'enforce' ? 1 : 0,
    reason: 'vulnerability.severity',
    verdict,
    warnings: verdict.warnings,
    counts: { critical: 0, high: 5, medium: 1, low: 1, unknown: 0 },
    release: REFUSED,
  }
}

/** One record for each way a run ends. */
export const ENDINGS: Readonly<Record<string, RunRecord>> = {
  pass: aRecord({
    verdict: aVerdict({
      results: [
        aResult({
          tolerated: [{ thing: 'zlib1g 1.3 (CVE-2026-1)', why: 'unfixable', severity: 'high' }],
        }),
        WARNED,
      ],
    }),
    counts: { critical: 0, high: 1, medium: 0, low: 0, unknown: 0 },
  }),
  released: aRecord({
    ...PUBLISHING,
    subject: aSubject('linux/amd64', 'linux/arm64'),
    release: aRelease(),
    verdict: aVerdict({
      results: [
        aResult(),
        aResult({ rule: 'sign.present', title: 'Signed and verified', phase: 'released', checked: 1 }),
      ],
    }),
  }),
  fail: aRecord(failing('enforce')),
  audit: aRecord(failing('audit')),
  incomplete: aRecord({
    ...PUBLISHING,
    outcome: 'incomplete',
    exitCode: 3,
    reason: 'trivy-output-truncated',
    problems: [
      {
        stage: 'inspect',
        code: 'evidence',
        reason: 'trivy-output-truncated',
        message:
          'The package scan of linux/amd64 is not complete JSON. Nothing is concluded from it; run again, and check the tool.',
      },
    ],
    verdict: aVerdict({
      results: [
        aResult({ unknown: ['vulnerabilities of linux/amd64: the report is not complete JSON'] }),
        aResult({
          rule: 'user.nonroot',
          title: 'The image does not run as root',
          checked: 1,
          violations: [aViolation()],
        }),
      ],
    }),
    packages: 0,
    release: REFUSED,
  }),
  config: aRecord({
    outcome: 'incomplete',
    exitCode: 2,
    reason: 'policy-invalid',
    problems: [
      {
        stage: 'policy',
        code: 'config',
        reason: 'policy-invalid',
        message:
          '.github/portcullis.yml:4:3 vulnerabilities.fail_in: expected a known key; nearest known key fail_on\n.github/portcullis.yml:9:12 exceptions[0].expires: expected a date YYYY-MM-DD',
      },
    ],
    stages: [],
    subject: null,
    engine: null,
    imageId: null,
    isolation: null,
    tools: [],
    database: null,
    packages: 0,
    verdict: null,
    evidence: null,
    files: [],
  }),
  cancelled: aRecord({
    outcome: 'incomplete',
    exitCode: 130,
    reason: 'cancelled',
    problems: [
      {
        stage: 'inspect',
        code: 'cancelled',
        reason: 'cancelled',
        message: 'The run was stopped from outside.',
      },
    ],
    verdict: null,
    evidence: null,
    packages: 0,
    files: [],
  }),
}
