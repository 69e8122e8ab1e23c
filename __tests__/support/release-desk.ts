import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Evidence, PlatformEvidence } from '../../src/evidence/evidence.js'
import { notConfigured, present } from '../../src/evidence/known.js'
import { parseImageName } from '../../src/evidence/reference.js'
import { openLayout, type OpenLayout } from '../../src/oci/reader.js'
import { readPolicyDocument } from '../../src/policy/document.js'
import { resolvePolicy, type ResolvedPolicy } from '../../src/policy/resolve.js'
import type { Verdict } from '../../src/policy/verdict.js'
import { generateRehearsalKey } from '../../src/release/key.js'
import type { ReleaseRequest, ReleaseServices } from '../../src/release/request.js'
import type { Commands } from '../../src/tools/command.js'
import { createCommands } from '../../src/tools/commands.js'
import { serveRegistry, type EmbeddedRegistry } from '../../src/tools/crane.js'
import { makeIndexLayout, makeLayout } from './layouts.js'
import { startLyingRegistry, type LyingRegistry } from './lying-registry.js'
import { builtProgram, hexOf } from './programs.js'

export const NOW = new Date('2026-11-22T10:00:00Z')
export const PASSWORD = 'correct horse battery staple'

/** A place to release at: real crane, real Cosign, the embedded registry, a proxy before it that can lie. */
export interface Desk {
  readonly dir: string
  readonly commands: Commands
  readonly services: ReleaseServices
  readonly embedded: EmbeddedRegistry
  readonly registry: LyingRegistry
  readonly keyFile: string
  /** A request for a new small image under a new name; one platform, or two. */
  readonly request: (platforms?: 1 | 2, revision?: string) => Promise<ReleaseRequest>
  readonly close: () => Promise<void>
}

export async function openDesk(): Promise<Desk> {
  const dir = await mkdtemp(join(tmpdir(), 'portcullis-release-'))
  const crane = builtProgram('crane')
  const cosign = builtProgram('cosign')
  const environment = { PATH: process.env['PATH'], HOME: dir, DOCKER_CONFIG: join(dir, 'docker') }
  const commands = createCommands({ environment, workDir: await folder(dir, 'work') })
  const embedded = await serveRegistry({ commands, program: crane })
  const registry = await startLyingRegistry(embedded.host)
  const keyFile = await generateRehearsalKey({ commands, program: cosign }, dir, PASSWORD)
  const signal = new AbortController().signal
  const services = { commands, crane, cosign, signal, now: () => NOW, environment: {} }
  let made = 0
  return {
    dir,
    commands,
    services,
    embedded,
    registry,
    keyFile,
    request: async (platforms = 1, revision) => {
      made += 1
      return makeRequest({
        dir: await folder(dir, `run-${String(made)}`),
        host: registry.host,
        made,
        platforms,
        keyFile,
        revision,
      })
    },
    close: async () => {
      await registry.stop()
      await commands.stopAll()
      await rm(dir, { recursive: true, force: true })
    },
  }
}

interface Making {
  readonly dir: string
  readonly host: string
  readonly made: number
  readonly platforms: 1 | 2
  readonly keyFile: string
  readonly revision: string | undefined
}

async function makeRequest(making: Making): Promise<ReleaseRequest> {
  const image = parseImageName(`${making.host}/team/app${String(making.made)}`)
  const layout = await makeImage(making, image.name)
  const reportDir = await folder(making.dir, 'report')
  const workDir = await folder(making.dir, 'work')
  const evidence = await evidenceOf(layout, reportDir)
  const policy = resolvePolicy({ document: null, file: null, origin: 'working tree' })
  return {
    layout,
    image,
    tags: ['1.0.0', 'latest'],
    signing: { kind: 'key', key: making.keyFile, password: PASSWORD, rehearsal: true },
    policy,
    evidence,
    verdict: passingVerdict(layout, policy),
    version: '0.1.0',
    reportDir,
    workDir,
    limits: { attempts: 3, backOffMs: 10, retryBudgetMs: 5_000, answerMs: 2_000, idleMs: 2_000 },
  }
}

async function makeImage(making: Making, name: string): Promise<OpenLayout> {
  const dir = join(making.dir, 'layout')
  const layers = [{ files: [{ path: 'app', content: `app ${String(making.made)} ${'x'.repeat(4096)}` }] }]
  const { revision } = making
  const config = revision === undefined ? {} : { Labels: { 'org.opencontainers.image.revision': revision } }
  if (making.platforms === 1) await makeLayout(dir, { layers, config })
  else {
    const arm64 = { layers, config, platform: { os: 'linux', architecture: 'arm64' } }
    await makeIndexLayout(dir, [{ layers, config }, arm64])
  }
  return openLayout(dir, { name })
}

/** A policy with this text after its head. */
export function policyOf(text: string): ResolvedPolicy {
  const document = readPolicyDocument(
    `apiVersion: portcullis/v1\nkind: ImagePolicy\n${text}`,
    'portcullis.yml',
  )
  return resolvePolicy({ document, file: 'portcullis.yml', origin: 'working tree' })
}

function passingVerdict(layout: OpenLayout, policy: ResolvedPolicy): Verdict {
  const { name, digest } = layout.subject
  return {
    outcome: 'pass',
    mode: 'enforce',
    blocks: false,
    results: [],
    exceptions: [],
    warnings: [],
    subject: { name, digest },
    policy: { digest: policy.digest, origin: policy.origin, profiles: policy.profiles },
    decidedAt: NOW.toISOString(),
  }
}

async function evidenceOf(layout: OpenLayout, reportDir: string): Promise<Evidence> {
  const platforms: PlatformEvidence[] = []
  for (const child of layout.subject.platforms) {
    const slug = child.platform.replaceAll('/', '-')
    const spdx = await sbom(reportDir, `${slug}.spdx.json`, { spdxVersion: 'SPDX-2.3', name: slug })
    const cyclonedx = await sbom(reportDir, `${slug}.cdx.json`, {
      bomFormat: 'CycloneDX',
      specVersion: '1.6',
    })
    const documents = [
      { format: 'spdx-2.3', packages: 0, ...spdx },
      { format: 'cyclonedx-1.6', packages: 0, ...cyclonedx },
    ] as const
    platforms.push({
      platform: child.platform,
      contents: notConfigured(),
      vulnerabilities: present({ imageId: child.configDigest, packages: [], findings: [] }),
      secrets: notConfigured(),
      sboms: present({ documents, packages: [] }),
      inventory: notConfigured(),
    })
  }
  const trivy = {
    name: 'trivy',
    version: '0.74.0',
    source: 'source',
    sha256: hexOf('trivy'),
    verified: true,
  } as const
  return {
    subject: present(layout.subject),
    platforms,
    dockerfile: notConfigured(),
    tools: present([trivy]),
    isolation: present('user-namespace'),
    database: present({ sha256: hexOf('db'), size: 1, updatedAt: NOW.toISOString(), origin: 'folder' }),
    canary: notConfigured(),
    kev: notConfigured(),
    released: notConfigured(),
  }
}

async function sbom(
  reportDir: string,
  file: string,
  content: object,
): Promise<{ readonly file: string; readonly sha256: string; readonly size: number }> {
  const text = JSON.stringify(content)
  await writeFile(join(reportDir, file), text)
  return { file, sha256: hexOf(text), size: text.length }
}

async function folder(dir: string, name: string): Promise<string> {
  const path = join(dir, name)
  await mkdir(path, { recursive: true })
  return path
}
