import { createHash } from 'node:crypto'
import type * as z from 'zod'
import type { Evidence } from '../../../src/evidence/evidence.js'
import { missing, notConfigured, present } from '../../../src/evidence/known.js'
import { evidenceDocument, parseEvidence } from '../../../src/record/evidence-document.js'
import type { evidenceSchema } from '../../../src/record/evidence-schema.js'
import { aSubject, digestOf } from '../../support/records.js'
import { reasonOf } from '../../support/reasons.js'

/** Checked by `npm run check:types`: schema and interface say the same, in both directions. */
type ReadOnly<T> = T extends object ? { readonly [K in keyof T]: ReadOnly<T[K]> } : T
type Both<A, B> = [A] extends [B] ? ([B] extends [A] ? true : false) : false
const SAME: Both<ReadOnly<z.infer<typeof evidenceSchema>['evidence']>, ReadOnly<Evidence>> = true

const PLANT = { id: 'CVE-1', purl: 'pkg:pypi/x@1', severity: 'high', found: true }
const LINE = { file: 'Dockerfile', line: 3 }

const FULL: Evidence = {
  subject: present(aSubject('linux/amd64', 'linux/arm64/v8')),
  platforms: [
    {
      platform: 'linux/amd64',
      contents: present({
        layers: [
          {
            diffId: digestOf('d'),
            digest: digestOf('c'),
            size: 1,
            uncompressedSize: 2,
            entries: 3,
            createdBy: 'COPY . /',
            instruction: { ...LINE, endLine: 4 },
          },
        ],
        files: 3,
        executables: 1,
        users: [{ name: 'root', uid: 0 }],
        setuid: ['usr/bin/su'],
        unexplained: [{ path: 'app/tool', size: 9, setuid: false, layer: digestOf('d') }],
        owners: { 'usr/bin/su': 'pkg:deb/debian/login@1' },
        packageDatabases: ['var/lib/dpkg/status'],
        javaArchives: 2,
      }),
      vulnerabilities: present({
        imageId: digestOf('b'),
        os: { family: 'debian', name: '13', endOfLife: false },
        packages: [{ purl: 'pkg:pypi/idna@3.6', name: 'idna', version: '3.6', type: 'pypi' }],
        findings: [
          {
            id: 'CVE-2024-3651',
            aliases: ['GHSA-jjg7-2v4v-x38h'],
            purl: 'pkg:pypi/idna@3.6',
            package: 'idna',
            version: '3.6',
            platform: 'linux/amd64',
            severity: 'medium',
            status: 'fixed',
            fixedIn: ['3.7'],
          },
        ],
      }),
      secrets: present({ imageId: digestOf('b'), findings: [] }),
      sboms: missing('inspect', 'syft wrote nothing'),
      inventory: notConfigured(),
    },
  ],
  dockerfile: present({
    file: 'Dockerfile',
    bases: [{ reference: 'debian:13', pinned: false, location: LINE }],
    finalStage: LINE,
    instructions: [{ keyword: 'FROM', arguments: 'debian:13', stage: 0, location: LINE }],
  }),
  tools: present([
    { name: 'trivy', version: '0.74.0', source: 'release', sha256: '1'.repeat(64), verified: true },
  ]),
  isolation: present('other-user'),
  database: present({
    ...{ sha256: '9'.repeat(64), size: 1, updatedAt: '2026-11-22T06:10:00Z', origin: 'folder' },
    lastSize: 2,
    java: { sha256: '8'.repeat(64), size: 3, updatedAt: '2026-11-21T06:10:00Z', origin: 'folder' },
  }),
  canary: present({
    expected: [PLANT],
    inBand: [{ ...PLANT, platform: 'linux/amd64', ecosystem: 'pypi' }],
    notCovered: ['linux/amd64, rpm: nothing can be added'],
  }),
  kev: present({ version: '2026.11.20', date: '2026-11-20', entries: { 'CVE-1': '2026-01-05' } }),
  released: notConfigured(),
}

it('says the same as the interface', () => {
  expect(SAME).toBe(true)
})

describe('the evidence document', () => {
  it('is read back as it was, and its hash is that of its bytes', () => {
    const { text, sha256 } = evidenceDocument(FULL)
    expect(parseEvidence(text)).toEqual(FULL)
    expect(createHash('sha256').update(Buffer.from(text)).digest('hex')).toBe(sha256)
    expect(evidenceDocument(parseEvidence(text))).toEqual({ text, sha256 })
  })

  it('does not depend on the order of members', () => {
    const turned = Object.fromEntries(Object.entries(FULL).reverse())
    expect(evidenceDocument({ ...FULL, ...turned }).sha256).toBe(evidenceDocument(FULL).sha256)
  })

  it('differs when one fact does', () => {
    const other = { ...FULL, isolation: present('none' as const) }
    expect(evidenceDocument(other).sha256).not.toBe(evidenceDocument(FULL).sha256)
  })

  const document = (change: (evidence: Record<string, unknown>) => unknown): string =>
    JSON.stringify({ schema: 'portcullis/evidence/v1', evidence: change({ ...FULL }) })

  it.each([
    ['nothing', ''],
    ['no schema', JSON.stringify({ evidence: FULL })],
    ['another schema', JSON.stringify({ schema: 'portcullis/evidence/v9', evidence: FULL })],
    ['a missing kind', document(rest => ({ ...rest, canary: undefined }))],
    ['an unknown kind', document(rest => ({ ...rest, more: notConfigured() }))],
    ['a fourth state', document(rest => ({ ...rest, kev: { state: 'perhaps' } }))],
    [
      'a fact that is missing and present',
      document(rest => ({ ...rest, kev: { state: 'missing', value: 1 } })),
    ],
    ['a missing fact without its reason', document(rest => ({ ...rest, kev: { state: 'missing' } }))],
    [
      'a missing fact of no stage',
      document(rest => ({ ...rest, kev: { state: 'missing', why: '', stage: 'x' } })),
    ],
  ])('refuses %s', (_, text) => {
    expect(reasonOf(() => parseEvidence(text))).toBe('evidence-invalid')
  })
})
