import type { Evidence, PlatformEvidence } from '../../../src/evidence/evidence.js'
import { isDigest, type Digest } from '../../../src/evidence/digest.js'
import { missing, present } from '../../../src/evidence/known.js'
import type { Known } from '../../../src/evidence/known.js'
import type { ImageContents } from '../../../src/evidence/image.js'
import type { SbomSet } from '../../../src/evidence/sbom.js'
import type { Finding, Package, SecretFinding, VulnerabilityScan } from '../../../src/evidence/scan.js'
import type { ImageConfig, ImageSubject } from '../../../src/evidence/subject.js'
import { readPolicyDocument } from '../../../src/policy/document.js'
import { judge } from '../../../src/policy/evaluate.js'
import { resolvePolicy, type ResolvedPolicy } from '../../../src/policy/resolve.js'
import type { RuleId } from '../../../src/policy/rule-ids.js'
import type { Phase, RuleResult, Verdict } from '../../../src/policy/verdict.js'

export const NOW = new Date('2026-11-22T12:00:00Z')
export const AMD = 'linux/amd64'
export const ARM = 'linux/arm64'
export const SIGNATURE = 'https://sigstore.dev/cosign/sign/v1'

/** A digest that says what it stands for: its hex digits begin with those of the number. */
export function digest(number: number): Digest {
  const text = `sha256:${number.toString(16).padEnd(64, '0')}`
  if (!isDigest(text)) throw new Error(`no digest: ${text}`)
  return text
}

export const LAYER = digest(0x1a)

export function samplePackage(name = 'requests', version = '2.31.0'): Package {
  return { purl: `pkg:pypi/${name}@${version}`, name, version, type: 'pypi' }
}

export function sampleFinding(changes: Partial<Finding> = {}): Finding {
  return {
    id: 'CVE-2018-18074',
    aliases: ['GHSA-x84v-xcm2-53pg'],
    purl: 'pkg:pypi/requests@2.19.0',
    package: 'requests',
    version: '2.19.0',
    path: 'app/requests.dist-info/METADATA',
    layer: LAYER,
    platform: AMD,
    severity: 'high',
    status: 'fixed',
    fixedIn: ['2.20.0'],
    published: '2018-10-09T00:00:00Z',
    ...changes,
  }
}

export function sampleSecret(changes: Partial<SecretFinding> = {}): SecretFinding {
  return {
    rule: 'github-pat',
    category: 'GitHub',
    title: 'GitHub Personal Access Token',
    severity: 'critical',
    path: 'app/config.env',
    line: 3,
    layer: LAYER,
    platform: AMD,
    ...changes,
  }
}

export function sampleContents(changes: Partial<ImageContents> = {}): ImageContents {
  return {
    layers: [
      {
        diffId: LAYER,
        digest: digest(0x1b),
        size: 1000,
        uncompressedSize: 4000,
        entries: 12,
        createdBy: 'RUN pip install -r requirements.txt',
        instruction: { file: 'Dockerfile', line: 4 },
      },
    ],
    files: 12,
    executables: 2,
    users: [
      { name: 'root', uid: 0 },
      { name: 'app', uid: 10001 },
    ],
    setuid: [],
    system: {
      databases: ['dpkg'],
      release: { id: 'debian', version: '12', path: 'usr/lib/os-release', layer: LAYER },
      earlier: [],
    },
    unexplained: [],
    linkedMetadata: [],
    hiddenPackages: [],
    owners: { 'usr/bin/python3': 'pkg:deb/debian/python3' },
    ...changes,
  }
}

function manifestNumber(platform: string): number {
  return platform === AMD ? 0xa1 : 0xb1
}

export function imageId(platform: string): Digest {
  return digest(manifestNumber(platform) + 1)
}

export function manifest(platform: string): Digest {
  return digest(manifestNumber(platform))
}

export function sampleSboms(platform = AMD, packages: readonly Package[] = [samplePackage()]): SbomSet {
  const subject = manifest(platform)
  const common = { sha256: 'a'.repeat(64), size: 100, packages: packages.length, subject }
  const lacking = { supplier: packages.length, name: 0, version: 0, identifier: 0, relationship: 0 }
  const minimum = { packages: packages.length, lacking, author: true, timestamp: true }
  return {
    documents: [
      { format: 'spdx-2.3', file: 'sbom.spdx.json', ...common, minimum },
      { format: 'cyclonedx-1.6', file: 'sbom.cdx.json', ...common, minimum },
      { format: 'syft', file: 'sbom.syft.json', ...common },
    ],
    packages,
  }
}

export function sampleScan(platform = AMD): VulnerabilityScan {
  const os = { family: 'debian', name: '12.11', endOfLife: false }
  return { imageId: imageId(platform), os, packages: [samplePackage()], findings: [] }
}

export function samplePlatform(platform = AMD, changes: Partial<PlatformEvidence> = {}): PlatformEvidence {
  return {
    platform,
    contents: present(sampleContents()),
    vulnerabilities: present(sampleScan(platform)),
    secrets: present({ imageId: imageId(platform), findings: [] }),
    sboms: present(sampleSboms(platform)),
    inventory: present({ both: 1, onlyTrivy: [], onlySyft: [] }),
    ...changes,
  }
}

/** A platform whose scan found these, in an image with one package. */
export function platformWith(findings: readonly Finding[], platform = AMD): PlatformEvidence {
  return samplePlatform(platform, { vulnerabilities: present({ ...sampleScan(platform), findings }) })
}

export function sampleConfig(changes: Partial<ImageConfig> = {}): ImageConfig {
  return {
    user: '10001',
    env: [],
    entrypoint: [],
    cmd: [],
    labels: {
      'org.opencontainers.image.source': 'https://example.test/app',
      'org.opencontainers.image.revision': 'f'.repeat(40),
    },
    exposedPorts: [],
    history: [],
    ...changes,
  }
}

export function sampleSubject(platforms: readonly string[] = [AMD], config = sampleConfig()): ImageSubject {
  const mediaType = 'application/vnd.oci.image.manifest.v1+json'
  return {
    name: 'registry.test/app',
    digest: platforms.length === 1 ? manifest(platforms[0] ?? AMD) : digest(0xfe),
    mediaType,
    size: 500,
    platforms: platforms.map(platform => ({
      platform,
      manifest: { mediaType, digest: manifest(platform), size: 500 },
      configDigest: imageId(platform),
      configSize: 300,
      layers: [],
      config,
    })),
  }
}

/** Evidence of an image that meets every rule of the profile `recommended`. */
export function goodEvidence(changes: Partial<Evidence> = {}): Evidence {
  return {
    subject: present(sampleSubject()),
    platforms: [samplePlatform()],
    dockerfile: present({
      file: 'Dockerfile',
      bases: [
        {
          reference: `docker.io/library/python:3.13@${digest(0xc)}`,
          pinned: true,
          location: { file: 'Dockerfile', line: 1 },
        },
      ],
      user: { value: '10001', location: { file: 'Dockerfile', line: 6 } },
      finalStage: { file: 'Dockerfile', line: 1 },
      instructions: [],
    }),
    tools: present([
      { name: 'trivy', version: '0.74.0', source: 'release', sha256: 'b'.repeat(64), verified: true },
      { name: 'syft', version: '1.51.0', source: 'release', sha256: 'c'.repeat(64), verified: true },
    ]),
    isolation: present('user-namespace'),
    database: present({
      sha256: 'd'.repeat(64),
      size: 1,
      updatedAt: '2026-11-22T06:00:00Z',
      origin: 'folder',
    }),
    canary: present({
      expected: [{ id: 'CVE-1', purl: 'pkg:npm/a@1', severity: 'critical', found: true }],
    }),
    kev: present({ version: '2026.11.20', date: '2026-11-20', entries: { 'CVE-2021-44228': '2021-12-10' } }),
    released: { state: 'not-configured' },
    ...changes,
  }
}

export function gone<T>(): Known<T> {
  return missing('inspect', 'the tool was silent')
}

/** The profile `recommended`, with a policy laid over it when its text is given (without its first two keys). */
export function policyOf(text = ''): ResolvedPolicy {
  const document = readPolicyDocument(`apiVersion: portcullis/v1\nkind: ImagePolicy\n${text}`, 'policy.yml')
  return resolvePolicy({ document, file: 'policy.yml', origin: 'working tree' })
}

export function verdictOf(
  evidence: Evidence,
  policy: ResolvedPolicy = policyOf(),
  phases: readonly Phase[] = ['source', 'image'],
): Verdict {
  return judge({ policy, evidence, phases, now: NOW })
}

/** The result of one rule. */
export function resultOf(rule: RuleId, evidence: Evidence, policy: ResolvedPolicy = policyOf()): RuleResult {
  const verdict = verdictOf(evidence, policy, ['source', 'image', 'released'])
  const found = verdict.results.find(result => result.rule === rule)
  if (found === undefined) throw new Error(`no result of ${rule}`)
  return found
}
